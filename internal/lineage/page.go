package lineage

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

//go:embed page.html
var pageText string

// HTML writes the trace as one page that needs nothing besides: no script, no
// font, no picture from elsewhere.
func (t *Trace) HTML(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"header": header,
		"lower":  strings.ToLower,
		"row":    Environment.summary,
		"facts":  Environment.facts,
		"moment": moment,
		"plain":  visible.Line,
		"label":  func(i int) string { return header()[i] },
		"anchor": func(e Environment) string { return "e-" + e.Key() },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	if err := page.Execute(w, t); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
