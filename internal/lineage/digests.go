package lineage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// pinned is a digest in a YAML file.
type pinned struct {
	line       int // from 1
	path       string
	repository string // "" when nothing beside it says
	digest     string
	comment    string // of its line, with the "#"
	whole      bool   // it has all of its 64 digits
}

// digestPattern finds what should be a digest.
func digestPattern() *regexp.Regexp { return regexp.MustCompile(`sha256:([0-9a-fA-F]*)`) }

const digestDigits = 64

// digestsOf finds the digests that are values of a YAML file of one or more
// documents, in the order of the file.
func digestsOf(data []byte) ([]pinned, error) {
	if !bytes.Contains(data, []byte("sha256:")) {
		return nil, nil
	}
	if err := strict.Few(data); err != nil {
		return nil, err
	}
	w := digestWalk{lines: strings.Split(string(data), "\n"), pattern: digestPattern()}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		w.walk(&doc, nil, "")
	}
	sort.SliceStable(w.found, func(i, j int) bool { return w.found[i].line < w.found[j].line })
	return w.found, nil
}

type digestWalk struct {
	lines   []string
	pattern *regexp.Regexp
	found   []pinned
}

// walk visits a node. An alias is what its anchor is, and that is visited where
// it stands.
func (w *digestWalk) walk(n, parent *yaml.Node, at string) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			w.walk(c, n, at)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.walk(n.Content[i+1], n, joinKey(at, n.Content[i].Value))
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			w.walk(c, n, fmt.Sprintf("%s[%d]", at, i))
		}
	case yaml.ScalarNode:
		w.scalar(n, parent, at)
	case yaml.AliasNode:
	}
}

// joinKey adds a key to a path, in the notation of chart-bump's paths.
func joinKey(at, key string) string {
	if strings.ContainsAny(key, ".[]\" ") || key == "" {
		key = fmt.Sprintf("%q", key)
	}
	if at == "" {
		return key
	}
	return at + "." + key
}

func (w *digestWalk) scalar(n, parent *yaml.Node, at string) {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return // a text in which a digest may stand, and no value of an image
	}
	m := w.pattern.FindStringSubmatchIndex(n.Value)
	if m == nil {
		return
	}
	p := pinned{line: n.Line, path: at, digest: strings.ToLower(n.Value[m[0]:m[1]])}
	p.whole = m[3]-m[2] == digestDigits && m[1] == len(n.Value)
	p.repository = repositoryOf(n.Value[:m[0]], parent)
	if n.Line >= 1 && n.Line <= len(w.lines) {
		p.comment = lineComment(w.lines[n.Line-1])
	}
	w.found = append(w.found, p)
}

// repositoryOf is the image's name: what stands before the digest, or what the
// keys beside it say.
func repositoryOf(before string, parent *yaml.Node) string {
	name := strings.TrimSuffix(before, "@")
	if strings.Contains(name, "/") {
		slash := strings.LastIndex(name, "/")
		if colon := strings.LastIndex(name, ":"); colon > slash {
			name = name[:colon] // its tag
		}
		return name
	}
	beside := map[string]string{}
	if parent != nil && parent.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(parent.Content); i += 2 {
			if v := parent.Content[i+1]; v.Kind == yaml.ScalarNode {
				beside[parent.Content[i].Value] = strings.TrimSpace(v.Value)
			}
		}
	}
	repository := strings.TrimSuffix(beside["repository"], "/")
	if registry := strings.TrimSuffix(beside["registry"], "/"); registry != "" && repository != "" {
		return registry + "/" + repository
	}
	return repository
}

// lineComment is the comment at the end of a line of YAML, from its "#"; "" when
// there is none. Quotes open only where a value can begin.
func lineComment(line string) string {
	var quote rune
	before := ' '
	escaped := false
	for i, c := range line {
		switch {
		case quote != 0:
			if c == quote && !escaped {
				quote = 0
			}
			escaped = quote == '"' && c == '\\' && !escaped
		case c == '#' && unicode.IsSpace(before):
			return strings.TrimRight(line[i:], "\r")
		case (c == '"' || c == '\'') && (unicode.IsSpace(before) || strings.ContainsRune("[{,:", before)):
			quote = c
		}
		before = c
	}
	return ""
}
