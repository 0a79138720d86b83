package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// askForge asks what the credentials may do with a repository.
func (d *doctor) askForge(ctx context.Context, asked string, access *forge.Access, autoMerge bool) error {
	place := access.Repository
	if u, err := url.Parse(access.APIURL); err == nil && u.Host != "" {
		place += " at " + u.Host
	}
	say := func(rule, advice, format string, args ...any) {
		d.find(Finding{Rule: rule, Level: Error, Place: place, Asked: asked, Text: fmt.Sprintf(format, args...), Advice: advice})
	}
	secret.Register(ctx, access.Secrets()...)
	f, err := access.Open(forge.Options{Logf: d.Logf})
	if err != nil {
		say("credentials-invalid", "correct it in the secret that the pipeline refers to", "github.%v", err)
		return nil
	}
	defer f.Disconnect()
	standing, err := f.Standing(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, forge.ErrAuth):
		say("credentials-refused", "make a new token or key, and store it under the name that the pipeline refers to", "%v", err)
	case errors.Is(err, forge.ErrNotInstalled):
		say("app-not-installed", "install the app for this repository, in the app's settings", "%v", err)
	case errors.Is(err, forge.ErrNotGranted):
		say("app-permission", "add it in the app's settings, and accept it for the installation", "%v", err)
	case errors.Is(err, forge.ErrNotFound):
		say("repository-not-seen", "correct github.repository in the values, or let the token see the repository", "%v", err)
	case err != nil:
		say("forge-unread", "look again later", "%v", err)
	default:
		d.standing(standing, access, place, asked, autoMerge)
	}
	return nil
}

// standing judges what the credentials may do.
func (d *doctor) standing(s forge.Standing, access *forge.Access, place, asked string, autoMerge bool) {
	find := func(rule, text, command, advice string) {
		d.find(Finding{Rule: rule, Level: Error, Place: place, Asked: asked, Text: text, Command: command, Advice: advice})
	}
	switch {
	case s.Classic && !slices.Contains(s.Scopes, "repo") && !slices.Contains(s.Scopes, "public_repo"):
		find("token-scope", fmt.Sprintf("the token has the scopes %q, and needs repo", strings.Join(s.Scopes, ", ")), "", "add the scope repo to the token")
	case len(s.Lacks) > 0:
		find("app-permission", "the app was not given "+strings.Join(s.Lacks, ", "), "", "add it in the app's settings, and accept it for the installation")
	case !s.MayPush:
		find("token-read-only", "the credentials may read the repository and not write to it", "", "give their owner write access, or a fine-grained token contents and pull requests")
	}
	if autoMerge && !s.AllowsAutoMerge {
		find("auto-merge-off", "auto_merge is set, and the repository does not allow it", command("gh api --method PATCH %s --field allow_auto_merge=true", "repos/"+access.Repository), "")
	}
}
