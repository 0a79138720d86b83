package board

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A value is text, wherever the page has it, and a link leads to the web or to a part of the page.
func TestWhatIsFilledInHasNoMeaning(t *testing.T) {
	t.Parallel()
	const hostile = `</p><script>"'{}&lt;`
	for m, wanted := range map[markup]markup{
		`<p title="{}">{}</p>`: `<p title="&lt;/p&gt;&lt;script&gt;&#34;&#39;{}&amp;lt;">2</p>`, // the braces of a value are not filled
		`<a href="{}">{}</a>`:  `<a href="#">2</a>`,
		`<a href="#{}">{}</a>`: `<a href="#%3C%2Fp%3E%3Cscript%3E%22%27%7B%7D&amp;lt%3B">2</a>`,
	} {
		assert.Equal(t, wanted, fill(m, hostile, 2))
	}
	for address, link := range map[string]markup{
		"javascript:alert(1)": "#", "//example.com": "#", "https://example.com/?a=\"&b": "https://example.com/?a=&#34;&amp;b",
	} {
		assert.Equal(t, `<a href="`+link+`">`, fill(`<a href="{}">`, address))
	}
	assert.Equal(t, markup("<b>1</b>"), fill(`<b>{}</b>`, markup("1")))
}
