package object

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// FormatTree is the content of a tree with these entries.
func FormatTree(entries []Entry) []byte {
	var raw bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&raw, "%o %s\x00", uint32(e.Mode), e.Name)
		raw.Write(e.Hash[:])
	}
	return raw.Bytes()
}

// FormatCommit is the object of git's data model, see git-commit-tree(1).
func FormatCommit(c *Commit) []byte {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&raw, "parent %s\n", p)
	}
	fmt.Fprintf(&raw, "author %s\ncommitter %s\n\n%s", signatureText(c.Author), signatureText(c.Committer), c.Message)
	return raw.Bytes()
}

// FormatTag is an annotated tag of a commit, with its name as the message.
func FormatTag(t *Tag) []byte {
	return fmt.Appendf(nil, "object %s\ntype commit\ntag %s\ntagger %s\n\n%s\n", t.Target, t.Name, signatureText(t.Tagger), t.Name)
}

// AddSignature is the content of a commit with a signature of it as the last field of its head. A signature ends in a line
// end.
func AddSignature(commit, signature []byte) []byte {
	head, message, _ := bytes.Cut(commit, []byte("\n\n"))
	field := bytes.ReplaceAll(bytes.TrimSuffix(signature, []byte("\n")), []byte("\n"), []byte("\n "))
	return slices.Concat(head, []byte("\ngpgsig "), field, []byte("\n\n"), message)
}

// CheckSignature returns an error for a name or address that a commit cannot hold.
func CheckSignature(s Signature) error {
	switch {
	case s.When.Before(time.Unix(0, 0)):
		return fmt.Errorf("the time %s of the commit is before 1970, which git can't store", s.When.Format(time.RFC3339))
	case s.Name == "" && s.Email == "":
		return errors.New("the commit has no author: name and email are empty")
	}
	return nil
}

func signatureText(s Signature) string {
	return fmt.Sprintf("%s <%s> %d %s", s.Name, s.Email, s.When.Unix(), s.When.Format("-0700"))
}

// CleanName leaves out what would end the name in a commit.
func CleanName(s string) string {
	return strings.TrimSpace(strings.NewReplacer("<", "", ">", "", "\n", " ", "\x00", "").Replace(s))
}
