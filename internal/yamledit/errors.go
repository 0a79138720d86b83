package yamledit

import "errors"

// One sentinel for each decision that a caller can take. Use errors.Is.
var (
	// ErrSyntax says that the file is not YAML that can be read.
	ErrSyntax = errors.New("not readable as YAML")
	// ErrPath says that a path is not written as paths are.
	ErrPath = errors.New("not a path")
	// ErrMissing says that the file has nothing at the path.
	ErrMissing = errors.New("there is no such value")
	// ErrNotScalar says that the path leads to a map or list.
	ErrNotScalar = errors.New("not a single value")
	// ErrAmbiguous says that the path can mean several places.
	ErrAmbiguous = errors.New("there is more than one")
	// ErrShared says that the value is also used elsewhere, through an alias or
	// merge key.
	ErrShared = errors.New("the value is shared")
	// ErrForm says that the value is written in a way that is not edited: as a
	// block, over several lines, with a tag of its own.
	ErrForm = errors.New("the value is not written on one line")
	// ErrUnsafe says that the edited file would not say what it should, so that it
	// is not handed out.
	ErrUnsafe = errors.New("the edit would change something else")
)
