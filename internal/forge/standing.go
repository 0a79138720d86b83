package forge

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Standing is what the credentials may do with the repository, as far as GitHub says it.
type Standing struct {
	// MayPush says that commits, pull requests and releases can be made.
	MayPush bool
	// Classic says that it is a classic token, and Scopes are its own.
	Classic bool
	Scopes  []string
	// Lacks are the permissions that a GitHub App needs and was not given, such as "contents: write".
	Lacks []string
	// AllowsAutoMerge says that the repository lets pull requests merge by themselves.
	AllowsAutoMerge bool
}

// Standing asks GitHub about the credentials, without changing anything.
func (f *Forge) Standing(ctx context.Context) (Standing, error) {
	var out Standing
	err := f.call(ctx, "read the repository's permissions", func(ctx context.Context) error {
		var r repositoryJSON
		header, err := f.send(ctx, http.MethodGet, "", nil, nil, &r)
		if err != nil {
			return err
		}
		out.AllowsAutoMerge, out.MayPush = r.AllowAutoMerge, r.Permissions.Push
		scopes, classic := header[http.CanonicalHeaderKey("X-OAuth-Scopes")]
		out.Classic, out.Scopes = classic && f.login.app == nil, nil
		for scope := range strings.SplitSeq(strings.Join(scopes, ","), ",") {
			if scope = strings.TrimSpace(scope); scope != "" {
				out.Scopes = append(out.Scopes, scope)
			}
		}
		return nil
	})
	if err != nil || f.login.app == nil {
		return out, err
	}
	granted, err := f.login.app.Granted(ctx)
	if err != nil {
		return out, err
	}
	wanted := appPermissions()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if level := granted[name]; level != wanted[name] && level != "admin" {
			out.Lacks = append(out.Lacks, fmt.Sprintf("%s: %s", name, wanted[name]))
		}
	}
	out.MayPush = !slices.Contains(out.Lacks, "contents: write")
	return out, nil
}
