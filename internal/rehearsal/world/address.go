package world

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// repositoryOf returns the "owner/name" of a git address, as forges have it.
func repositoryOf(uri string) string {
	at := uri
	if u, err := url.Parse(uri); err == nil && u.Host != "" {
		at = u.Path
	} else if _, rest, ok := strings.Cut(uri, ":"); ok {
		at = rest
	}
	at = strings.TrimSuffix(strings.Trim(at, "/"), ".git")
	if owner := path.Base(path.Dir(at)); owner != "." && owner != "/" {
		return owner + "/" + path.Base(at)
	}
	return path.Base(at)
}

// uris returns the git addresses that the resources of a pipeline use.
func uris(p *pipeline.Pipeline, vars map[string]any) ([]string, error) {
	var all []string
	for _, r := range p.Resources {
		value := r.Source.Field("uri")
		if value.IsZero() {
			continue
		}
		filled, err := value.Interpolate(pipeline.Vars(vars))
		if err != nil {
			return nil, fmt.Errorf("rehearse: %s: uri of %s: %w", p.File, r.Name, err)
		}
		if uri, ok := filled.Text(); ok && !slices.Contains(all, uri) {
			all = append(all, uri)
		}
	}
	return all, nil
}

// cacheOf returns the name of the binary cache that the pipelines use.
func cacheOf(pipelines []*pipeline.Pipeline) string {
	name := "cache"
	for _, p := range pipelines {
		for _, r := range p.Resources {
			if named, ok := r.Source.Field("cache").Text(); ok && imageOf(p, r.Type) == cachixPaths {
				name = named
			}
		}
	}
	return name
}

// standIn puts a repository in place of every git address of the pipeline.
func (w *World) standIn(p *pipeline.Pipeline, vars map[string]any) error {
	all, err := uris(p, vars)
	if err != nil {
		return err
	}
	for _, uri := range all {
		repository, err := w.Repository(repositoryOf(uri))
		if err != nil {
			return err
		}
		w.standIns[uri] = rehearsal.StandIn{URI: repository.URL(), Without: credentialKeys()}
	}
	return nil
}

// alsoKnown puts the repositories that the world has in place of further addresses that name them.
func (w *World) alsoKnown(p *pipeline.Pipeline, vars map[string]any) error {
	all, err := uris(p, vars)
	for _, uri := range all {
		if repository, ok := w.repositories[repositoryOf(uri)]; ok {
			w.standIns[uri] = rehearsal.StandIn{URI: repository.URL(), Without: credentialKeys()}
		}
	}
	return err
}

// credentialKeys are the keys of a source that servers on loopback do not need.
func credentialKeys() []string {
	return []string{
		"private_key", "private_key_passphrase", "known_hosts", "insecure_ignore_host_key", "username", "password", "access_token", "auth_token",
		"app_id", "app_private_key", "app_installation_id", "app_api_url", "ca_cert", "skip_ssl_verification", "signing_key", "signing_key_passphrase",
	}
}

// local puts the world's forge and cache in place of those that a source names.
func (w *World) local(p *pipeline.Pipeline) func(typ string, source map[string]any) error {
	return func(typ string, source map[string]any) error {
		for _, key := range credentialKeys() {
			delete(source, key)
		}
		if github, ok := source["github"].(map[string]any); ok {
			source["github"] = map[string]any{"repository": github["repository"], "api_url": w.forge.APIURL(), "access_token": forgeToken}
		}
		if others, ok := source["repositories"].([]any); ok {
			source["repositories"] = w.readable(others)
		}
		if imageOf(p, typ) == "pull-request-builds" {
			name, _ := source["repository"].(string)
			source["uri"], source["api_url"], source["access_token"] = w.git.URL(name), w.forge.APIURL(), forgeToken
		}
		if imageOf(p, typ) == cachixPaths {
			source["url"], source["public_keys"] = w.cache.URL(), []any{w.cache.PublicKey()}
			delete(source, "cache")
		}
		return nil
	}
}

// readable are those repositories of a list in a source that the world has, which keep their real addresses as names. The others
// are left out, as a source without them is.
func (w *World) readable(others []any) []any {
	found := []any{}
	for _, entry := range others {
		keys, _ := entry.(map[string]any)
		uri, _ := keys["uri"].(string)
		repository, ok := w.repositories[repositoryOf(uri)]
		if !ok {
			continue
		}
		address, _ := keys["address"].(string)
		found = append(found, map[string]any{"uri": repository.URL(), "address": cmp.Or(address, uri)})
	}
	return found
}

// stamp returns the state of the repository that a source names, or "" for a source that also names something else. Of a source
// of an environment it is the state of the branches that it names. The minute is part of the state because gates may depend on
// the time.
func (w *World) stamp(source map[string]any) string {
	uri, ok := source["uri"].(string)
	_, github := source["github"]
	_, api := source["api_url"]
	if !ok || github || api {
		return ""
	}
	for _, r := range w.repositories {
		if r.URL() != uri {
			continue
		}
		refs, err := r.RefState(watchedRefs(source)...)
		if err != nil {
			return ""
		}
		return time.Now().Truncate(time.Minute).Format(time.RFC3339) + " " + refs
	}
	return ""
}

// watchedRefs are the refs on which a check of an environment depends; none for other sources, which may depend on any.
func watchedRefs(source map[string]any) []string {
	if _, ok := source["environment"]; !ok {
		return nil
	}
	var refs []string
	for _, key := range []string{"branch", "gates_branch"} {
		if name, _ := source[key].(string); name != "" {
			refs = append(refs, "refs/heads/"+name)
		}
	}
	return refs
}

// appID is the GitHub App of the world's forge.
const appID = "1"

// localTask puts the world's forge in place of the one whose App a task asks for a token.
func (w *World) localTask(call *rehearsal.TaskCall) error {
	if call.Path != taxiwayProgram || len(call.Args) == 0 || call.Args[0] != "token" {
		return nil
	}
	w.appMu.Lock()
	defer w.appMu.Unlock()
	if w.appKey == "" {
		var err error
		if w.appKey, err = w.forge.AddApp(appID, slices.Sorted(maps.Keys(w.repositories))...); err != nil {
			return err
		}
	}
	call.Env = append(call.Env, "API_URL="+w.forge.APIURL(), "APP_ID="+appID, "APP_PRIVATE_KEY="+w.appKey, "APP_INSTALLATION_ID=", "CA_CERT=")
	return nil
}
