package layout

import (
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// Whatever driver.yaml says: it is refused in words of a bounded length that name the file, or it is a driver with the code of the file
// beside it, and of no other place.
func FuzzFolder(f *testing.F) {
	f.Add("name: th\nversion: 1.0.0\nkind: javascript\ncode: codec.js\ntests:\n  - bytes: 01 02\n    want: {data: {a: 1}}\n")
	f.Add("name: th\nkind: declarative\ncode: fields.yaml\nlimit: 50ms\ntests:\n  - base64: '!'\n  - text: a\n    bytes: [1, 300]\n    time: 2026-01-01\n")
	f.Add("code: ../codec.js\n")
	f.Add("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nname: *c\n")
	f.Add("code: codec.js\ntests: [{want: {records: [{time: x, data: .nan}], commands: [1, null], state: ''}}]\n")
	f.Add("--- !!binary\n? {a: b}\n: [\n")
	files := fstest.MapFS{"codec.js": {Data: []byte("inside")}, "deep/fields.yaml": {Data: []byte("inside")}}
	f.Fuzz(func(t *testing.T, text string) {
		files := fstest.MapFS{"in/codec.js": files["codec.js"], "in/deep/fields.yaml": files["deep/fields.yaml"], "codec.js": {Data: []byte("outside")}, "in/" + FileName: {Data: []byte(text)}}
		d, err := readFolder(files, "in", "in")
		if err != nil {
			if said := err.Error(); !utf8.ValidString(said) || len(said) > 4096+2*len(text) {
				t.Errorf("%d bytes of reason: %.300q", len(said), said)
			}
			return
		}
		if code := string(d.Code); code != "inside" && code != text && !strings.Contains(text, "..") {
			t.Errorf("the code is %q", code)
		}
		for i := range d.Tests {
			if d.Tests[i].Op == "" {
				t.Errorf("test %d asks for nothing", i)
			}
		}
	})
}
