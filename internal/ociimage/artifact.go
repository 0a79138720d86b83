package ociimage

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Artifact is a document that refers to an image: an OCI manifest with a subject, an empty config and one blob.
type Artifact struct {
	// Type is the media type of the document.
	Type string
	// Document is the blob.
	Document []byte
	// Subject is what it is about.
	Subject v1.Descriptor

	manifest []byte
}

// emptyType and emptyConfig stand for "no config" in the OCI image specification 1.1.
const (
	emptyType   = types.MediaType("application/vnd.oci.empty.v1+json")
	emptyConfig = "{}"
)

// newArtifact attaches a document to a subject.
func newArtifact(subject partial.Describable, mediaType string, document []byte, notes map[string]string) (*Artifact, error) {
	about, err := partial.Descriptor(subject)
	if err != nil {
		return nil, fmt.Errorf("subject of %s: %w", mediaType, err)
	}
	// A subject carries what identifies it and nothing else.
	reference := v1.Descriptor{MediaType: about.MediaType, Digest: about.Digest, Size: about.Size}
	config, err := describe(emptyType, []byte(emptyConfig))
	if err != nil {
		return nil, err
	}
	layer, err := describe(types.MediaType(mediaType), document)
	if err != nil {
		return nil, err
	}
	layer.Annotations = map[string]string{titleKey: notes[titleKey]}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: mediaType, Config: config,
		Layers: []v1.Descriptor{layer}, Subject: &reference, Annotations: notes,
	})
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", mediaType, err)
	}
	return &Artifact{Type: mediaType, Document: document, Subject: reference, manifest: manifest}, nil
}

// RawManifest and MediaType are what a registry client needs to upload the manifest.
func (a *Artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

// MediaType is the type of an OCI manifest.
func (a *Artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// Descriptor identifies the manifest of the artifact.
func (a *Artifact) Descriptor() (v1.Descriptor, error) {
	descriptor, err := describe(types.OCIManifestSchema1, a.manifest)
	descriptor.ArtifactType = a.Type
	return descriptor, err
}

// blobs lists what must be in a store before the manifest.
func (a *Artifact) blobs() []blob {
	return []blob{{emptyType, []byte(emptyConfig)}, {types.MediaType(a.Type), a.Document}}
}

type blob struct {
	mediaType types.MediaType
	data      []byte
}

func describe(mediaType types.MediaType, data []byte) (v1.Descriptor, error) {
	digest, size, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("digest of %s: %w", mediaType, err)
	}
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest}, nil
}
