// Package lineage says what every environment of a deployments repository runs,
// and leads from there back to the source: which state since when, the commits
// of the charts in it, the images that they pin, the commits that those were
// built from, and their releases. It also says what is pending and why it waits.
//
// It reads what is written down: cepler's state files, vendir's config and lock,
// the METADATA comments beside the digests, and, where they are at hand, the
// repositories of charts and sources and the labels of images. Where a link of
// that chain is missing it says which and why (Broken), and goes no further: it
// guesses nothing.
package lineage

import (
	"fmt"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/provenance"
)

// Trace is what a repository says at one moment.
type Trace struct {
	// Repository is where it was read, and Branch the branch that is deployed from.
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
	// Head is the branch's newest commit.
	Head Commit `json:"head"`
	// At is the moment that waiting was decided for.
	At           time.Time     `json:"at"`
	Environments []Environment `json:"environments"`
	// NotAsked says what was not looked at, and how to have it looked at. It is
	// no fault.
	NotAsked []string `json:"not_asked,omitempty"`
	// Looks are what the environments were decided by, one for each config.
	Looks []Look `json:"-"`
}

// Look is a config of the deployments repository at one moment, for those who want to know more of its environments.
type Look struct {
	*deployments.Repository
	View *deployments.View
	// Source has no environment.
	Source deployments.Source
}

// Environment is an environment of a deployment.
type Environment struct {
	Deployment string `json:"deployment"`
	Name       string `json:"name"`
	// Passed is the environment before it, "" without one.
	Passed string `json:"passed,omitempty"`
	// Version is the number of its record, 0 when nothing is recorded. What
	// follows is then empty.
	Version uint64 `json:"version"`
	// Trigger is the commit that its state became complete with.
	Trigger Commit `json:"trigger"`
	// Change is the newest change among its files; for an environment behind
	// another one the trigger is only the other one's record.
	Change Commit `json:"change"`
	// Since is when the state was recorded.
	Since time.Time `json:"since,omitzero"`
	// Record is the commit that recorded it.
	Record Commit `json:"record"`
	// Recorder is the program that recorded it, as far as the record says.
	Recorder Recorder `json:"recorder,omitempty"`
	// Build is the address of the build that deployed it, "" when the record
	// has none.
	Build string `json:"build,omitempty"`
	// Runs is what the state consists of.
	Runs Contents `json:"runs"`
	// Pending is what it would run next; nil when nothing is pending.
	Pending *deployments.Pending `json:"pending,omitempty"`
	// Brings is what the pending state consists of.
	Brings *Contents `json:"brings,omitempty"`
	// Waits are the reasons why it does not get it, or what it looks out for.
	Waits []string `json:"waits,omitempty"`
	// Until is when a reason may end by itself.
	Until *time.Time `json:"until,omitempty"`
	// Held says how a person holds it where it is; the caller knows.
	Held string `json:"held,omitempty"`
	// Broken are the links that are missing between the environment and its
	// state. Those further on are in Runs and Brings.
	Broken []Broken `json:"broken,omitempty"`
	// Report is what the resource itself says of it; nil if that was not asked.
	Report *deployments.EnvironmentReport `json:"-"`
}

// Recorder is who wrote a state file.
type Recorder string

// The recorders.
const (
	// Taxiway is this suite's cepler-out, when it ran in a Concourse.
	Taxiway Recorder = "cepler-out"
	// NoBuild is a record that names no build: of the Rust cepler, or of cepler-out outside of a Concourse.
	NoBuild Recorder = "no-build"
	// Somebody is a commit of another kind: a person, or a squashed history.
	Somebody Recorder = "other"
)

// Contents are the charts and images of a state.
type Contents struct {
	Charts []Chart `json:"charts,omitempty"`
	// Images are those that are pinned outside of any chart.
	Images []Image  `json:"images,omitempty"`
	Broken []Broken `json:"broken,omitempty"`
}

// Chart is a Helm chart among the files of a state.
type Chart struct {
	// Path is its folder in the deployments repository.
	Path string `json:"path"`
	// Name, Version and AppVersion are what its Chart.yaml says.
	Name       string `json:"name"`
	Version    string `json:"version,omitempty"`
	AppVersion string `json:"app_version,omitempty"`
	// Vendored says where it came from; nil for a chart that lives in the
	// deployments repository.
	Vendored *Vendored `json:"vendored,omitempty"`
	Images   []Image   `json:"images,omitempty"`
	Broken   []Broken  `json:"broken,omitempty"`
}

// Vendored is the origin of files that vendir copied.
type Vendored struct {
	// Config is the vendir.yml that says so, and In the commit of the
	// deployments repository in which the files are as the state has them.
	Config string `json:"config"`
	In     string `json:"in"`
	// Repository and Ref are what it asks for. Path is the folder there, "" for
	// the whole of it.
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Path       string `json:"path,omitempty"`
	// Commit is the commit that it came from; its Hash is "" when that cannot be
	// said.
	Commit Commit `json:"commit"`
	// Verified says that the files were compared with those of that commit, and
	// that they are the same.
	Verified bool `json:"verified"`
}

// Image is an image that a state pins by its digest.
type Image struct {
	// File, Line (from 1) and Path say where: values.yaml, 12,
	// lanaBank.image.digest.
	File string `json:"file"`
	Line int    `json:"line"`
	Path string `json:"path"`
	// Repository is the image's name without tag, "" when the file does not say
	// it beside the digest.
	Repository string `json:"repository,omitempty"`
	Digest     string `json:"digest"`
	// Metadata is the comment beside the digest; nil without one.
	Metadata *provenance.Metadata `json:"metadata,omitempty"`
	// Labels is what the registry says about the image; nil when it was not
	// asked, or has no answer.
	Labels *Labels `json:"labels,omitempty"`
	// Source is what it was built from; nil when nothing says it.
	Source *Source  `json:"source,omitempty"`
	Broken []Broken `json:"broken,omitempty"`
}

// Labels are the labels of an image that lead to its source, by their names in
// https://github.com/opencontainers/image-spec/blob/main/annotations.md.
type Labels struct {
	Source   string `json:"source,omitempty"`
	Revision string `json:"revision,omitempty"`
	Version  string `json:"version,omitempty"`
}

// Source is a commit of a source repository.
type Source struct {
	Repository string `json:"repository"`
	// Subdir is the folder of the program, "" for the whole repository.
	Subdir string `json:"subdir,omitempty"`
	// Commit has a short hash and nothing else until the repository is at hand.
	Commit Commit `json:"commit"`
	// By is what says so.
	By Evidence `json:"by"`
	// Releases are the tags on that very commit, the newest version first.
	Releases []string `json:"releases,omitempty"`
	// ReleasedIn is the first release that has the commit, when it has none of
	// its own.
	ReleasedIn string `json:"released_in,omitempty"`
}

// Evidence is what names a source commit.
type Evidence string

// The kinds of evidence.
const (
	ByMetadata Evidence = "METADATA"
	ByLabels   Evidence = "labels"
	// ByBoth is METADATA and labels that agree.
	ByBoth Evidence = "METADATA and labels"
)

// Commit is a commit as a person knows it. A zero one is not known.
type Commit struct {
	// Hash is full, except where only a short one is written down.
	Hash    string    `json:"hash,omitempty"`
	Subject string    `json:"subject,omitempty"`
	When    time.Time `json:"when,omitzero"`
}

// Short is the hash as people write it.
func (c Commit) Short() string { return fmt.Sprintf("%.7s", c.Hash) }

// Link is a link of the chain from an environment to the source.
type Link string

// The links, from the environment on.
const (
	LinkRecord   Link = "record"   // environment → state
	LinkFiles    Link = "files"    // state → files
	linkChart    Link = "chart"    // files → commit of the chart
	LinkImage    Link = "image"    // chart → image
	linkMetadata Link = "metadata" // image → source commit, by the comment
	linkRegistry Link = "registry" // image → source commit, by its labels
	LinkSource   Link = "source"   // source commit → repository
	linkRelease  Link = "release"  // source commit → release
)

// Broken is a link that is missing.
type Broken struct {
	Link Link `json:"link"`
	// Where is the file, with its line, or another place that a person can look
	// at.
	Where string `json:"where"`
	// Why is what is wrong, for people.
	Why string `json:"why"`
}

// String is the link for people.
func (b Broken) String() string { return fmt.Sprintf("%s: %s: %s", b.Link, b.Where, b.Why) }

// Key is "deployment/environment".
func (e Environment) Key() string { return e.Deployment + "/" + e.Name }

// AllBroken are the broken links of what it runs, from the environment on.
func (e Environment) AllBroken() []Broken {
	return append(append([]Broken{}, e.Broken...), e.Runs.AllBroken()...)
}

// AllBroken are the contents' broken links, in the order of the chain.
func (c Contents) AllBroken() []Broken {
	all := append([]Broken{}, c.Broken...)
	for _, chart := range c.Charts {
		all = append(all, chart.Broken...)
		for _, image := range chart.Images {
			all = append(all, image.Broken...)
		}
	}
	for _, image := range c.Images {
		all = append(all, image.Broken...)
	}
	return all
}

// Broken counts the links that are missing in what all environments run.
func (t *Trace) Broken() int {
	n := 0
	for _, e := range t.Environments {
		n += len(e.AllBroken())
	}
	return n
}
