package board_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/board"
)

// browser is a tab of a real browser that shows a page, and everything that it complained about.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string
}

// program is a running browser, or skips the test.
func program(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("chromium is not on PATH (package chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Hour), // it ends only what hangs
	)
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closed := chromedp.NewContext(allocated)
	t.Cleanup(closed)
	require.NoError(t, chromedp.Run(ctx))
	return ctx
}

// tab opens another tab.
func tab(program context.Context, t *testing.T) *browser {
	t.Helper()
	ctx, closed := chromedp.NewContext(program)
	t.Cleanup(closed)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	b.run(log.Enable(), runtime.Enable())
	return b
}

// listen notes what the console, the policy and scripts complain about.
func (b *browser) listen(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text = fmt.Sprintf("console %s: %v", e.Type, e.Args)
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Error()
	case *log.EventEntryAdded:
		text = fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text)
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, text)
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Run(b.ctx, actions...))
}

// value evaluates an expression of the page.
func (b *browser) value(expression string, into any) {
	b.t.Helper()
	var raw []byte
	b.run(chromedp.Evaluate("JSON.stringify("+expression+")", &raw))
	var text string
	require.NoError(b.t, json.Unmarshal(raw, &text))
	require.NoError(b.t, json.Unmarshal([]byte(text), into))
}

func (b *browser) number(expression string) (n int) {
	b.t.Helper()
	b.value(expression, &n)
	return n
}

func (b *browser) text(expression string) (s string) {
	b.t.Helper()
	b.value(expression, &s)
	return s
}

// show opens the page in a window of a size, light or dark.
func (b *browser) show(address string, width int64, scheme string) {
	b.t.Helper()
	const height = 900
	b.run(
		emulation.SetDeviceMetricsOverride(width, height, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Navigate(address),
	)
}

// A board in a real browser.
func TestInABrowser(t *testing.T) { //nolint:tparallel // its tests share a browser, and one tab is in front
	t.Parallel()
	running := program(t)
	f := small(t)
	s := board.NewServer(f.open(board.Options{}))
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	for name, test := range map[string]func(t *testing.T, b *browser, address string){
		"widths and schemes": widthsAndSchemes, "keyboard": withTheKeyboardAlone, "script": whatTheScriptDoes, "without scripts": withoutScripts,
		"a newer board": func(t *testing.T, b *browser, _ string) {
			t.Helper()
			aNewerBoard(t, b, s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := tab(running, t)
			test(t, b, web.URL+"/")
			assert.Empty(t, b.said(), "the browser has nothing to say")
		})
	}
}

// said are the messages so far.
func (b *browser) said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.messages
}

// The page works at the widths of a phone and of a desk, light and dark: nothing overflows, every text has the contrast of WCAG AA,
// and the browser has nothing to say.
func widthsAndSchemes(t *testing.T, b *browser, address string) {
	t.Helper()
	for _, width := range []int64{400, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.show(address, width, scheme)
			b.run(chromedp.Evaluate(`document.querySelectorAll("details").forEach(d => d.open = true)`, nil))
			at := fmt.Sprintf("%s at %d px", scheme, width)
			assert.LessOrEqual(t, b.number("document.documentElement.scrollWidth"), int(width), "%s: the page is wider than its window", at)
			var wide, poor []string
			b.value(overflowing, &wide)
			assert.Empty(t, wide, "%s: parts that are wider than what holds them", at)
			b.value(contrasts, &poor)
			assert.Empty(t, poor, "%s: contrast below that of WCAG AA", at)
			assert.Equal(t, scheme == "dark", b.number(`getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number).reduce((a, b) => a + b)`) < 300, at)
			assert.Greater(t, b.number(contrastsLooked), 100, "the texts were looked at")
		}
	}
}

// overflowing are the texts that do not fit into the card, table or part that they are in.
const overflowing = `[...document.querySelectorAll(".card, .card *, .pill, .status, .tag, th, td, li, p, summary, h1, h2, h3, h4")].filter(e => {
  const s = getComputedStyle(e);
  return s.display !== "inline" && s.position !== "absolute" && s.overflowX === "visible" && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1;
}).map(e => e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 60)).slice(0, 10)`

// look computes the contrast of each text with what is behind it, by
// https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
const look = `(() => {
  const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0) { return c; } } return [255, 255, 255, 1]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const n = walker.currentNode, e = n.parentElement;
    if (!n.textContent.trim() || e.closest("script, style, noscript, .hide, .skip, [hidden]") || !e.checkVisibility()) { continue; }
    const s = getComputedStyle(e), a = luminance(rgb(s.color)), b = luminance(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), px = parseFloat(s.fontSize);
    const large = px >= 24 || px >= 18.66 && parseInt(s.fontWeight) >= 700;
    found.push([ratio, large ? 3 : 4.5, e.className + ": " + n.textContent.trim().slice(0, 40)]);
  }
  return found;
})()`

const (
	contrasts       = look + `.filter(f => f[0] < f[1]).map(f => f[0].toFixed(2) + " " + f[2])`
	contrastsLooked = look + `.length`
)

// Everything that can be done with a pointer can be done with the keyboard, and the focus is seen.
func withTheKeyboardAlone(t *testing.T, b *browser, address string) {
	t.Helper()
	b.show(address, 1280, "light")
	want := b.number(`[...document.querySelectorAll("a[href], button:not([hidden]), select, input, summary, [tabindex='0']")].filter(e => e.checkVisibility() && !e.closest("[hidden]")).length`)
	require.Greater(t, want, 30)
	seen, last := map[string]bool{}, -1
	for n := range want {
		b.run(chromedp.KeyEvent(kb.Tab))
		var focus struct {
			Place   int
			Name    string
			Outline string
			Label   string
		}
		b.value(`(e => ({place: [...document.querySelectorAll("*")].indexOf(e), name: e.tagName, outline: getComputedStyle(e).outlineStyle + " " + getComputedStyle(e).outlineWidth,
  label: e.getAttribute("aria-label") || (e.labels && e.labels[0] || e).textContent.trim()}))(document.activeElement)`, &focus)
		assert.Greater(t, focus.Place, last, "the order is that of the page: %s after %d", focus.Name, n)
		assert.Equal(t, "solid 3px", focus.Outline, "%s %q shows that it has the focus", focus.Name, focus.Label)
		assert.NotEmpty(t, focus.Label, "%s has a name", focus.Name)
		last = focus.Place
		seen[focus.Name] = true
	}
	for _, name := range []string{"A", "SELECT", "INPUT", "SUMMARY"} {
		assert.True(t, seen[name], "%s can be reached", name)
	}
	b.run(chromedp.Evaluate(`document.querySelector(".card details summary").focus()`, nil), chromedp.KeyEvent(kb.Enter))
	assert.Equal(t, 1, b.number(`document.querySelectorAll(".card details[open]").length`), "Enter opens what is on demand")
	b.run(chromedp.Evaluate(`document.querySelector(".skip").focus()`, nil), chromedp.KeyEvent(kb.Enter))
	assert.Equal(t, "#environments", b.text("location.hash"))
}

// Links lead somewhere, the history is filtered, and any two environments are compared.
func whatTheScriptDoes(t *testing.T, b *browser, address string) {
	t.Helper()
	b.show(address, 1280, "light")
	var dead []string
	b.value(`[...document.querySelectorAll("a[href^='#']")].map(a => a.getAttribute("href")).filter(h => !document.getElementById(decodeURIComponent(h.slice(1))))`, &dead)
	assert.Empty(t, dead, "links to parts of the page that are not there")

	rows := `[...document.querySelectorAll(".records tbody tr")].filter(r => !r.hidden)`
	all := b.number(rows + ".length")
	require.Positive(t, all)
	b.run(chromedp.SetValue("#filter-environment", "bank/r01-production"), chromedp.Evaluate(`document.getElementById("filter-environment").dispatchEvent(new Event("change"))`, nil))
	assert.Equal(t, 3, b.number(rows+".length"))
	assert.Equal(t, fmt.Sprintf("3 of %d", all), b.text(`document.getElementById("filter-count").textContent`))
	b.run(chromedp.SendKeys("#filter-text", "ROLLBACK"))
	assert.Equal(t, 1, b.number(rows+".length"))

	b.run(chromedp.Evaluate(`(() => { const of = s => [...s.options].find(o => o.text === "bank/r01-staging").index; const a = document.getElementById("compare-a"), b = document.getElementById("compare-b");
  a.selectedIndex = of(a); b.selectedIndex = [...b.options].find(o => o.text === "bank/r01-production").index; a.dispatchEvent(new Event("change")); })()`, nil))
	compared := b.text(`document.getElementById("compared").innerText`)
	assert.Contains(t, compared, "modules/bank/values.yaml")
	assert.Contains(t, compared, "bank/r01-production")
	assert.Zero(t, b.number(`document.querySelectorAll("#compared script, #compared b").length`), "what is compared is text")
	assert.Positive(t, b.number(`[...document.querySelectorAll("button[data-copy]")].filter(e => !e.hidden).length`), "commands can be copied")
	assert.Zero(t, b.number(`[...document.querySelectorAll("script")].filter(s => /alert/.test(s.textContent) && s.type !== "application/json").length`))
}

// Without its script the page still shows everything, and offers nothing that would not work.
func withoutScripts(t *testing.T, b *browser, address string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			return
		}
		response, err := (&http.Client{Timeout: time.Hour}).Do(request)
		if err != nil {
			return
		}
		page, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		before, _, _ := strings.Cut(string(page), "<script>\n")
		_, _ = io.WriteString(w, before)
	}))
	t.Cleanup(web.Close)
	b.show(web.URL, 1280, "light")
	assert.Equal(t, 8, b.number(`[...document.querySelectorAll(".card")].filter(e => e.checkVisibility()).length`))
	assert.Positive(t, b.number(`[...document.querySelectorAll(".records tbody tr")].filter(e => e.checkVisibility()).length`))
	assert.Zero(t, b.number(`[...document.querySelectorAll(".pick, button, .newer")].filter(e => e.checkVisibility()).length`))
	assert.Equal(t, 1, b.number(`document.querySelectorAll("noscript").length`), "it says what is missing")
}

// A page that is open says when a newer one is there.
func aNewerBoard(t *testing.T, b *browser, s *board.Server) {
	t.Helper()
	var mu sync.Mutex
	tag := `"1"`
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			s.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("ETag", tag)
	}))
	t.Cleanup(web.Close)
	b.show(web.URL, 400, "light")
	b.run(chromedp.Evaluate(`fetch("/", {method: "HEAD"}).then(() => 1)`, nil, awaited))
	assert.Zero(t, b.number(`[...document.querySelectorAll(".newer")].filter(e => e.checkVisibility()).length`))
	mu.Lock()
	tag = `"2"`
	mu.Unlock()
	b.run(chromedp.Evaluate(`new Promise(done => { const look = () => { window.dispatchEvent(new Event("focus")); document.querySelector(".newer").hidden ? setTimeout(look, 20) : done(1); }; look(); })`, nil, awaited))
	assert.Equal(t, 1, b.number(`[...document.querySelectorAll(".newer")].filter(e => e.checkVisibility()).length`))
}

func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
