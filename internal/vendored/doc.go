// Package vendored moves a repository's copy of another git repository to
// another commit, as a change of "ref" in vendir.yml and a run of "vendir sync
// --directory" would: the ref in place, byte for byte, the copy's files, and
// vendir.lock.yml as vendir writes it. It is about vendir's git contents only.
//
// See https://carvel.dev/vendir/docs/latest/vendir-spec/. Differences that remain
// are refused with the reason: contents whose files come from submodules or Git
// LFS, and symbolic links that leave the copy.
package vendored
