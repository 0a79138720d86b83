package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
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
	Forget  *Forget  `yaml:"forget"`
	Trigger *Trigger `yaml:"trigger"`
	Pull    *Pull    `yaml:"pull"`
	Merge   *Merge   `yaml:"merge"`
	Pass    string   `yaml:"pass"` // a duration
}

// Pull is a pull request that a person opens.
type Pull struct {
	By         string   `yaml:"by"`
	Repository string   `yaml:"repository"`
	Branch     string   `yaml:"branch"`
	Title      string   `yaml:"title"`
	Labels     []string `yaml:"labels"`
	Draft      bool     `yaml:"draft"`
}

// Merge is a person's merge of the open pull request of a branch. A draft is
// made ready first, as a person would.
type Merge struct {
	By         string `yaml:"by"`
	Repository string `yaml:"repository"`
	Branch     string `yaml:"branch"`
	// Method is merge, squash or rebase; merge when it is empty.
	Method string `yaml:"method"`
	// As names the merge commit for later acts.
	As string `yaml:"as"`
	// Refused is a text of the answer when the rules of the branch must forbid the merge.
	Refused string `yaml:"refused"`
}

// Commit is a commit that a person pushes.
type Commit struct {
	// By is "Ana Lima <ana@example.com>".
	By      string `yaml:"by"`
	Message string `yaml:"message"`
	// Repository defaults to that of the deployments.
	Repository string `yaml:"repository"`
	// Branch defaults to main; one that is not there begins at main.
	Branch string `yaml:"branch"`
	// As names the commit for later acts.
	As string `yaml:"as"`
	// Amend puts it in the place of the branch's last commit, whose changes it keeps.
	Amend bool            `yaml:"amend"`
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
	To string `yaml:"to"`
	// Resume is the number of the record that rolled the environment back; it goes on from there.
	Resume  int    `yaml:"resume"`
	Message string `yaml:"message"`
}

// Break makes a tool fail; see tools.Fault.
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

// Forget takes a resource's versions away, as a change of its credentials or of its type's image does.
type Forget struct {
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
	// Traces say by "deployment/environment" where what it runs comes from.
	Traces map[string]Traced `yaml:"traces"`
	// Saw says by job a text of a file that its last build's deploying task
	// worked with, by path in the repository.
	Saw map[string]map[string]string `yaml:"saw"`
	// Tries says by job how often its steps were tried in the last build.
	Tries map[string]map[string]int `yaml:"tries"`
	// Messages are parts of the messages that were sent; there are no others.
	Messages []string `yaml:"messages"`
	// Pulls are pull requests by their branch.
	Pulls []ExpectPull `yaml:"pulls"`
	// Tags say by repository and tag which commit it is at: the name of a
	// commit, or "" for any.
	Tags map[string]map[string]string `yaml:"tags"`
	// Files say by repository, branch and path what a file has.
	Files map[string]map[string]map[string]string `yaml:"files"`
	// Copies are folders that must be the same.
	Copies []Copy `yaml:"copies"`
	// Images are in the registry, Releases on the forge.
	Images   []ExpectImage   `yaml:"images"`
	Releases []ExpectRelease `yaml:"releases"`
	// Statuses are those of commits on the forge.
	Statuses []ExpectStatus `yaml:"statuses"`
	// Cached are builds whose paths the binary cache has, by their names without
	// version and commit.
	Cached []string `yaml:"cached"`
	// Versions say by resource which fields its newest version has.
	Versions map[string]map[string]string `yaml:"versions"`
	// Said has by job a text that its last build has said.
	Said map[string]string `yaml:"said"`
}

// Traced is where what an environment runs comes from, as far as it is said.
type Traced struct {
	// Chart and Source are names of commits: of the chart, and of the code that
	// all of its images were built from.
	Chart  string `yaml:"chart"`
	Source string `yaml:"source"`
	// Release is the tag of the code's release.
	Release string `yaml:"release"`
}

// ExpectPull is the newest pull request of a branch; what is left out is not
// looked at.
type ExpectPull struct {
	Repository string `yaml:"repository"`
	Branch     string `yaml:"branch"`
	// State is open, merged, closed, or none when there must be none at all.
	State  string   `yaml:"state"`
	Number int      `yaml:"number"`
	Draft  *bool    `yaml:"draft"`
	Title  string   `yaml:"title"`
	Labels []string `yaml:"labels"`
	// Body are parts of it.
	Body []string `yaml:"body"`
	// Checks say what checks of its head have come to, and Statuses what statuses are.
	Checks   map[string]string `yaml:"checks"`
	Statuses map[string]string `yaml:"statuses"`
	// Count is how many pull requests the branch has had.
	Count int `yaml:"count"`
	// As names its merge commit for later acts.
	As string `yaml:"as"`
}

// ExpectImage is an image in the registry that stands in for all.
type ExpectImage struct {
	Repository string `yaml:"repository"`
	Tag        string `yaml:"tag"`
	// SameAs are other tags of the same image.
	SameAs []string          `yaml:"same_as"`
	Labels map[string]string `yaml:"labels"`
}

// ExpectRelease is a published release.
type ExpectRelease struct {
	Repository string   `yaml:"repository"`
	Tag        string   `yaml:"tag"`
	Title      string   `yaml:"title"`
	Notes      []string `yaml:"notes"`
	Assets     []string `yaml:"assets"`
	Prerelease bool     `yaml:"prerelease"`
}

// ExpectStatus are statuses of a named commit, by context.
type ExpectStatus struct {
	Repository string            `yaml:"repository"`
	Commit     string            `yaml:"commit"`
	States     map[string]string `yaml:"states"`
}

// Copy says that a folder is the copy of another one.
type Copy struct {
	Is Place `yaml:"is"`
	Of Place `yaml:"of"`
}

// Place is a path in a repository: at a named commit, or on a branch, main when
// neither is given.
type Place struct {
	Repository string `yaml:"repository"`
	Branch     string `yaml:"branch"`
	Commit     string `yaml:"commit"`
	Path       string `yaml:"path"`
}

// Parse reads a scenario; file is its name for messages. Unknown keys are
// refused, and so is what cannot be played.
func Parse(file string, text []byte) (*Scenario, error) {
	if err := misspelt(text); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", file, err)
	}
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

// misspelt is an error with the line of the first key that a scenario does not have, and the one that is nearest, or of a key
// that is there twice. What is not YAML is for the decoder to report.
func misspelt(text []byte) error {
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return nil //nolint:nilerr // documented
	}
	mistakes, doubts := shapeOf(reflect.TypeFor[Scenario]()).Judge(&root)
	for _, f := range append(mistakes, doubts...) {
		return fmt.Errorf("line %d: %s", f.Line, f)
	}
	return nil
}

// shapeOf are the keys that a type is decoded from.
func shapeOf(t reflect.Type) *strict.Shape {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Slice, reflect.Map:
		return &strict.Shape{Each: shapeOf(t.Elem())}
	case reflect.Struct:
		shape := strict.Keys()
		for _, field := range reflect.VisibleFields(t) {
			if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" && key != "-" {
				shape = shape.With(key, shapeOf(field.Type))
			}
		}
		return shape
	default:
		return nil
	}
}

func (a Act) validate() error {
	if a.Title == "" {
		return errors.New("it has no title")
	}
	for i, d := range a.Do {
		set := 0
		for _, is := range []bool{d.Commit != nil, d.Gate != nil, d.Break != nil, d.Mend != "", d.Pin != nil, d.Unpin != nil, d.Forget != nil, d.Trigger != nil, d.Pull != nil, d.Merge != nil, d.Pass != ""} {
			if is {
				set++
			}
		}
		if set != 1 {
			return fmt.Errorf("%s: deed %d says %d things: say one of commit, gate, break, mend, pin, unpin, forget, trigger, pull, merge, pass", a.Title, i+1, set)
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
