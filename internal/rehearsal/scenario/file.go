package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// Scenario is a play.
type Scenario struct {
	// Title and About introduce it.
	Title string `yaml:"title"`
	About string `yaml:"about"`
	Acts  []Act  `yaml:"acts"`
}

// Act is something that happens, and what must come of it.
type Act struct {
	// Title names the act; Shows says in a sentence what it shows.
	Title string `yaml:"title"`
	Shows string `yaml:"shows"`
	// Do is done in its order, before the pipeline looks at the world again.
	Do     []Deed `yaml:"do"`
	Expect Expect `yaml:"expect"`
}

// Deed is one thing that somebody does, or that befalls them. Exactly one field
// is set.
type Deed struct {
	Commit  *Commit  `yaml:"commit"`
	Gate    *Gate    `yaml:"gate"`
	Break   *Break   `yaml:"break"`
	Mend    string   `yaml:"mend"` // name of a tool
	Pin     *Pin     `yaml:"pin"`
	Unpin   *Unpin   `yaml:"unpin"`
	Trigger *Trigger `yaml:"trigger"`
}

// Commit is a commit that a person pushes.
type Commit struct {
	// By is "Ana Lima <ana@example.com>".
	By      string `yaml:"by"`
	Message string `yaml:"message"`
	// Branch defaults to main.
	Branch string `yaml:"branch"`
	// As names the commit for later acts.
	As    string          `yaml:"as"`
	Files map[string]Edit `yaml:"files"`
}

// Edit changes one file: a text in it is replaced, lines are appended, or it is
// written anew or deleted.
type Edit struct {
	Replace string  `yaml:"replace"`
	With    string  `yaml:"with"`
	Append  string  `yaml:"append"`
	Content *string `yaml:"content"`
	Delete  bool    `yaml:"delete"`
}

// Gate is a person's edit of a gates file: how far an environment may go.
type Gate struct {
	By          string `yaml:"by"`
	File        string `yaml:"file"`
	Branch      string `yaml:"branch"`
	Environment string `yaml:"environment"`
	// To is HEAD, a branch (its tip as of now) or the name of a commit.
	To      string `yaml:"to"`
	Message string `yaml:"message"`
}

// Break makes a tool fail; see rehearsal.Fault.
type Break struct {
	Tool    string            `yaml:"tool"`
	Command string            `yaml:"command"`
	When    map[string]string `yaml:"when"`
	File    string            `yaml:"file"`
	Has     string            `yaml:"has"`
	Times   int               `yaml:"times"`
	Says    string            `yaml:"says"`
}

// Pin holds a resource at the version that a build of a job had.
type Pin struct {
	By       string `yaml:"by"`
	Resource string `yaml:"resource"`
	Job      string `yaml:"job"`
	Build    int    `yaml:"build"`
}

// Unpin lets a resource go on.
type Unpin struct {
	By       string `yaml:"by"`
	Resource string `yaml:"resource"`
}

// Trigger starts a job by hand.
type Trigger struct {
	By  string `yaml:"by"`
	Job string `yaml:"job"`
}

// Expect is what must hold after an act. What is left out is not looked at,
// except Builds: those that ran are exactly the ones that are listed.
type Expect struct {
	// Builds are "job: result" in any order.
	Builds []map[string]string `yaml:"builds"`
	// Runs says by "deployment/environment" the newest change that it runs: the
	// name of a commit.
	Runs map[string]string `yaml:"runs"`
	// Waits says by "deployment/environment" a part of the reason why it waits;
	// an empty text that it waits for nothing.
	Waits map[string]string `yaml:"waits"`
	// Saw says by job a text of a file that its last build's deploying task
	// worked with, by path in the repository.
	Saw map[string]map[string]string `yaml:"saw"`
	// Tries says by job how often its steps were tried in the last build.
	Tries map[string]map[string]int `yaml:"tries"`
	// Messages are parts of the messages that were sent; there are no others.
	Messages []string `yaml:"messages"`
}

// Parse reads a scenario; file is its name for messages. Unknown keys are
// refused, and so is what cannot be played.
func Parse(file string, text []byte) (*Scenario, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var s Scenario
	if err := dec.Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("scenario %s is empty", file)
		}
		return nil, fmt.Errorf("scenario %s: %w", file, err)
	}
	if len(s.Acts) == 0 {
		return nil, fmt.Errorf("scenario %s has no acts", file)
	}
	for i, a := range s.Acts {
		if err := a.validate(); err != nil {
			return nil, fmt.Errorf("scenario %s: act %d: %w", file, i+1, err)
		}
	}
	return &s, nil
}

func (a Act) validate() error {
	if a.Title == "" {
		return errors.New("it has no title")
	}
	for i, d := range a.Do {
		set := 0
		for _, is := range []bool{d.Commit != nil, d.Gate != nil, d.Break != nil, d.Mend != "", d.Pin != nil, d.Unpin != nil, d.Trigger != nil} {
			if is {
				set++
			}
		}
		if set != 1 {
			return fmt.Errorf("%s: deed %d says %d things: say one of commit, gate, break, mend, pin, unpin, trigger", a.Title, i+1, set)
		}
		if d.Commit != nil && (d.Commit.Message == "" || len(d.Commit.Files) == 0) {
			return fmt.Errorf("%s: deed %d: a commit needs a message and files", a.Title, i+1)
		}
	}
	for _, b := range a.Expect.Builds {
		if len(b) != 1 {
			return fmt.Errorf("%s: write each expected build as one \"job: result\"", a.Title)
		}
	}
	return nil
}
