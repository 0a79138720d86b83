package vendored

import (
	"fmt"
	"maps"
	"path"
	"slices"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

const lockKind = "LockConfig"

// locked is what the lock file says about a git content.
type locked struct {
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

// writeLock is a lock file in which one content has another entry, as vendir
// writes it. old is the file as it is, nil when there is none.
func writeLock(old []byte, directory, content string, entry locked) ([]byte, error) {
	directory, content, entry.CommitTitle = readable(directory), readable(content), readable(entry.CommitTitle)
	return setLocked(old, directory, content, entry.object(content))
}

func setLocked(old []byte, directory, content string, entry object) ([]byte, error) {
	lock, err := parseLock(old)
	if err != nil {
		return nil, err
	}
	merge(lock, directory, content, entry)
	out, err := yamlv2.Marshal(lock)
	if err != nil {
		return nil, fmt.Errorf("write the lock file: %w", err)
	}
	return out, nil
}

// copyLocked is the lock file old with the entry that from has of a content; old itself if from has none.
func copyLocked(old, from []byte, directory, content string) ([]byte, error) {
	lock, err := parseLock(from)
	if err != nil {
		return nil, err
	}
	if entry := lockedIn(lock, directory, content); entry != nil {
		return setLocked(old, directory, content, entry)
	}
	return old, nil
}

// lockedIn is the entry of a content, nil when there is none.
func lockedIn(lock object, directory, content string) object {
	all, _ := objects(lock["directories"]) // checked
	for _, d := range all {
		contents, _ := objects(d["contents"])
		for _, c := range contents {
			if path.Join(text(d["path"]), text(c["path"])) == path.Join(directory, content) {
				return c
			}
		}
	}
	return nil
}

// readable replaces bytes that are no UTF-8, as vendir's way through JSON does.
func readable(text string) string { return string([]rune(text)) }

func parseLock(old []byte) (object, error) {
	if old == nil {
		return object{"apiVersion": apiVersion, "kind": lockKind}, nil
	}
	var doc yaml.Node
	if err := strict.YAML(old, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	if hasAlias(&doc) {
		return nil, fmt.Errorf("it has an alias, as vendir never writes: %w", errConfig)
	}
	lock, _ := plain(&doc).(object) // else it is empty
	if lock["apiVersion"] != apiVersion || lock["kind"] != lockKind {
		return nil, fmt.Errorf("its apiVersion and kind are not %s and %s: %w", apiVersion, lockKind, errConfig)
	}
	directories, ok := objects(lock["directories"])
	if !ok {
		return nil, fmt.Errorf("its directories are not as vendir writes them: %w", errConfig)
	}
	for _, directory := range directories {
		if _, ok := objects(directory["contents"]); !ok {
			return nil, fmt.Errorf("its contents are not as vendir writes them: %w", errConfig)
		}
	}
	return lock, nil
}

// objects are the maps in a list; not ok where it is something else. There may be none.
func objects(value any) (all []object, ok bool) {
	list, isList := value.([]any)
	for _, item := range list {
		one, isObject := item.(object)
		if !isObject {
			return nil, false
		}
		all = append(all, one)
	}
	return all, isList || value == nil
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, hasAlias)
}

// plain is a part of a lock file as maps, lists and texts: vendir's values are
// texts, also where they look like numbers.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			out = append(out, plain(c))
		}
		return out
	case yaml.MappingNode:
		out := object{}
		for key, value := range strict.Pairs(n) {
			out[key.Value] = plain(value)
		}
		return out
	default:
		return scalar(n)
	}
}

func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	}
	return n.Value
}

func (l locked) object(content string) object {
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
func merge(lock object, directory, content string, entry object) {
	if known := lockedIn(lock, directory, content); known != nil {
		clear(known)
		maps.Copy(known, entry)
		return
	}
	directories, _ := objects(lock["directories"]) // checked
	for _, d := range directories {
		if text(d["path"]) == directory {
			contents, _ := d["contents"].([]any)
			d["contents"] = append(contents, entry)
			return
		}
	}
	list, _ := lock["directories"].([]any)
	lock["directories"] = append(list, object{"path": directory, "contents": []any{entry}})
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
