package concourse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
)

// sample is a resource type that does what its source says.
type sample struct{}

type access struct {
	URI        string `json:"uri"         concourse:"required"`
	PrivateKey string `json:"private_key"`
	Password   string `json:"password"`
}

type source struct {
	access
	Branch  string            `json:"branch"  concourse:"required"`
	AppID   string            `json:"app_id"`
	Depth   int               `json:"depth"`
	Quiet   bool              `json:"quiet"`
	Timeout time.Duration     `json:"timeout"`
	Paths   []string          `json:"paths"`
	Labels  map[string]string `json:"labels"`
	Do      string            `json:"do"`
}

func (s source) Secrets() []string { return []string{s.Password, s.PrivateKey} }

func (s source) Validate() error {
	if s.Depth < 0 {
		return errors.New("depth: must not be negative")
	}
	return nil
}

type version struct {
	Ref string `json:"ref" concourse:"required"`
}

type getParams struct {
	Submodules []string `json:"submodules"`
}

type putParams struct {
	Repository string `json:"repository" concourse:"required"`
	Token      string `json:"token"`
}

func (p putParams) Secrets() []string { return []string{p.Token} }

func (p putParams) Validate() error {
	if p.Token == "none" {
		return errors.New("token: none is not a token")
	}
	return nil
}

type result = concourse.Result[version]

func (sample) Check(ctx context.Context, step concourse.Step, src source, from *version) ([]version, error) {
	if err := act(ctx, step, src); err != nil {
		return nil, err
	}
	if src.Do == "nothing" {
		return nil, nil
	}
	versions := []version{{"two"}}
	if from != nil && from.Ref == "one" {
		versions = append([]version{*from}, versions...)
	}
	return versions, nil
}

func (sample) In(ctx context.Context, step concourse.Step, src source, v version, _ getParams) (result, error) {
	if err := act(ctx, step, src); err != nil {
		return result{}, err
	}
	if v.Ref == "gone" {
		return result{}, fmt.Errorf("%s has no commit %q", src.URI, v.Ref)
	}
	out := result{Version: v}
	out.Metadata.Add("key", "%s", src.PrivateKey)
	out.Metadata.Add("url", "https://ana:pw@example.com/?a=1&b=<2>")
	return out, os.WriteFile(filepath.Join(step.Dir, "ref"), []byte(v.Ref+"\n"), 0o644)
}

func (sample) Out(ctx context.Context, step concourse.Step, src source, p putParams) (result, error) {
	dir, err := step.Artifacts().Path(p.Repository)
	if err != nil {
		return result{}, fmt.Errorf("params.repository: %w", err)
	}
	if err := act(ctx, step, src); err != nil {
		return result{}, err
	}
	ref, err := os.ReadFile(filepath.Join(dir, "ref"))
	if err != nil {
		return result{}, err
	}
	step.Logf("token %s", p.Token)
	out := result{Version: version{string(ref[:len(ref)-1])}}
	out.Metadata.Add("build", "%s", step.Build.URL())
	out.Metadata.Add("pipeline", "%s", step.Build.Pipeline())
	return out, nil
}

// act is what a resource type may do wrong, or long.
func act(ctx context.Context, step concourse.Step, src source) error {
	switch src.Do {
	case "print":
		fmt.Println("printed")
		_, _ = os.NewFile(1, "stdout").WriteString("printed to descriptor 1\n")
		fmt.Fprintln(os.Stderr, "printed to stderr")
	case "tell":
		step.Logf("warning: the key is\n%s", src.PrivateKey)
		step.Logf("cloning: https://ana:%s@example.com/r.git", src.Password)
		step.Logf("  a detail")
	case "quote":
		step.Logf("the server says: %s", src.Paths[0])
	case "fail":
		return fmt.Errorf("read %s with %s", src.URI, src.Paths[0])
	case "progress":
		for i := range 3 {
			step.Progress("%d of 3, password %s", i+1, src.Password)
		}
		step.Logf("done")
		step.Progress("really")
	case "panic":
		step.Logf("%d", src.Paths[5][0])
	case "wait", "ignore":
		step.Logf("waiting")
		if src.Do == "ignore" {
			ctx = context.WithoutCancel(ctx)
		}
		<-ctx.Done()
		return fmt.Errorf("push to %s: %w", src.URI, ctx.Err())
	case "get":
		return get(ctx, src)
	}
	return nil
}

func get(ctx context.Context, src source) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, src.URI, http.NoBody)
	if err != nil {
		return err
	}
	q.SetBasicAuth("ana", src.Password)
	client := http.Client{Timeout: time.Minute}
	answer, err := client.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s answered %s: %s", src.URI, answer.Status, body)
}

// greet is an extra verb.
func greet() concourse.Command {
	return concourse.Command{
		Name: "greet", Usage: "greet NAME",
		Run: func(_ context.Context, p concourse.Process) error {
			if len(p.Args) != 1 {
				return errors.New("whom?")
			}
			fmt.Fprintln(p.Stdout, "hello", p.Args[0], p.Getenv("LAND"))
			return nil
		},
	}
}

func TestMain(m *testing.M) {
	scripttest.Main(m, "sample", func() { concourse.Main(sample{}, greet()) }, nil)
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }
