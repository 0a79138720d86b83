package board

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"os"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

//go:embed page.html page.css page.js
var parts embed.FS

// Page is the board as one file of HTML that needs nothing besides. It is the same for the same board.
func (b *Board) Page() ([]byte, error) {
	style, script, err := styleAndScript()
	if err != nil {
		return nil, err
	}
	page, err := template.New("page.html").Funcs(b.functions()).ParseFS(parts, "page.html")
	if err != nil {
		return nil, fmt.Errorf("read the template of the board: %w", err)
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{
		"Board": b, "Facts": b.facts(), "Policy": policy(style, script),
		// both are files of this program, with nothing from outside in them
		"Style": template.CSS(style), "Script": template.JS(script), //nolint:gosec // see above
	})
	if err != nil {
		return nil, fmt.Errorf("write the board: %w", err)
	}
	return out.Bytes(), nil
}

// HTML writes the page.
func (b *Board) HTML(w io.Writer) error {
	page, err := b.Page()
	if err != nil {
		return err
	}
	if _, err := w.Write(page); err != nil {
		return fmt.Errorf("write the board: %w", err)
	}
	return nil
}

// WriteFile writes the page to a file.
func (b *Board) WriteFile(name string) error {
	page, err := b.Page()
	if err != nil {
		return err
	}
	const everybodyReads = 0o644
	return os.WriteFile(name, page, everybodyReads)
}

// styleAndScript are what the page has of its own.
func styleAndScript() (style, script string, err error) {
	if style, err = part("page.css"); err != nil {
		return "", "", err
	}
	script, err = part("page.js")
	return style, script, err
}

func part(name string) (string, error) {
	text, err := parts.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read the %s of the board: %w", name, err)
	}
	return "\n" + strings.TrimSpace(string(text)) + "\n", nil
}

// policy lets the page run its own script and style, ask whether a newer page is there, and nothing else.
func policy(style, script string) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'", hash(style), hash(script))
}

// timeFormat is a moment for people.
const timeFormat = "2006-01-02 15:04 UTC"

func (b *Board) functions() template.FuncMap {
	return template.FuncMap{
		"ago":     func(t time.Time) string { return ago(t, b.At) },
		"moment":  func(t time.Time) string { return t.UTC().Format(timeFormat) },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"span":    span,
		"line":    func(s string) string { return clip(s, maxSubject) },
		"name":    func(s string) string { return clip(s, maxName) },
		"reason":  func(s string) string { return clip(s, maxReason) },
		"short":   func(s string) string { return clip(s, len("1234567")+1) },
		"digest":  func(s string) string { return s[:min(len(s), shownDigest)] },
		"web":     isWeb,
		"build":   buildName,
		"repo":    lineage.RepositoryName,
		"count":   count,
		"summary": cepler.Summary,
		"listed":  b.listed,
		"gate":    gateAt,
		"below":   func(i int) bool { return i < b.listed() },
		"marks":   marks,
		"hash":    func(c lineage.Commit) string { return c.Short() },
		"commit": func(c lineage.Commit, repository string) linked {
			return linked{c, lineage.CommitPage(repository, c.Hash)}
		},
		"own":    func(c lineage.Commit) linked { return linked{c, lineage.CommitPage(b.Repository, c.Hash)} },
		"number": func(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") },
	}
}

// linked is a commit with its page, "" without one.
type linked struct {
	lineage.Commit

	Link string
}
