package wire

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzReadRefs(f *testing.F) {
	const hash = "1111111111111111111111111111111111111111"
	f.Add("003d"+hash+" refs/heads/main\n0000", false)
	f.Add("0060"+hash+" refs/tags/v1 peeled:"+hash+"\n0000", false)
	f.Add("000eversion 2\n0013fetch=shallow\n0000", true)
	f.Add("0044"+hash+" HEAD\x00multi_ack thin\n0000", true)
	f.Add("0008ERR 0000", true)
	f.Add("001e# service=git-upload-pack\n0000000eversion 2\n0000", true)
	f.Add("001e# service=git-upload-pack\n000eversion 2\n0000", true)
	f.Add("fff0", false)
	f.Add("0003", false)
	f.Fuzz(func(t *testing.T, text string, greets bool) {
		p := NewReader(strings.NewReader(text))
		if greets {
			if g, err := ReadHTTPGreeting(p, "git-upload-pack"); err == nil && g.V2 && len(g.Refs) > 0 {
				t.Fatal("version 2 lists no refs in its greeting")
			}
			return
		}
		refs, err := ReadRefs(p)
		if err != nil {
			return
		}
		for name := range refs {
			if name == "" || strings.ContainsAny(name, " \n") {
				t.Fatalf("ref %q", name)
			}
		}
	})
}

func FuzzFetchAnswer(f *testing.F) {
	f.Add([]byte("0011shallow-info\n00010000"), true)
	f.Add([]byte("000dpackfile\n0009\x01PACK0000"), true)
	f.Add([]byte("0008NAK\n0009\x01PACK0000"), false)
	f.Add([]byte("0034shallow 1111111111111111111111111111111111111111\n00000008NAK\n"), false)
	f.Fuzz(func(t *testing.T, raw []byte, v2 bool) {
		g := &Greeting{V2: v2, can: map[string]string{"side-band-64k": "", "shallow": ""}}
		_, _, _ = ReadFetched(bytes.NewReader(raw), g, Fetch{Depth: 1})
		_, _ = ReadReport(bytes.NewReader(raw), g)
		_ = t
	})
}
