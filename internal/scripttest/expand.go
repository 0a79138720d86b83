package scripttest

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// expand replaces $NAME and ${NAME} in a file:
//
//	expand FILE [> OTHER]
//
// Inside a JSON string the value is escaped, outside of strings it is put in as
// it is. A variable that is not set fails the script.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && (len(args) != 3 || args[1] != ">") {
		ts.Fatalf("usage: expand FILE [> OTHER]")
	}
	text, err := substitute(ts.ReadFile(args[0]), strings.HasSuffix(args[0], ".json"), ts.Getenv)
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[len(args)-1]), []byte(text), 0o644))
}

func substitute(text string, isJSON bool, get func(string) string) (string, error) {
	variable := regexp.MustCompile(`\$(?:([A-Z][A-Z0-9_]*)|\{([A-Z][A-Z0-9_]*)\})`)
	var out strings.Builder
	end := 0
	for _, at := range variable.FindAllStringSubmatchIndex(text, -1) {
		name := strings.Trim(text[at[0]+1:at[1]], "{}")
		value := get(name)
		if value == "" {
			return "", fmt.Errorf("$%s is not set", name)
		}
		out.WriteString(text[end:at[0]])
		if isJSON && inString(text[:at[0]]) {
			quoted, err := json.Marshal(value)
			if err != nil {
				return "", err
			}
			value = string(quoted[1 : len(quoted)-1])
		}
		out.WriteString(value)
		end = at[1]
	}
	out.WriteString(text[end:])
	return out.String(), nil
}

// inString reports whether JSON text ends inside a string.
func inString(text string) bool {
	inside := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			inside = !inside
		case text[i] == '\\' && inside:
			i++
		}
	}
	return inside
}
