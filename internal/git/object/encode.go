package object

import (
	"bytes"
	"errors"
	"fmt"
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
