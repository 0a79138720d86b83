package cachixpaths

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// failed is the exit status of a wait that could not be carried out: a wrong flag or list, a token that is refused, a cache that
// does not exist. A wait whose time is up has the status 1.
const failed = 2

// Wait is the verb for a workflow step or a laptop: the wait of a put, without the protocol.
func Wait() concourse.Command {
	return concourse.Command{
		Name: "wait",
		Usage: "wait (--cache NAME | --url ADDRESS) [--public-key KEY]… [--timeout 30m] [--interval 30s] [--closure] [--any]\n" +
			"                           [--verify LEVEL] [--allow-empty] [--file FILE] [PATH…]",
		Run: runWait,
	}
}

// waitFlags are the arguments of the verb.
type waitFlags struct {
	source            Source
	params            putParams
	file              string
	timeout, interval time.Duration
}

// list is a flag that may be given several times.
type list []string

// String is what the flag package shows as the default.
func (l *list) String() string { return strings.Join(*l, ", ") }

// Set adds a value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

func (w *waitFlags) parse(p concourse.Process) error {
	flags := flag.NewFlagSet("wait", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	flags.StringVar(&w.source.Cache, "cache", "", "name of a cache on Cachix")
	flags.StringVar(&w.source.URL, "url", "", "address of any other binary cache")
	flags.StringVar(&w.source.APIURL, "api-url", "", "address of a Cachix other than the public one")
	flags.Var((*list)(&w.source.PublicKeys), "public-key", "trusted key, name:base64; may be given several times (default: the keys that the Cachix cache publishes)")
	flags.StringVar(&w.file, "file", "", "file with the paths, - for standard input (default: standard input if there is no PATH)")
	flags.BoolVar(&w.params.AllowEmpty, "allow-empty", false, "succeed if the list is empty")
	flags.BoolVar(&w.params.Closure, "closure", false, "also wait for everything that the paths refer to")
	flags.BoolVar(&w.params.Any, "any", false, "one of the paths is enough")
	flags.TextVar(&w.params.Verify, "verify", level{}, "listed, narinfo, signatures or nar (default: narinfo, and signatures where keys are known)")
	flags.DurationVar(&w.timeout, "timeout", defaultTimeout, "how long to wait")
	flags.DurationVar(&w.interval, "interval", nixcache.LongestInterval, "longest time between two looks")
	if err := flags.Parse(p.Args); err != nil {
		return err
	}
	w.source.AuthToken = p.Getenv("CACHIX_AUTH_TOKEN") // the variable of Cachix's own client
	w.params.Paths, w.params.Timeout, w.params.Interval = flags.Args(), &w.timeout, &w.interval
	return nil
}

func runWait(ctx context.Context, p concourse.Process) error {
	err := wait(ctx, p)
	var late *nixcache.LateError
	if err == nil || errors.Is(err, flag.ErrHelp) || errors.As(err, &late) {
		return err
	}
	return concourse.WithStatus(err, failed)
}

func wait(ctx context.Context, p concourse.Process) error {
	var w waitFlags
	if err := w.parse(p); err != nil {
		return err
	}
	secret.Register(ctx, w.source.AuthToken)
	if err := w.source.Validate(); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	paths, err := w.paths(p.Stdin)
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(p.Stderr, format+"\n", args...) }
	if len(paths) == 0 {
		say("the list is empty: there is nothing to wait for")
		return nil
	}
	cache, err := w.source.open(say)
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	say("waiting for %s in cache %s, for %s at most", describe(w.params, len(paths)), cache.Name(), nixcache.Duration(w.timeout))
	report, err := cache.Wait(ctx, w.params.query(paths, say))
	if err != nil {
		return err
	}
	say("all there: %s in cache %s, %s, after %s", count(len(report.Found)), cache.Name(), nixcache.Size(report.NarSize()), nixcache.Duration(report.Waited))
	return nil
}

// paths reads the list from the arguments, a file or standard input.
func (w *waitFlags) paths(stdin io.Reader) ([]nixcache.Path, error) {
	switch {
	case w.timeout <= 0:
		return nil, errors.New("--timeout must be positive")
	case w.interval <= 0:
		return nil, errors.New("--interval must be positive")
	case len(w.params.Paths) > 0 && w.file != "":
		return nil, errors.New("give --file or paths, not both")
	case len(w.params.Paths) > 0:
		return nixcache.ParseLines(w.params.Paths)
	}
	from := "standard input"
	if w.file != "" && w.file != "-" {
		f, err := os.Open(w.file)
		if err != nil {
			return nil, fmt.Errorf("read the list: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		stdin, from = f, w.file
	}
	data, err := io.ReadAll(io.LimitReader(stdin, int64(artifact.MaxList)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the list from %s: %w", from, err)
	case int64(len(data)) > int64(artifact.MaxList):
		return nil, fmt.Errorf("the list from %s has more than %d bytes", from, artifact.MaxList)
	}
	paths, err := nixcache.ParseList(data)
	if err != nil {
		return nil, fmt.Errorf("the list from %s: %w", from, err)
	}
	if len(paths) == 0 && !w.params.AllowEmpty {
		return nil, fmt.Errorf("the list from %s is empty: the step before it produced nothing; set --allow-empty if it may be empty", from)
	}
	return paths, nil
}
