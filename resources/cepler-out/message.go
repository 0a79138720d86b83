package ceplerout

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// announcement is message.json: a deployment for programs that tell people.
type announcement struct {
	Deployment  string `json:"deployment"`
	Environment string `json:"environment"`
	Status      string `json:"status"`
	Text        string `json:"text"`
	Version     uint64 `json:"version"`
	Release     string `json:"release,omitempty"`
	Was         uint64 `json:"was,omitempty"`
	WasRelease  string `json:"was_release,omitempty"`
	RollbackOf  uint64 `json:"rollback_of,omitempty"`
	Gate        string `json:"gate,omitempty"`
	OpenedBy    string `json:"opened_by,omitempty"`
	Commit      string `json:"commit"`
	Build       string `json:"build,omitempty"`
}

// announce writes what was deployed as a sentence, and for programs.
func announce(ctx context.Context, step concourse.Step, conn *deployments.Connection, v Version, environment string) error {
	d, err := conn.Deployed(ctx, v, environment)
	if err != nil {
		return fmt.Errorf("tell what version %s of %s deployed: %w", v.Version, environment, err)
	}
	a := announcement{
		Deployment: plain(d.Deployment), Environment: plain(d.Environment), Status: "succeeded", Version: d.Number, Release: plain(strings.Join(d.Releases, ", ")),
		Was: d.Was, WasRelease: plain(strings.Join(d.WasReleases, ", ")), RollbackOf: d.RollbackOf, Gate: plain(d.Gate), OpenedBy: plain(d.OpenedBy),
		Commit: d.Commit.Hash.String(), Build: plain(d.Build),
	}
	a.Text = a.sentence()
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return step.Write(map[string]string{"message": a.Text, "message.json": string(data) + "\n"})
}

// sentence is like "bank 0.42.0 is in production (was 0.41.0), opened by ana".
func (a announcement) sentence() string {
	is, was := a.Release, a.WasRelease
	if is == was { // the releases do not tell them apart
		is, was = strings.TrimSpace(fmt.Sprintf("%s #%d", is, a.Version)), fmt.Sprintf("#%d", a.Was)
	}
	text := fmt.Sprintf("%s %s is in %s", a.Deployment, cmp.Or(is, fmt.Sprintf("#%d", a.Version)), a.Environment)
	if a.Was == 0 {
		text += " for the first time"
	} else {
		text += fmt.Sprintf(" (was %s)", cmp.Or(was, fmt.Sprintf("#%d", a.Was)))
	}
	if a.RollbackOf > 0 {
		text += fmt.Sprintf(", which takes back #%d", a.RollbackOf)
	}
	if a.OpenedBy != "" {
		text += ", opened by " + a.OpenedBy
	}
	return text
}

// plain is text from outside for a chat, in which <…> is a link or calls people.
func plain(text string) string {
	return strings.NewReplacer("<", "", ">", "").Replace(visible.Line(text))
}
