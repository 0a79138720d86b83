package deployments_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// job is one put that is about to happen.
type job struct {
	src deployments.Source
	dir string
}

// Environments of several deployments and versions of one more are recorded at the same moment: twenty-four puts over HTTP, eight
// over SSH, where each connection is a server process. Each is on the branch exactly once, and the states are what the same
// puts make one after the other.
func TestManyWritersAtOnce(t *testing.T) {
	full := storm{deployments: 5, environments: 8, hotVersions: 10}
	medium := storm{deployments: 3, environments: 6, hotVersions: 6}
	small := storm{deployments: 2, environments: 3, hotVersions: 2}
	for transport, size := range map[string]storm{"http": medium, "ssh": small} {
		t.Run(transport, func(t *testing.T) {
			repo, access := serve(t, transport)
			if gittest.Writers(size.writers(), full.writers()) == full.writers() {
				size = full
			}
			jobs := size.prepare(t, repo, access)
			require.Len(t, jobs, size.writers())
			before, err := repo.RevParse("main")
			require.NoError(t, err)

			var group sync.WaitGroup
			failures := make([]error, len(jobs))
			for i, j := range jobs {
				group.Go(func() { failures[i] = put(t, j) })
			}
			group.Wait()
			for i, err := range failures {
				require.NoError(t, err, "put %d of %s", i, jobs[i].src.Environment)
			}
			require.NoError(t, repo.Fsck())
			requireEachOnce(t, repo, before, jobs)
			requireAsIfSerial(t, repo, before, jobs)
		})
	}
}

// serve makes a served repository and how to reach it.
func serve(t *testing.T, transport string) (repo *gittest.Repository, access git.Access) {
	t.Helper()
	server, err := gittest.New(gittest.Options{SSH: transport == "ssh"})
	if errors.Is(err, gittest.ErrNoSSHD) || errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	repo, err = server.Create("deployments")
	require.NoError(t, err)
	if transport == "http" {
		return repo, git.Access{URI: repo.URL(), Branch: "main"}
	}
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	require.NoError(t, server.Authorise(key.Authorised))
	return repo, git.Access{URI: repo.SSHURL(), Branch: "main", PrivateKey: key.Private, KnownHosts: server.KnownHosts()}
}

// storm is how many puts happen at once: of all environments of all deployments, and of versions of one more.
type storm struct{ deployments, environments, hotVersions int }

func (s storm) writers() int { return s.deployments*s.environments + s.hotVersions }

// prepare commits the configs and gets what will be put.
func (s storm) prepare(t *testing.T, repo *gittest.Repository, access git.Access) []job {
	t.Helper()
	files := map[string]string{"hot.yml": "deployment: hot\nenvironments:\n  hot: {latest: [hot.txt]}\n", "hot.txt": "0\n"}
	for d := range s.deployments {
		var config strings.Builder
		fmt.Fprintf(&config, "deployment: d%d\nenvironments:\n", d)
		for e := range s.environments {
			fmt.Fprintf(&config, "  e%d:\n    latest: [f/%d.txt]\n", e, e)
			files[fmt.Sprintf("f/%d.txt", e)] = "1\n"
		}
		files[fmt.Sprintf("d%d.yml", d)] = config.String()
	}
	_, err := repo.Commit("main", "init", files)
	require.NoError(t, err)
	var jobs []job
	for d := range s.deployments {
		for e := range s.environments {
			jobs = append(jobs, fetch(t, deployments.Source{Access: access, Config: fmt.Sprintf("d%d.yml", d), Environment: fmt.Sprintf("e%d", e)}))
		}
	}
	for i := range s.hotVersions {
		_, err := repo.Commit("main", fmt.Sprintf("hot %d", i), map[string]string{"hot.txt": fmt.Sprintf("%d\n", i+1)})
		require.NoError(t, err)
		jobs = append(jobs, fetch(t, deployments.Source{Access: access, Config: "hot.yml", Environment: "hot"}))
	}
	return jobs
}

// fetch gets the pending version of a source.
func fetch(t *testing.T, src deployments.Source) job {
	t.Helper()
	w := &world{t: t, now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	versions := w.check(src, nil)
	require.Len(t, versions, 1)
	return job{src: src, dir: w.get(src, versions[0])}
}

// put records a job.
func put(t *testing.T, j job) error {
	t.Helper()
	w := &world{t: t, now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	return w.put(j.src, j.dir)
}

// requireEachOnce counts the state commits.
func requireEachOnce(t *testing.T, repo *gittest.Repository, before string, jobs []job) {
	t.Helper()
	subjects, err := repo.Log("%s", before+"..main")
	require.NoError(t, err)
	want := map[string]int{}
	for _, j := range jobs {
		want[fmt.Sprintf("ci(cepler): Updated '%s' state in '%s'", deploymentOf(j), j.src.Environment)]++
	}
	got := map[string]int{}
	for _, s := range subjects {
		got[s]++
	}
	assert.Equal(t, want, got)
}

func deploymentOf(j job) string { return strings.TrimSuffix(j.src.Config, ".yml") }

// requireAsIfSerial puts the same folders again, in the order in which they
// landed, on a copy of the repository as it was before.
func requireAsIfSerial(t *testing.T, repo *gittest.Repository, before string, jobs []job) {
	t.Helper()
	copied, err := gittest.Init(filepath.Join(t.TempDir(), "serial.git"))
	require.NoError(t, err)
	_, err = copied.Git("fetch", "-q", repo.Dir, before)
	require.NoError(t, err)
	require.NoError(t, copied.UpdateRef("refs/heads/main", before))
	commits, err := repo.Log("%H", "--reverse", before+"..main")
	require.NoError(t, err)
	for _, c := range commits {
		j := jobOf(t, repo, c, jobs)
		j.src.Access = git.Access{URI: copied.Dir, Branch: "main"}
		require.NoError(t, put(t, j))
	}
	at, err := repo.RevParse("main^{tree}")
	require.NoError(t, err)
	serial, err := copied.RevParse("main^{tree}")
	require.NoError(t, err)
	assert.Equal(t, serial, at, "the states differ from those of the same puts one after the other")
}

// jobOf finds the job that a state commit came from, by its state's trigger.
func jobOf(t *testing.T, repo *gittest.Repository, commit string, jobs []job) job {
	t.Helper()
	changed, err := repo.Git("diff-tree", "--no-commit-id", "--name-only", "-r", commit)
	require.NoError(t, err)
	changed = strings.TrimSpace(changed)
	state, err := repo.Show(commit, changed)
	require.NoError(t, err)
	for _, j := range jobs {
		delivered, err := deployments.ReadDelivered(j.dir)
		require.NoError(t, err)
		if changed == fmt.Sprintf(".cepler/%s/%s.state", deploymentOf(j), j.src.Environment) && strings.Contains(state, "  head_commit: "+delivered.Version.Trigger+"\n  files:") {
			return j
		}
	}
	t.Fatalf("no job made the state commit %s (%s)", commit, changed)
	return job{}
}

// A put whose connection breaks after the server took it is recorded once, and
// says so.
func TestPutSurvivesACutConnection(t *testing.T) {
	for _, transport := range []string{"http", "ssh"} {
		t.Run(transport, func(t *testing.T) {
			repo, access := serve(t, transport)
			_, err := repo.Commit("main", "init", map[string]string{"cepler.yml": "environments:\n  tf: {latest: [a]}\n", "a": "1\n"})
			require.NoError(t, err)
			j := fetch(t, deployments.Source{Access: access, Environment: "tf"})
			require.NoError(t, repo.CutPushes(true))
			require.NoError(t, put(t, j))
			subjects, err := repo.Log("%s", "main")
			require.NoError(t, err)
			assert.Equal(t, []string{"ci(cepler): Updated 'tf' state", "init"}, subjects)
		})
	}
}

// A server that says no is believed, and its words are shown.
func TestPutThatIsRejected(t *testing.T) {
	repo, access := serve(t, "http")
	_, err := repo.Commit("main", "init", map[string]string{"cepler.yml": "environments:\n  tf: {latest: [a]}\n", "a": "1\n"})
	require.NoError(t, err)
	j := fetch(t, deployments.Source{Access: access, Environment: "tf"})
	require.NoError(t, repo.Hook("pre-receive", "#!/bin/sh\necho 'branch main is protected' >&2\nexit 1\n"))
	err = put(t, j)
	require.ErrorContains(t, err, "branch main is protected")
	subjects, err := repo.Log("%s", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"init"}, subjects)
}
