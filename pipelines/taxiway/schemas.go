package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/pipelines"
)

func schemasCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schemas [NAME]",
		Short: "Print a JSON Schema for editors: pipeline, or the name of a template for its values",
		Long: "Print a JSON Schema for editors: of a whole pipeline (NAME pipeline), or of the values of a template (its name).\n" +
			"An editor with the YAML language server then completes keys and marks mistakes, when this is the first line of the file:\n" +
			"  # yaml-language-server: $schema=./pipeline.json\n\n" +
			"Without a name it writes the schemas of this module, of each resource type too, from the Go types, the comments of their\n" +
			"fields and what ytt says of the templates: run it in the module's root after changing them.",
		Example: "  taxiway schemas pipeline >pipeline.json\n  taxiway schemas release >release-values.json",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				data, err := pipelines.Schema(args[0])
				if err != nil {
					return usagef("schemas: %w", err)
				}
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			return writeSchemas()
		},
	}
}

// writeSchemas brings the committed schemas up to date.
func writeSchemas() error {
	written, err := schemas(".")
	if err != nil {
		return err
	}
	templates, err := pipelines.Templates()
	if err != nil {
		return err
	}
	for _, name := range templates {
		if written["pipelines/schemas/"+name+".json"], err = pipelines.MakeValuesSchema(name); err != nil {
			return err
		}
	}
	for name, data := range written {
		if err := os.WriteFile(filepath.FromSlash(name), data, 0o644); err != nil {
			return fmt.Errorf("write the schema: %w", err)
		}
	}
	return nil
}

// schemas are the schemas of all resource types and of a pipeline that uses them, by their paths in the module whose
// root is given.
func schemas(root string) (map[string][]byte, error) {
	comments := fieldComments{root: root, known: map[string]map[string]string{}}
	files := map[string][]byte{}
	all := map[string]map[string]any{}
	for name, program := range pipelines.Programs() {
		all[name] = program.Describe().JSONSchema(name, comments.of)
		data, err := concourse.MarshalSchema(all[name])
		if err != nil {
			return nil, fmt.Errorf("write the schema of %s: %w", name, err)
		}
		files["resources/"+name+"/schema.json"] = data
	}
	whole, err := concourse.MarshalSchema(pipeline.JSONSchema(all))
	files["pipelines/schemas/"+pipelines.PipelineSchema+".json"] = whole
	return files, errors.Join(err, comments.err)
}

// fieldComments reads what the source of the module says about fields.
type fieldComments struct {
	root  string
	known map[string]map[string]string // by package, then by Type.Field
	err   error
}

// of is the comment of a field on one line.
func (c *fieldComments) of(structure reflect.Type, field string) string {
	folder, own := strings.CutPrefix(structure.PkgPath(), "github.com/taxiway-ci/taxiway/")
	if !own {
		return ""
	}
	if _, ok := c.known[folder]; !ok {
		c.known[folder] = map[string]string{}
		if err := c.read(folder); err != nil && c.err == nil {
			c.err = err
		}
	}
	return c.known[folder][structure.Name()+"."+field]
}

func (c *fieldComments) read(folder string) error {
	files, err := filepath.Glob(filepath.Join(c.root, filepath.FromSlash(folder), "*.go"))
	if err != nil {
		return fmt.Errorf("list the source of %s: %w", folder, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("read the comments of %s: %w", folder, err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				c.keep(folder, spec)
			}
			return true
		})
	}
	return nil
}

func (c *fieldComments) keep(folder string, spec *ast.TypeSpec) {
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	keys := jsonKeys(structure)
	for _, field := range structure.Fields.List {
		text := cmp.Or(field.Doc.Text(), field.Comment.Text())
		for _, name := range field.Names {
			c.known[folder][spec.Name.Name+"."+name.Name] = forUsers(text, keys)
		}
	}
}

// jsonKeys are the keys that the fields of a struct stand for, by their Go names.
func jsonKeys(structure *ast.StructType) map[string]string {
	keys := map[string]string{}
	for _, field := range structure.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`"))
		key, _, _ := strings.Cut(tag.Get("json"), ",")
		for _, name := range field.Names {
			if key != "" && key != "-" {
				keys[name.Name] = key
			}
		}
	}
	return keys
}

// forUsers is a comment on one line, with keys for the names of Go.
func forUsers(comment string, keys map[string]string) string {
	words := strings.Fields(comment)
	for i, word := range words {
		name := strings.TrimRight(word, ".,:;")
		if key, ok := keys[name]; ok {
			words[i] = key + word[len(name):]
		}
	}
	return strings.Join(words, " ")
}
