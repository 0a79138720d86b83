package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// maxReviewers is how many people or teams GitHub lets a pull request ask.
const maxReviewers = 15

// reviewer is a login name, or a team as owner/team.
var reviewer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(\[bot\])?$|^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
})

// CheckReviewers returns an error that names the first reviewer that GitHub would refuse for a pull request of
// repository, which is owner/name.
func CheckReviewers(reviewers []string, repository string) error {
	owner, _, _ := strings.Cut(repository, "/")
	for i, r := range reviewers {
		switch of, team, isTeam := strings.Cut(r, "/"); {
		case !reviewer().MatchString(r):
			return fmt.Errorf("reviewers[%d]: %q is not a login name (ana) or a team (%s/deployers)", i, r, owner)
		case isTeam && !strings.EqualFold(of, owner):
			return fmt.Errorf("reviewers[%d]: %s is a team of %s, and the repository belongs to %s: write %s/%s", i, r, of, owner, owner, team)
		}
	}
	if len(reviewers) > maxReviewers {
		return fmt.Errorf("reviewers: there are %d of them, and GitHub takes no more than %d", len(reviewers), maxReviewers)
	}
	return nil
}

// ask requests the reviews of a pull request, and reports whether it did. Where somebody is asked already, or
// has reviewed it, people have taken over and nobody else is asked.
func (f *Forge) ask(ctx context.Context, p *Pull, reviewers []string) (bool, error) {
	if len(reviewers) == 0 || p.asked {
		return false, nil
	}
	reviewed, err := f.reviewed(ctx, p.Number)
	if err != nil || reviewed {
		return false, err
	}
	return true, f.request(ctx, p.Number, reviewers)
}

func (f *Forge) request(ctx context.Context, number int, reviewers []string) error {
	if len(reviewers) == 0 {
		return nil
	}
	var wanted struct {
		Reviewers     []string `json:"reviewers,omitempty"`
		TeamReviewers []string `json:"team_reviewers,omitempty"`
	}
	for _, r := range reviewers {
		if _, team, ok := strings.Cut(r, "/"); ok {
			wanted.TeamReviewers = append(wanted.TeamReviewers, team)
		} else {
			wanted.Reviewers = append(wanted.Reviewers, r)
		}
	}
	what := fmt.Sprintf("ask %s to review pull request %d", strings.Join(reviewers, ", "), number)
	return f.rest(ctx, what, http.MethodPost, fmt.Sprintf("pulls/%d/requested_reviewers", number), nil, wanted, nil)
}

// reviewed reports whether anybody has reviewed a pull request.
func (f *Forge) reviewed(ctx context.Context, number int) (bool, error) {
	var all []struct{}
	err := f.rest(ctx, fmt.Sprintf("list the reviews of pull request %d", number), http.MethodGet, fmt.Sprintf("pulls/%d/reviews", number),
		url.Values{"per_page": {"1"}}, nil, &all)
	return len(all) > 0, err
}
