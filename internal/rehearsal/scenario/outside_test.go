package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
)

// desk is a forge with one pull request, one release and one status.
type desk struct{ pulls []scenario.PullState }

func (d *desk) OpenPull(_ context.Context, p scenario.Pull) (int, error) {
	d.pulls = append(d.pulls, scenario.PullState{Number: len(d.pulls) + 1, Branch: p.Branch, Title: p.Title, Labels: p.Labels, State: "open", Draft: p.Draft, Body: "of " + p.Branch})
	return len(d.pulls), nil
}

func (d *desk) MergePull(_ context.Context, m scenario.Merge, number int) (string, error) {
	if m.By == "Mallory" {
		return "", errors.New("Repository rule violations found")
	}
	d.pulls[number-1].State = "merged"
	d.pulls[number-1].Merged = fmt.Sprintf("%040d", number)
	return d.pulls[number-1].Merged, nil
}

func (d *desk) Pulls(context.Context, string) ([]scenario.PullState, error) { return d.pulls, nil }

func (*desk) Releases(context.Context, string) ([]scenario.ReleaseState, error) {
	return []scenario.ReleaseState{{Tag: "1.0.0", Notes: "### Features", Assets: []string{"app"}}, {Tag: "1.1.0", Draft: true}}, nil
}

func (*desk) Statuses(context.Context, string, string) (map[string]string, error) {
	return map[string]string{"ci": "success"}, nil
}

func (*desk) Checks(context.Context, string, string) (map[string]string, error) {
	return map[string]string{"nextest": "failure"}, nil
}

// outside is a stage with a forge, a registry with an image, and a cache.
func outside(t *testing.T) scenario.Stage {
	t.Helper()
	s, _ := stage(t)
	images := registry.New("")
	t.Cleanup(func() { images.Close() })
	image, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"team": "bank"}})
	require.NoError(t, err)
	other, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"team": "shop"}})
	require.NoError(t, err)
	for tag, i := range map[string]v1.Image{"1.0.0": image, "latest": image, "edge": other} {
		ref, err := name.NewTag(images.Host+"/example.com/app:"+tag, name.Insecure)
		require.NoError(t, err)
		require.NoError(t, remote.Write(ref, i))
	}
	s.Forge, s.Registry, s.Cached = &desk{}, images.Host, func() []string { return []string{"app-1.0.0-abc"} }
	tip, err := s.Repositories["deployments"].RevParse("main")
	require.NoError(t, err)
	require.NoError(t, s.Repositories["deployments"].UpdateRef("refs/tags/1.0.0", tip))
	return s
}

const beforeOutside = `acts:
- title: a
  do:
  - commit: {message: "feat: x", branch: work, as: x, files: {f: {content: "1"}, repo/g: {content: "1"}}}
  - pull: {branch: work, title: "feat: x", labels: [l], draft: true}
  - merge: {branch: work, as: merged}
  - commit: {message: "feat: y", as: y, files: {v: {content: "of ${x}"}}}
  expect: `

func TestWhatIsOutside(t *testing.T) {
	t.Parallel()
	for _, holds := range []string{
		`{pulls: [{branch: work, state: merged, number: 1, count: 1, draft: true, title: x, labels: [l], body: [of work], as: again}, {branch: none, state: none}]}`,
		`{tags: {deployments: {1.0.0: ""}}}`,
		`{files: {deployments: {work: {f: "1"}, main: {v: of}}}}`,
		`{copies: [{is: {branch: work, path: repo}, of: {commit: x, path: repo}}]}`,
		`{images: [{repository: example.com/app, tag: 1.0.0, same_as: [latest], labels: {team: bank}}]}`,
		`{releases: [{repository: deployments, tag: 1.0.0, notes: [Features], assets: [app]}]}`,
		`{statuses: [{repository: deployments, commit: x, states: {ci: success}}]}`,
		`{cached: [app]}`,
		`{pulls: [{branch: work, checks: {nextest: failure}, statuses: {ci: success}}]}`,
	} {
		assert.NoError(t, play(t, outside(t), beforeOutside+holds), holds)
	}
}

func TestWhatIsNotOutside(t *testing.T) {
	t.Parallel()
	for broken, want := range map[string]string{
		`{pulls: [{branch: work, state: open}]}`:                                      "the pull request of work is merged, and should be open",
		`{pulls: [{branch: work, number: 2}]}`:                                        "has number 1, and should have 2",
		`{pulls: [{branch: work, count: 2}]}`:                                         "there are 1 pull requests",
		`{pulls: [{branch: work, draft: false}]}`:                                     "has draft: true",
		`{pulls: [{branch: work, title: "feat: z"}]}`:                                 `should have "feat: z"`,
		`{pulls: [{branch: work, labels: [m]}]}`:                                      "lacks the label m",
		`{pulls: [{branch: work, body: ["${commit:x}"]}]}`:                            "and says:\nof work",
		`{pulls: [{branch: work, state: none}]}`:                                      "should not be there, and is #1",
		`{pulls: [{branch: none}]}`:                                                   "is not there",
		`{tags: {deployments: {2.0.0: ""}}}`:                                          "deployments has no tag 2.0.0",
		`{tags: {deployments: {1.0.0: x}}}`:                                           "tag 1.0.0 of deployments is at",
		`{tags: {deployments: {1.0.0: nobody}}}`:                                      `no commit has the name "nobody"`,
		`{tags: {elsewhere: {1.0.0: ""}}}`:                                            `there is no repository "elsewhere"; there are: deployments`,
		`{files: {deployments: {main: {none: "1"}}}}`:                                 "deployments main has no none",
		`{files: {deployments: {work: {f: "2"}}}}`:                                    `should have "2", and is`,
		`{copies: [{is: {path: repo}, of: {commit: x, path: repo}}]}`:                 "is not what",
		`{images: [{repository: example.com/app, tag: 2.0.0}]}`:                       "image example.com/app:2.0.0",
		`{images: [{repository: example.com/app, tag: 1.0.0, same_as: [edge]}]}`:      "and edge is sha256:",
		`{images: [{repository: example.com/app, tag: 1.0.0, labels: {team: shop}}]}`: `has the label team="bank"`,
		`{releases: [{repository: deployments, tag: 2.0.0}]}`:                         "has no release 2.0.0",
		`{releases: [{repository: deployments, tag: 1.1.0}]}`:                         "is a draft",
		`{releases: [{repository: deployments, tag: 1.0.0, notes: [Fixes]}]}`:         `should say "Fixes"`,
		`{releases: [{repository: deployments, tag: 1.0.0, assets: [lib]}]}`:          "lacks lib",
		`{releases: [{repository: deployments, tag: 1.0.0, title: One}]}`:             `should be titled "One", and is titled ""`,
		`{releases: [{repository: deployments, tag: 1.0.0, prerelease: true}]}`:       "has prerelease: false",
		`{statuses: [{repository: deployments, commit: x, states: {ci: failure}}]}`:   `and should be "failure"`,
		`{pulls: [{branch: work, checks: {nextest: success}}]}`:                       `check nextest of the pull request of work is "failure", and should be "success"`,
		`{pulls: [{branch: work, statuses: {ci: failure}}]}`:                          `status ci of the pull request of work is "success"`,
		`{cached: [lib]}`:       "the binary cache lacks lib",
		`{said: {good: hello}}`: "good has not run",
		`{files: {deployments: {main: {v: "${digest:example.com/app:3}"}}}}`: "image example.com/app:3",
		`{traces: {shop/staging: {}}}`:                                       "there is no environment shop/staging",
		`{versions: {chat: {message: "1"}}}`:                                 "the newest version of chat is , and should have message:1",
	} {
		assert.ErrorContains(t, play(t, outside(t), beforeOutside+broken), want, broken)
	}
}

func TestAMergeThatMustBeRefused(t *testing.T) {
	t.Parallel()
	const text = "acts: [{title: a, do: [{commit: {message: m, branch: work, files: {f: {content: x}}}}, {pull: {branch: work}}, {merge: {branch: work, refused: %s, by: %s}}]}]"
	require.NoError(t, play(t, outside(t), fmt.Sprintf(text, "rule violations", "Mallory")))
	require.ErrorContains(t, play(t, outside(t), fmt.Sprintf(text, "no permission", "Mallory")), `it should be refused with "no permission", and the answer is: Repository rule`)
	require.ErrorContains(t, play(t, outside(t), fmt.Sprintf(text, "rule violations", "Ana")), "the answer is: it was merged")
}

// An amended commit takes the place of the last one and keeps what that changed.
func TestACommitIsAmended(t *testing.T) {
	t.Parallel()
	s, _ := stage(t)
	require.NoError(t, play(t, s, `
acts:
- title: a
  do:
  - commit: {message: accrue, branch: work, files: {repo/f: {content: dayly}, "a b": {content: x}, gates.yml: {delete: true}}}
  - commit: {message: "feat: accrue", branch: work, amend: true, files: {repo/f: {replace: dayly, with: daily}}}
`))
	r := s.Repositories["deployments"]
	log, err := r.Log("%s", "work")
	require.NoError(t, err)
	assert.Equal(t, []string{"feat: accrue", "first"}, log)
	files, err := r.Files("work")
	require.NoError(t, err)
	assert.Equal(t, []string{"100644 a b", "100644 repo/f"}, files)
	text, err := r.Show("work", "repo/f")
	require.NoError(t, err)
	assert.Equal(t, "daily", text)
}

func TestAWorldWithoutThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"do: [{pull: {branch: main}}]":                scenario.ErrNoForge.Error(),
		"do: [{merge: {branch: main}}]":               scenario.ErrNoForge.Error(),
		"do: [{pass: 1h}]":                            "no pipeline here knows the time",
		"do: [{pass: soon}]":                          "pass soon",
		"expect: {pulls: [{branch: main}]}":           scenario.ErrNoForge.Error(),
		"expect: {releases: [{tag: 1.0.0}]}":          scenario.ErrNoForge.Error(),
		"expect: {statuses: [{commit: x}]}":           scenario.ErrNoForge.Error(),
		"expect: {images: [{repository: a, tag: b}]}": "there is no registry in this world",
		"expect: {cached: [a]}":                       "there is no binary cache in this world",
		"do: [{commit: {message: m, repository: none, files: {f: {content: x}}}}]": `there is no repository "none"`,
	} {
		s, _ := stage(t)
		assert.ErrorContains(t, play(t, s, "acts:\n- title: a\n  "+text), want, text)
	}
}

func TestTimePasses(t *testing.T) {
	t.Parallel()
	s, n := stage(t)
	var passed time.Duration
	s.Pass = func(d time.Duration) { passed += d }
	require.NoError(t, play(t, s, "acts: [{title: a, do: [{pass: 24h}]}]"))
	assert.Equal(t, 24*time.Hour, passed)
	assert.Equal(t, "24h pass", strings.Join(n.did, "\n"))
}
