package internal_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parserList has a line for each function that parses: its package, its name, and the fuzz targets that drive it, or a dash and
// the reason why none is needed. A target of another package is written as package.Target.
const parserList = "testdata/parsers.txt"

// Every function that parses is in the list, with a fuzz target that is there, or with a reason. A function parses if it calls a
// decoder, or if its name says so and it is given text.
func TestEveryParserHasAFuzzTarget(t *testing.T) {
	listed := readParsers(t)
	found := map[string]bool{}
	for dir := range packageFolders(t) {
		for _, name := range parsersOf(t, dir) {
			found[dir+" "+name] = true
			_, ok := listed[dir+" "+name]
			assert.True(t, ok, "%s of %s parses: add a line with its fuzz target to internal/%s", name, dir, parserList)
		}
	}
	for parser, by := range listed {
		assert.True(t, found[parser], "%s of %s does not parse, or is not there", parser, parserList)
		if by.reason == "" {
			for _, target := range by.targets {
				dir, name := target.in(parser)
				assert.Contains(t, testsIn(t, filepath.Join("..", dir)), name, "%s names a target that is not there", parser)
			}
		}
	}
}

// With the storms, the seeds of the targets alone are run, and each parser must have been reached by those that the list names.
func TestSeedsReachTheirParsers(t *testing.T) {
	if os.Getenv("TAXIWAY_STORMS") == "" {
		t.Skip("compiles every package for its coverage; make storms does it")
	}
	needed := map[string][]string{} // parsers by "folder target"
	for parser, by := range readParsers(t) {
		for _, target := range by.targets {
			dir, name := target.in(parser)
			needed[dir+" "+name] = append(needed[dir+" "+name], parser)
		}
	}
	byFolder := map[string][]string{}
	for _, target := range slices.Sorted(maps.Keys(needed)) {
		dir, _, _ := strings.Cut(target, " ")
		byFolder[dir] = append(byFolder[dir], target)
	}
	require.NotEmpty(t, byFolder)
	for dir, targets := range byFolder {
		program := filepath.Join(t.TempDir(), "test")
		folders := map[string]bool{}
		for _, target := range targets {
			for _, parser := range needed[target] {
				folder, _, _ := strings.Cut(parser, " ")
				folders[module+folder] = true
			}
		}
		watched := strings.Join(slices.Sorted(maps.Keys(folders)), ",")
		build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-cover", "-coverpkg="+watched, "-o", program, "../"+dir)
		out, err := build.CombinedOutput()
		require.NoError(t, err, string(out))
		for _, target := range targets {
			_, name, _ := strings.Cut(target, " ")
			profile := filepath.Join(t.TempDir(), "profile")
			run := exec.CommandContext(t.Context(), program, "-test.run", "^"+name+"$", "-test.coverprofile", profile)
			run.Dir = filepath.Join("..", dir)
			out, err := run.CombinedOutput()
			require.NoError(t, err, string(out))
			covered := readProfile(t, profile)
			for _, parser := range needed[target] {
				assert.True(t, reached(t, parser, covered), "the seeds of %s do not reach %s", target, parser)
			}
		}
	}
}

// target is a fuzz target, with its folder if it is another one than the parser's.
type target string

// in is the folder and the name of a target of a function.
func (g target) in(function string) (dir, name string) {
	if dir, name, ok := strings.Cut(string(g), "."); ok {
		return dir, name
	}
	dir, _, _ = strings.Cut(function, " ")
	return dir, string(g)
}

// tested says what drives a parser.
type tested struct {
	targets []target
	reason  string // why none does
}

func readParsers(t *testing.T) map[string]tested {
	t.Helper()
	text, err := os.ReadFile(parserList)
	require.NoError(t, err)
	all := map[string]tested{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		require.GreaterOrEqual(t, len(fields), 3, "%s: %s", parserList, line)
		key := fields[0] + " " + fields[1]
		require.NotContains(t, all, key, parserList)
		if fields[2] == "-" {
			require.Greater(t, len(fields), 3, "%s: %s needs a reason", parserList, key)
			all[key] = tested{reason: strings.Join(fields[3:], " ")}
			continue
		}
		var by tested
		for _, name := range fields[2:] {
			by.targets = append(by.targets, target(name))
		}
		all[key] = by
	}
	return all
}

// packageFolders are those of production code: what stands in for the outside, and what drives tests, reads what tests write.
func packageFolders(t *testing.T) map[string]bool {
	t.Helper()
	dirs := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() && regexp.MustCompile(`/(testdata|standin|scripttest|gittest|peertest|conformance|\.\w+)$`).MatchString(name) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			dirs[strings.TrimPrefix(path.Dir(name), "../")] = true
		}
		return nil
	}))
	require.NotEmpty(t, dirs)
	return dirs
}

// parsersOf are the functions of a package that parse; a method has its type before its name.
func parsersOf(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	eachFunction(t, dir, func(_ *token.FileSet, name string, f *ast.FuncDecl) {
		if callsDecoder(f) || isNamedParser(f) {
			names = append(names, name)
		}
	})
	return names
}

func eachFunction(t *testing.T, dir string, do func(*token.FileSet, string, *ast.FuncDecl)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declared := range parsed.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Body != nil {
				do(set, fullName(f), f)
			}
		}
	}
}

func fullName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	switch r := receiver.(type) {
	case *ast.IndexExpr:
		receiver = r.X
	case *ast.IndexListExpr:
		receiver = r.X
	}
	if name, ok := receiver.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// callsDecoder reports whether the function reads YAML, JSON, TOML, an archive or a compressed stream, or asks a registry, whose
// answers are decoded on the way.
func callsDecoder(f *ast.FuncDecl) bool {
	decoders := map[string]bool{
		"yaml.Unmarshal": true, "yaml.NewDecoder": true, "json.Unmarshal": true, "json.NewDecoder": true, "toml.Unmarshal": true,
		"tar.NewReader": true, "zlib.NewReader": true, "gzip.NewReader": true, "strict.Twice": true, "strict.YAML": true, "remote.Get": true, "knownhosts.New": true,
	}
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.SelectorExpr); ok {
			if in, ok := call.X.(*ast.Ident); ok {
				found = found || decoders[in.Name+"."+call.Sel.Name]
			}
		}
		return true
	})
	return found
}

// isNamedParser reports whether the name says that the function parses, and it is given text; one that reads may be given a name.
func isNamedParser(f *ast.FuncDecl) bool {
	parses := regexp.MustCompile(`^(Parse|parse|Decode|decode|Unmarshal|unmarshal|scan)`).MatchString(f.Name.Name)
	reads := regexp.MustCompile(`^[Rr]ead[A-Z]`).MatchString(f.Name.Name)
	return slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
		kind := p.Type
		if star, ok := kind.(*ast.StarExpr); ok {
			kind = star.X
		}
		switch kind := kind.(type) {
		case *ast.Ident:
			return parses && kind.Name == "string" || (parses || reads) && kind.Name == "Reader"
		case *ast.ArrayType:
			element, ok := kind.Elt.(*ast.Ident)
			return (parses || reads) && ok && element.Name == "byte"
		case *ast.SelectorExpr:
			return (parses || reads) && kind.Sel.Name == "Reader"
		}
		return false
	})
}

// readProfile are the lines of each file, below the module, that ran.
func readProfile(t *testing.T, file string) map[string][]int {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := map[string][]int{}
	block := regexp.MustCompile(`^` + regexp.QuoteMeta(module) + `(.*):(\d+)\.\d+,\d+\.\d+ \d+ ([1-9]\d*)$`)
	for line := range bytes.Lines(text) {
		if m := block.FindSubmatch(bytes.TrimSpace(line)); m != nil {
			n, err := strconv.Atoi(string(m[2]))
			require.NoError(t, err)
			lines[string(m[1])] = append(lines[string(m[1])], n)
		}
	}
	return lines
}

// reached reports whether a line of the function ran.
func reached(t *testing.T, function string, lines map[string][]int) bool {
	t.Helper()
	dir, want, _ := strings.Cut(function, " ")
	ran := false
	eachFunction(t, dir, func(set *token.FileSet, name string, f *ast.FuncDecl) {
		from, to := set.Position(f.Pos()), set.Position(f.End())
		ran = ran || name == want && slices.ContainsFunc(lines[strings.TrimPrefix(filepath.ToSlash(from.Filename), "../")], func(n int) bool {
			return from.Line <= n && n <= to.Line
		})
	})
	return ran
}
