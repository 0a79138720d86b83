package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/pipelines"
)

// localFlags say where the Concourse and the registry of docker-compose.yml are,
// seen from here and seen from a container.
type localFlags struct {
	concourse, user, password   string
	registry, registryInside    string
	examples, tag, target, only string
}

func localCommand() *cobra.Command {
	var flags localFlags
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Set the example pipelines in the Concourse of docker-compose.yml",
		Long: "Set the example pipelines, paused, in the Concourse of pipelines/docker-compose.yml, with images built from this clone.\n" +
			"Needs fly on PATH, of the same version: http://localhost:8080 offers it at the bottom of the page.",
		Example: "  docker compose --file pipelines/docker-compose.yml up --detach --wait\n  taxiway local",
		Args:    atMost(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return flags.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.concourse, "concourse", "http://localhost:8080", "address of Concourse")
	f.StringVar(&flags.user, "user", "admin", "user of Concourse")
	f.StringVar(&flags.password, "password", "admin", "password of the user")
	f.StringVar(&flags.target, "target", "taxiway-local", "fly target to keep the login under")
	f.StringVar(&flags.registry, "registry", "localhost:5000", "registry for the images, over plain http")
	f.StringVar(&flags.registryInside, "registry-inside", "registry:5000", "the registry's name inside Concourse")
	f.StringVar(&flags.tag, "tag", "0.0.0-local", "version of the images")
	f.StringVar(&flags.examples, "examples", filepath.FromSlash("pipelines/examples"), "folder of the examples")
	f.StringVar(&flags.only, "only", "", "set only the pipelines of this user")
	return cmd
}

func (f *localFlags) run(cmd *cobra.Command) error {
	cases, err := pipelines.Examples(f.examples)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("fly"); err != nil {
		return fmt.Errorf("local: fly is not on PATH: download it from %s, at the bottom of the page", f.concourse)
	}
	if err := f.do(cmd, "go", "run", "./images", "push", f.registry, "--insecure", "--version", f.tag); err != nil {
		return fmt.Errorf("%w; is everything up? docker compose --file pipelines/docker-compose.yml up --detach --wait", err)
	}
	if err := f.do(cmd, "fly", "--target", f.target, "login", "--concourse-url", f.concourse, "--username", f.user, "--password", f.password); err != nil {
		return err
	}
	for _, c := range cases {
		user := filepath.Base(filepath.Dir(c.Dir))
		if f.only != "" && user != f.only {
			continue
		}
		if err := f.set(cmd, c, user+"-"+c.Template()); err != nil {
			return err
		}
	}
	return nil
}

// set gives fly an example that takes its types' images from the registry.
func (f *localFlags) set(cmd *cobra.Command, c pipelines.Example, name string) error {
	data, err := os.ReadFile(c.Want())
	if err != nil {
		return fmt.Errorf("local: read the example: %w", err)
	}
	data, err = f.withImages(data)
	if err != nil {
		return fmt.Errorf("local: %s: %w", c.Want(), err)
	}
	if faults, err := lint(cmd.ErrOrStderr(), c.Want(), data, nil); err != nil || faults > 0 {
		return fmt.Errorf("local: %s has faults and was not set", c.Want())
	}
	file, err := os.CreateTemp("", "taxiway-*.yml")
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // a temporary file
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("local: write the pipeline for fly: %w", err)
	}
	return f.do(cmd, "fly", "--target", f.target, "set-pipeline", "--non-interactive", "--pipeline", name, "--config", file.Name())
}

// withImages points the suite's own types to the local registry.
func (f *localFlags) withImages(data []byte) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	types, _ := document["resource_types"].([]any)
	own := pipelines.OwnTypes()
	for _, t := range types {
		definition, _ := t.(map[string]any)
		name, _ := definition["name"].(string)
		if own[name] != nil {
			definition["source"] = map[string]any{"repository": f.registryInside + "/" + name, "tag": f.tag, "insecure": true}
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	err := enc.Encode(document)
	return out.Bytes(), err
}

func (f *localFlags) do(cmd *cobra.Command, program string, args ...string) error {
	if err := inForeground(cmd, program, args...); err != nil {
		return fmt.Errorf("local: %s %s: %w", program, strings.Join(args[:min(len(args), 3)], " "), err)
	}
	return nil
}
