package vendored

import "errors"

// One sentinel for each decision that a caller can take. Use errors.Is.
var (
	// errConfig says that vendir.yml or its lock file can't be used.
	errConfig = errors.New("not usable")
	// ErrNoContent says that vendir.yml has no such directory or content.
	ErrNoContent = errors.New("no such content")
	// errNothing says that the commit has no file that the content wants.
	errNothing = errors.New("no file is left")
	// errUnsupported says that the content needs what only vendir itself does.
	errUnsupported = errors.New("not possible without vendir")
	// ErrDependency says that the copy is a Helm chart without all that it needs to be deployed as it was tested.
	ErrDependency = errors.New("not deployable from the copy")
	// ErrShallow says that a clone does not have the history to know its tags.
	ErrShallow = errors.New("the clone is shallow")
)
