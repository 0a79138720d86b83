package types

import (
	"context"
	"fmt"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// Slack stands in for the resource type slack-notification: messages go to the
// mailbox.
type Slack struct{ Mailbox *rehearsal.Mailbox }

type slackSource struct {
	URL      string   `json:"url"`
	Insecure bool     `json:"insecure"`
	Disabled bool     `json:"disable"`
	Proxy    string   `json:"proxy"`
	CACerts  []string `json:"ca_certs"`
}

type slackPut struct {
	Text      string `json:"text"`
	Channel   string `json:"channel"`
	Username  string `json:"username"`
	IconURL   string `json:"icon_url"`
	IconEmoji string `json:"icon_emoji"`
	Silent    bool   `json:"silent"`
	TextFile  string `json:"text_file"`
}

// Run does one verb.
func (s Slack) Run(ctx context.Context, call rehearsal.Call) ([]byte, error) {
	deliver := func(ctx context.Context, c container, _ slackSource, p slackPut) (result, error) {
		if p.TextFile != "" {
			text, err := c.text(p.TextFile)
			if err != nil {
				return result{}, fmt.Errorf("text_file: %w", err)
			}
			call.Env = append(slices.Clone(call.Env), "TEXT_FILE_CONTENT="+text)
		}
		out, err := s.Mailbox.Run(ctx, call)
		if err != nil {
			return result{}, err
		}
		var r result
		err = strict(out, &r)
		return r, err
	}
	return verbs[slackSource, none, slackPut]{noVersions, giveBack, deliver}.run(ctx, "slack-notification", call)
}

func noVersions(context.Context, container, slackSource, rehearsal.Version) ([]rehearsal.Version, error) {
	return nil, nil
}

func giveBack(_ context.Context, _ container, _ slackSource, v rehearsal.Version, _ none) (result, error) {
	return result{Version: v}, nil
}
