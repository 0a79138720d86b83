package ociimage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// sbomType is the media type of an SPDX document in JSON.
const sbomType = "application/spdx+json"

// The parts of SPDX 2.3 that are used here; names and meanings are the specification's (clauses 6, 7 and 11).
type (
	spdxDocument struct {
		SPDXVersion       string             `json:"spdxVersion"`
		DataLicense       string             `json:"dataLicense"`
		SPDXID            string             `json:"SPDXID"`
		Name              string             `json:"name"`
		DocumentNamespace string             `json:"documentNamespace"`
		CreationInfo      spdxCreation       `json:"creationInfo"`
		Packages          []spdxPackage      `json:"packages"`
		Relationships     []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		SPDXID           string         `json:"SPDXID"`
		Name             string         `json:"name"`
		VersionInfo      string         `json:"versionInfo"`
		FileName         string         `json:"packageFileName,omitempty"`
		Supplier         string         `json:"supplier,omitempty"`
		DownloadLocation string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		CopyrightText    string         `json:"copyrightText"`
		Comment          string         `json:"comment,omitempty"`
		Purpose          string         `json:"primaryPackagePurpose,omitempty"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		ExternalRefs     []spdxRef      `json:"externalRefs,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

// program is one compiled program, the platform it runs on, and how its file is called where it is used.
type program struct {
	platform v1.Platform
	data     []byte
	file     string
}

// module is one dependency as the linker recorded it.
type module struct{ path, version, sum string }

// ProgramSBOM is the bill of materials, in SPDX, of a Go program that is handed out beside the images.
func ProgramSBOM(set *Set, definition Definition, stamp Stamp, file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("bill of materials: %w", err)
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("bill of materials: %s is not a program that Go has built: %w", file, err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	platform := v1.Platform{OS: settings["GOOS"], Architecture: settings["GOARCH"]}
	return sbom(set, definition, stamp, []program{{platform, data, filepath.Base(file)}})
}

// sbom lists what the programs of one image were linked from: the modules and the Go release, from the build information in
// the programs themselves.
func sbom(set *Set, definition Definition, stamp Stamp, programs []program) ([]byte, error) {
	document := spdxDocument{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", Name: definition.Type + " " + stamp.Version,
		CreationInfo: spdxCreation{
			Created:  stamp.Created.UTC().Format(time.RFC3339),
			Creators: []string{"Organization: " + set.Vendor, "Tool: taxiway-images"},
		},
	}
	modules := map[string]module{}
	whole := sha256.New()
	for _, p := range programs {
		info, err := buildinfo.Read(bytes.NewReader(p.data))
		if err != nil {
			return nil, fmt.Errorf("%s holds no build information for %s: is it a main package? %w", definition.Package, p.platform, err)
		}
		sum := sha256.Sum256(p.data)
		whole.Write(sum[:])
		described := programPackage(set, definition, stamp, p, hex.EncodeToString(sum[:]))
		document.Packages = append(document.Packages, described)
		document.Relationships = append(document.Relationships, spdxRelationship{document.SPDXID, "DESCRIBES", described.SPDXID})
		for _, m := range linkedModules(info) {
			id := m.id()
			modules[id] = m
			document.Relationships = append(document.Relationships, spdxRelationship{described.SPDXID, "STATIC_LINK", id})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(modules)) {
		document.Packages = append(document.Packages, modules[id].spdx(id))
	}
	document.DocumentNamespace = fmt.Sprintf("%s/spdx/%s/%s/%x", set.Source, definition.Type, stamp.Version, whole.Sum(nil))
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("bill of materials of %s: %w", definition.Type, err)
	}
	return append(text, '\n'), nil
}

func programPackage(set *Set, definition Definition, stamp Stamp, p program, sum string) spdxPackage {
	return spdxPackage{
		SPDXID: fmt.Sprintf("SPDXRef-Program-%s-%s", p.platform.OS, p.platform.Architecture), Name: definition.Type,
		VersionInfo: stamp.Version, FileName: p.file, Supplier: "Organization: " + set.Vendor,
		DownloadLocation: "git+" + set.Source + "@" + strings.TrimSuffix(stamp.Revision, "-dirty"),
		LicenseConcluded: "NOASSERTION", LicenseDeclared: set.Licenses, CopyrightText: "NOASSERTION",
		Comment: "built for " + p.platform.String() + " from revision " + stamp.Revision, Purpose: "APPLICATION",
		Checksums: []spdxChecksum{{"SHA256", sum}},
	}
}

// linkedModules lists the dependencies, with replacements applied, and the standard library, sorted by path.
func linkedModules(info *debug.BuildInfo) []module {
	modules := []module{{path: "stdlib", version: strings.TrimPrefix(info.GoVersion, "go")}}
	for _, dependency := range info.Deps {
		if dependency.Replace != nil {
			dependency = dependency.Replace
		}
		modules = append(modules, module{dependency.Path, dependency.Version, dependency.Sum})
	}
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	return modules
}

// id is the identifier of the module in the document; SPDX allows letters, digits, "." and "-" only.
func (m module) id() string {
	return "SPDXRef-Module-" + regexp.MustCompile(`[^A-Za-z0-9.-]+`).ReplaceAllString(m.path+"-"+m.version, "-")
}

func (m module) spdx(id string) spdxPackage {
	p := spdxPackage{
		SPDXID: id, Name: m.path, VersionInfo: m.version, DownloadLocation: "NOASSERTION",
		LicenseConcluded: "NOASSERTION", LicenseDeclared: "NOASSERTION", CopyrightText: "NOASSERTION", Purpose: "LIBRARY",
		ExternalRefs: []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.path + "@" + strings.ReplaceAll(m.version, "+", "%2B")}},
	}
	if m.sum != "" {
		p.Comment = "go.sum " + m.sum
	}
	return p
}
