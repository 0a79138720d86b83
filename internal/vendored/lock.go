package vendored

import (
	"fmt"
	"path"

	yamlv2 "go.yaml.in/yaml/v2"
)

const lockKind = "LockConfig"

// Locked is what the lock file says about a git content.
type Locked struct {
	// SHA is the commit.
	SHA string
	// Tags is what "git describe --tags" says about it; empty for nothing.
	Tags []string
	// CommitTitle is the first line of its message, with "..." for further ones.
	CommitTitle string
	// ConfigDigest is there for lazy contents only.
	ConfigDigest string
}

type object = map[any]any

// WriteLock is a lock file in which one content has another entry, as vendir
// writes it. old is the file as it is, nil when there is none.
func WriteLock(old []byte, directory, content string, entry Locked) ([]byte, error) {
	lock, err := parseLock(old)
	if err != nil {
		return nil, err
	}
	directories, _ := lock["directories"].([]any) // checked
	lock["directories"] = merge(directories, directory, content, entry.object(content))
	out, err := yamlv2.Marshal(lock)
	if err != nil {
		return nil, fmt.Errorf("write the lock file: %w", err)
	}
	return out, nil
}

func parseLock(old []byte) (object, error) {
	if old == nil {
		return object{"apiVersion": apiVersion, "kind": lockKind}, nil
	}
	var lock object
	if err := yamlv2.Unmarshal(old, &lock); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if lock["apiVersion"] != apiVersion || lock["kind"] != lockKind {
		return nil, fmt.Errorf("its apiVersion and kind are not %s and %s: %w", apiVersion, lockKind, ErrConfig)
	}
	if directories, ok := lock["directories"].([]any); !ok && lock["directories"] != nil {
		return nil, fmt.Errorf("its directories are no list: %w", ErrConfig)
	} else if !ok || directories == nil {
		return lock, nil
	}
	for _, d := range lock["directories"].([]any) { //nolint:errcheck // it was just looked at
		directory, isObject := d.(object)
		contents, isList := directory["contents"].([]any)
		if !isObject || (!isList && directory["contents"] != nil) {
			return nil, fmt.Errorf("its directories are not as vendir writes them: %w", ErrConfig)
		}
		for _, c := range contents {
			if _, ok := c.(object); !ok {
				return nil, fmt.Errorf("its contents are not as vendir writes them: %w", ErrConfig)
			}
		}
	}
	return lock, nil
}

func (l Locked) object(content string) object {
	git := object{"sha": l.SHA, "commitTitle": l.CommitTitle}
	if len(l.Tags) > 0 {
		git["tags"] = l.Tags
	}
	out := object{"path": content, "git": git}
	if l.ConfigDigest != "" {
		out["configDigest"] = l.ConfigDigest
	}
	return out
}

// merge replaces an entry where it is; a new one is added to its directory, and a
// new directory at the end.
func merge(directories []any, directory, content string, entry object) []any {
	for _, d := range directories {
		known, _ := d.(object) // checked
		contents, _ := known["contents"].([]any)
		for i, c := range contents {
			if of, _ := c.(object); path.Join(text(known["path"]), text(of["path"])) == path.Join(directory, content) {
				contents[i] = entry
				return directories
			}
		}
	}
	for _, d := range directories {
		if known, _ := d.(object); text(known["path"]) == directory {
			contents, _ := known["contents"].([]any)
			known["contents"] = append(contents, entry)
			return directories
		}
	}
	return append(directories, object{"path": directory, "contents": []any{entry}})
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
