package ociimage

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Where things are in an image.
const (
	resourceDir  = "opt/resource"
	certificates = "etc/ssl/certs/ca-certificates.crt"
)

// node is one entry of a layer: a file, a folder when the mode's type is tar.TypeDir, or a symbolic link.
type node struct {
	path string
	kind byte
	mode int64
	data []byte
	link string
}

// baseNodes is what every image has beside its program: the users, a place for temporary files and the certificates.
func baseNodes(roots []byte) []node {
	return []node{
		file("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n")),
		file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n")),
		file(certificates, 0o644, roots),
		folder("etc", 0o755), folder("etc/ssl", 0o755), folder("etc/ssl/certs", 0o755),
		folder("root", 0o700), folder("tmp", 0o1777),
	}
}

// programNodes puts the program where Concourse looks for it: it reads its task from the name it is started by.
func programNodes(name string, program []byte) []node {
	nodes := []node{
		folder("opt", 0o755), folder(resourceDir, 0o755),
		file(resourceDir+"/"+name, 0o755, program),
	}
	for _, verb := range []string{"check", "in", "out"} {
		nodes = append(nodes, node{path: resourceDir + "/" + verb, kind: tar.TypeSymlink, mode: 0o777, link: name})
	}
	return nodes
}

func file(path string, mode int64, data []byte) node {
	return node{path: path, kind: tar.TypeReg, mode: mode, data: data}
}

func folder(path string, mode int64) node {
	return node{path: path, kind: tar.TypeDir, mode: mode}
}

// archive writes the nodes as a tar file, sorted by path, owned by root and all of one time.
func archive(nodes []node, created time.Time) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	sorted := slices.SortedFunc(slices.Values(nodes), func(a, b node) int { return cmp.Compare(a.path, b.path) })
	for _, n := range sorted {
		name := n.path
		if n.kind == tar.TypeDir {
			name += "/"
		}
		header := &tar.Header{
			Typeflag: n.kind, Name: name, Linkname: n.link, Size: int64(len(n.data)), Mode: n.mode,
			ModTime: created, Format: tar.FormatUSTAR,
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("layer entry %s: %w", n.path, err)
		}
		if _, err := writer.Write(n.data); err != nil {
			return nil, fmt.Errorf("layer entry %s: %w", n.path, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	return buffer.Bytes(), nil
}

// rootCertificates is the PEM file of the Mozilla roots. Roots with a condition (trusted only for certificates issued before
// a day) are left out: a PEM file cannot carry the condition.
func rootCertificates() ([]byte, error) {
	var buffer bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&buffer, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, fmt.Errorf("root certificates: %w", err)
		}
	}
	return buffer.Bytes(), nil
}
