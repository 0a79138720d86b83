package git

import (
	"context"
	"errors"
	"net/http"
)

type app struct{}

func newApp(_ Access, _ *endpoint, _ *http.Client) (*app, error) { return nil, errors.New("x") }
func (*app) login(context.Context) (string, string, bool, error) { return "", "", false, nil }
func (*app) refused() bool                                       { return false }
