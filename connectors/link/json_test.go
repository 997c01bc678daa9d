package link

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
)

// FuzzReadJSON compares with encoding/json.
func FuzzReadJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":1,"b":[true,false,null,"x"],"c":{"d":-0.5e-3}}`, ` [ ] `, `{}`, `"\"\\\/\b\f\n\r\tä€😀"`, `"\u00e4\ud83d\ude00 \ud83d \ude00\ud83d\ud83d\ude00 \ud83dx \ud83d\n"`,
		"\"\xff\xc3\"", `-0`, `01`, `1.`, `.5`, `1e`, `1e+9`, `-`, `123456789012345`, `1234567890123456`, `-9007199254740993`, `1e999`, `{"a":1,"a":2}`, `{"a":1,}`, `[1,]`,
		`{"a"}`, `{a:1}`, `"\x"`, `"\u12g4"`, `"\u+123"`, "\"\n\"", `tru`, `nul`, `truex`, `1 2`, ``, ` `, `"a`, `"\`, `"\u12`, `{"a":{"a":[[[]]]}}`, "\ufeff{}", `"` + "\u2028" + `"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if depth := bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{")); depth > maxJSONDepth {
			t.Skip()
		}
		got, err := readJSON(text)
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want any
		wantErr := d.Decode(&want)
		if wantErr == nil {
			if _, more := d.Token(); more != io.EOF {
				wantErr = errNotJSON
			}
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json has %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		got, err1 := floats(got)
		want, err2 := floats(want)
		if (err1 == nil) != (err2 == nil) || err1 == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v (%v), encoding/json has %#v (%v)", text, got, err1, want, err2)
		}
	})
}

func TestReadJSONDepth(t *testing.T) {
	for name, text := range map[string]string{"arrays": strings.Repeat("[", 1_000_000), "objects": strings.Repeat(`{"a":`, 1_000_000)} {
		t.Run(name, func(t *testing.T) {
			if v, err := readJSON([]byte(text)); err == nil {
				t.Errorf("got %v", v)
			}
		})
	}
}
