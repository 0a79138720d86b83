// Package nixcache asks binary caches of Nix what they have: Cachix
// (https://docs.cachix.org/api) by its bulk look-up, and every other cache that
// speaks HTTP path by path. It reads lists of store paths as Nix and people
// write them, parses and verifies narinfo files, follows references, and waits
// until all of it can really be had.
//
// The formats: store paths and signatures as in the Nix manual's "Store path
// specification" and "Binary cache" chapters
// (https://nix.dev/manual/nix/latest/protocols/). Base 32, hashes and keys come
// from github.com/nix-community/go-nix. Its narinfo parser does not: it takes a
// megabyte of memory for each file, refuses keys it does not know, and drops
// the causes of its errors. The tests hold ours against it.
package nixcache
