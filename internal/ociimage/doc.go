// Package ociimage turns a Go program into an OCI image: two layers on nothing, a config, an index over the platforms and a
// bill of materials that refers to it. The same source gives the same digest on every machine, so nothing here reads the
// clock, a host name or a path into the result. No container daemon takes part.
//
// The formats are those of the OCI image, distribution and layout specifications
// (https://github.com/opencontainers/image-spec, https://github.com/opencontainers/distribution-spec) and of SPDX 2.3
// (https://spdx.github.io/spdx-spec/v2.3/).
package ociimage
