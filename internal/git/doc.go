// Package git reads and writes repositories without the git program: over HTTP,
// SSH and git://, and on this machine.
//
// An Access says where a repository is and how to get in. Its Remote tells what
// refs have and takes pushes. A Store is a partial copy that completes itself: it
// asks for commits and trees without blobs, for more history only where a walk
// comes to its end, and for blobs by their hashes, many at once.
//
//	remote, err := access.Open(git.Options{})
//	refs, err := remote.Refs(ctx, "refs/heads/main")    // one request
//	store, err := remote.Store("")                      // in memory
//	err = store.Advance(ctx, "refs/heads/main", refs["refs/heads/main"])
//	commit, err := store.Commit(ctx, refs["refs/heads/main"])
//
// The protocols are those of gitprotocol-v2(5), with gitprotocol-pack(5) for
// servers that know no other and for pushing. Every push names the value that
// its refs must still have. After a broken connection the refs are read again,
// so that an error means that the remote does not have it.
package git
