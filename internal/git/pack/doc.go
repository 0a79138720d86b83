// Package pack reads, indexes and writes git's packs, see gitformat-pack(5), and
// keeps them in memory or in a folder. A pack may be thin: its deltas may build on
// objects of other packs.
//
// Packs come from servers that may be broken or hostile. The limits on what they may
// hold are part of this package: the size of a pack, the size of an object, the
// length of a chain of deltas.
package pack
