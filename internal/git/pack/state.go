package pack

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// State is everything but the objects.
type State struct {
	packs   []int
	Shallow map[object.Hash]bool   // commits whose parents are not here
	Tips    map[string]object.Hash // what refs had when they were fetched
}

const stateFormat = "taxiway git objects 2"

func (st *State) text() string {
	var b strings.Builder
	b.WriteString(stateFormat + "\n")
	for _, n := range st.packs {
		fmt.Fprintf(&b, "pack %d\n", n)
	}
	for h := range st.Shallow {
		fmt.Fprintf(&b, "shallow %s\n", h)
	}
	for ref, h := range st.Tips {
		fmt.Fprintf(&b, "tip %s %s\n", h, ref)
	}
	return b.String() + stateEnd(b.String())
}

// stateEnd is the last line of a state: the SHA-256 of all before it.
func stateEnd(text string) string { return fmt.Sprintf("end %x\n", sha256.Sum256([]byte(text))) }

func (st *State) parse(text string) error {
	body := text[:strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1]
	if text != body+stateEnd(body) || !strings.HasPrefix(body, stateFormat+"\n") {
		return errors.New("its file state is cut short, changed or of another program")
	}
	for line := range strings.Lines(body[len(stateFormat)+1:]) {
		line = strings.TrimSuffix(line, "\n")
		if err := st.parseLine(line); err != nil {
			return err
		}
	}
	return nil
}

func (st *State) parseLine(line string) error {
	what, value, _ := strings.Cut(line, " ")
	id, ref, named := strings.Cut(value, " ")
	switch {
	case what == "pack":
		n, err := strconv.Atoi(value)
		if err == nil {
			st.packs = append(st.packs, n)
		}
		return err
	case what == "shallow" && plumbing.IsHash(id):
		st.Shallow[plumbing.NewHash(id)] = true
	case what == "tip" && named && plumbing.IsHash(id):
		st.Tips[ref] = plumbing.NewHash(id)
	default:
		return fmt.Errorf("its file state has the line %.80q", line)
	}
	return nil
}
