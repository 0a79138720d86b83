package object

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// ParseTree reads a tree: "<octal mode> <name>\0<20 bytes of hash>" again and
// again. Names may be anything; all of them share one string.
func ParseTree(raw []byte) ([]Entry, error) {
	text := string(raw)
	const usual = 30 // bytes of an entry, or more
	entries := make([]Entry, 0, len(raw)/usual+1)
	for at := 0; at < len(raw); {
		blank := bytes.IndexByte(raw[at:], ' ')
		if blank < 1 || blank > 7 {
			return nil, fmt.Errorf("the tree is damaged at byte %d: no mode", at)
		}
		mode := uint32(0)
		for _, c := range raw[at : at+blank] {
			if c < '0' || c > '7' {
				return nil, fmt.Errorf("the tree is damaged at byte %d: the mode %q", at, text[at:at+blank])
			}
			mode = mode<<3 | uint32(c-'0')
		}
		at += blank + 1
		end := bytes.IndexByte(raw[at:], 0)
		if end < 0 || at+end+1+len(Hash{}) > len(raw) {
			return nil, fmt.Errorf("the tree is damaged at byte %d: it is cut short", at)
		}
		e := Entry{Name: text[at : at+end], Mode: filemode.FileMode(mode)}
		at += end + 1
		at += copy(e.Hash[:], raw[at:])
		entries = append(entries, e)
	}
	return entries, nil
}

// ParseCommit reads a commit: header lines, an empty line, the message.
func ParseCommit(h Hash, raw []byte) (*Commit, error) {
	c := &Commit{Hash: h}
	head, message, _ := strings.Cut(string(raw), "\n\n")
	c.Message = message
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.Tree = plumbing.NewHash(value)
		case "parent":
			c.Parents = append(c.Parents, plumbing.NewHash(value))
		case "author":
			c.Author = parseSignature(value)
		case "committer":
			c.Committer = parseSignature(value)
		}
	}
	if !strings.HasPrefix(head, "tree ") {
		return nil, fmt.Errorf("commit %s is damaged: it has no tree", h)
	}
	return c, nil
}

// parseSignature reads "Name <mail> seconds zone" and makes the best of what is
// not of that form.
func parseSignature(text string) Signature {
	var s Signature
	name, rest, _ := strings.Cut(text, "<")
	end := strings.LastIndexByte(rest, '>')
	if end < 0 {
		s.Name = strings.TrimSpace(text)
		return s
	}
	s.Name, s.Email = strings.TrimSpace(name), rest[:end]
	fields := strings.Fields(rest[end+1:])
	if len(fields) == 0 {
		return s
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return s
	}
	s.When = time.Unix(seconds, 0).UTC()
	if len(fields) > 1 {
		if zone, err := time.Parse("-0700", fields[1]); err == nil {
			s.When = s.When.In(zone.Location())
		}
	}
	return s
}

// TagTarget is what an annotated tag points to.
func TagTarget(raw []byte) (Hash, error) {
	line, _, _ := strings.Cut(string(raw), "\n")
	id, ok := strings.CutPrefix(line, "object ")
	if !ok || !plumbing.IsHash(id) {
		return Hash{}, fmt.Errorf("the tag is damaged: %.80q", line)
	}
	return plumbing.NewHash(id), nil
}

// ParseTag reads an annotated tag: header lines, an empty line, the message.
func ParseTag(content []byte) (*Tag, error) {
	t := &Tag{}
	var err error
	if t.Target, err = TagTarget(content); err != nil {
		return nil, err
	}
	head, _, _ := strings.Cut(string(content), "\n\n")
	for line := range strings.SplitSeq(head, "\n") {
		if name, ok := strings.CutPrefix(line, "tag "); ok {
			t.Name = name
		}
		if who, ok := strings.CutPrefix(line, "tagger "); ok {
			t.Tagger = parseSignature(who)
		}
	}
	return t, nil
}
