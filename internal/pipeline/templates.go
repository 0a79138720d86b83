package pipeline

import (
	"bytes"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	// yttCode is a comment that ytt runs: https://carvel.dev/ytt/docs/latest/lang/
	yttCode = regexp.MustCompile(`(?m)(?:^|\s)#@`)
	// spruceOperator is a value that spruce or graft replaces: https://github.com/geofffranks/spruce/blob/main/doc/operators.md
	spruceOperator = regexp.MustCompile(`^\(\( *(append|awsparam|awssecret|base64|base64-decode|calc|cartesian-product|concat|defer|empty|file|grab|inject|` +
		`inline|insert|ips|join|keys|load|merge|param|prepend|prune|replace|shuffle|sort|static_ips|stringify|vault|vault-try)\b.*\)\)$`)
)

// templateSource reports a file from which another program makes the pipeline: what is missing in it is not a fault of the
// pipeline.
func (r *report) templateSource(data []byte) bool {
	const message, fix = "this is a source of %s and not a pipeline", "render it first and check the result: %s FILE | taxiway lint -"
	var doc yaml.Node
	notYAML := yaml.Unmarshal(data, &doc) != nil // code of ytt between the keys need not be
	ytt, spruce := false, 0
	walk(&doc, func(n *yaml.Node) {
		ytt = ytt || yttCode.MatchString(n.HeadComment+"\n"+n.LineComment+"\n"+n.FootComment)
		if spruce == 0 && n.Kind == yaml.ScalarNode && spruceOperator.MatchString(n.Value) {
			spruce = n.Line
		}
	})
	switch at := yttCode.FindIndex(data); {
	case at != nil && (ytt || notYAML):
		r.errorf(bytes.Count(data[:at[1]], []byte("\n"))+1, "template-source", fmt.Sprintf(fix, "ytt -f"), message, "ytt")
	case spruce > 0:
		r.errorf(spruce, "template-source", fmt.Sprintf(fix, "spruce merge"), message, "spruce")
	default:
		return false
	}
	return true
}
