package pack

import (
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

const stateFormat = "taxiway git objects 1"

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
	b.WriteString("end\n")
	return b.String()
}

func (st *State) parse(text string) error {
	lines := strings.Split(text, "\n")
	if lines[0] != stateFormat || len(lines) < 3 || lines[len(lines)-2] != "end" {
		return errors.New("its file state is cut short or of another program")
	}
	for _, line := range lines[1 : len(lines)-2] {
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
