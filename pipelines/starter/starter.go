// Package starter writes the files that repositories need for the pipelines, each with comments for people who have never seen such
// a file.
package starter

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"strings"
	"text/template"

	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

//go:embed templates
var templates embed.FS

// Forges that the pipelines can be set up for.
const (
	GitHub     = "github"
	Enterprise = "github-enterprise"
	Git        = "git" // any server, without pull requests
)

// Repository is one of the three, as the pipelines reach it.
type Repository struct {
	// Dir is the clone, and URI the address that the pipelines use.
	Dir, URI string
	// Name is the last part of the address, and Slug the owner and the name.
	Name, Slug string
	Host       string
	Branch     string
	// HTTPS says that the address is one of https or http, with a User and a token; otherwise it is ssh, with a key.
	HTTPS bool
	User  string
	// HostKeys says that the host's keys are not among those that the resources know.
	HostKeys bool
	// API is the address of the API of a GitHub Enterprise server; "" for github.com.
	API string
	// Writes says that the pipelines commit there, as Bot.
	Writes bool
	Bot    string
}

// Answers are what the files depend on.
type Answers struct {
	Forge                    string
	App, Charts, Deployments Repository
	// Deployment is what cepler calls what is deployed, and Chart the name of its chart.
	Deployment, Chart string
	// ChartPath is the chart's folder in its repository, Vendored the folder of its copy, and Content the copy's name there.
	ChartPath, Vendored, Content string
	Environments                 []string
	Executor                     string
	// Tools and ToolsTag are an image in which tasks run, Image is that of the app, Test the command that tests the app, and
	// DigestPath where the digest is in the chart's values.
	Tools, ToolsTag, Image, Test, DigestPath string
	// Ref is the commit of the charts repository that is copied first, and Gate the one that the last environment may go to.
	Ref, Gate string
	// Environment is the one that a file is about.
	Environment string
	// Labels are those of pull requests that merge by themselves.
	Labels []string
}

// ChartsURI is the address of the charts repository.
func (a Answers) ChartsURI() string { return a.Charts.URI }

// Branch is the branch that is deployed from.
func (a Answers) Branch() string { return a.Deployments.Branch }

// Executors are the ways to deploy.
func Executors() []string { return []string{"helm", "terraform", "script"} }

// Render makes one of the files of the folder templates.
func Render(name string, a Answers) ([]byte, error) {
	t := template.New("").Option("missingkey=error")
	t.Funcs(template.FuncMap{
		"yaml":   yamledit.Quote,
		"before": func(i int) int { return i - 1 },
		"last":   func(list []string) string { return list[len(list)-1] },
		"indent": func(margin, name string, data any) (string, error) {
			var out strings.Builder
			err := t.ExecuteTemplate(&out, name, data)
			return margin + strings.ReplaceAll(out.String(), "\n", "\n"+margin), err
		},
	})
	entries, err := templates.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := templates.ReadFile(path.Join("templates", e.Name()))
		if err != nil {
			return nil, err
		}
		if _, err := t.New(e.Name()).Parse(strings.TrimSuffix(string(text), "\n")); err != nil {
			return nil, err
		}
	}
	if t.Lookup(name) == nil {
		return nil, fmt.Errorf("there is no file %s, there are: %s", name, strings.Join(Names(), ", "))
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, a); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return append(out.Bytes(), '\n'), nil
}

// Names are the files that can be printed one by one.
func Names() []string { return []string{"cepler.yml", "checks.yml", "gates.yml", "vendir.yml"} }
