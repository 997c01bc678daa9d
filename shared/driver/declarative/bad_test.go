package declarative

import (
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// What is no text, no number and no date is left out with a warning, or refused in words; nothing of it is made up.
func TestBadInput(t *testing.T) {
	for name, tt := range map[string]struct{ message, payload, want string }{
		"json, NaN":               {`{format: json, fields: [{name: a, path: a}]}`, `{"a":NaN}`, "the message is no JSON"},
		"json, beyond 2^53":       {`{format: json, fields: [{name: a, path: a}, {name: b, path: a, offset: 1}]}`, `{"a":9007199254740993}`, `{"a":9007199254740992,"b":9007199254740994}`},
		"json, an exponent":       {`{format: json, fields: [{name: a, path: a}]}`, `{"a":1e99999999999}`, `{} warning: a: cannot be told in JSON`},
		"json, deep":              {`{format: json, fields: [{name: a, path: a}]}`, strings.Repeat(`{"a":`, 50_000), "the message is no JSON"},
		"json, no UTF-8":          {`{format: json, fields: [{name: a, path: a}]}`, "{\"a\":\"21 \xb0C\"}", "{\"a\":\"21 \uFFFDC\"}"},
		"text, no UTF-8":          {`{format: text, fields: [{name: a}]}`, "\xff\xfe", "UTF-8"},
		"bytes that are no text":  {`{fields: [{name: a, type: text, length: rest}]}`, "a\xff\xfeb", "{} warning: a: is no text in UTF-8"},
		"whole, 64 bits":          {`{fields: [{name: a, type: u64}, {name: b, type: i64}]}`, "\xff\xff\xff\xff\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x01", `{"a":18446744073709552000,"b":-9223372036854776000}`},
		"floats that are none":    {`{fields: [{name: a, type: f32}, {name: b, type: f32}]}`, "\x7f\xc0\x00\x00\xff\x80\x00\x00", `{} warning: a`},
		"a time, far off, binary": {`{fields: [{name: a, type: u8}, {type: u64, time: unix}]}`, "\x01\xff\xff\xff\xff\xff\xff\xff\xff", "time"},
		"a time, far off, json":   {`{format: json, fields: [{name: a, path: a}, {name: _t, path: t, time: unix}]}`, `{"a":1,"t":1e300}`, "time"},
		"a time in the year 1":    {`{format: json, fields: [{name: a, path: a}, {name: _t, path: t, time: unix}]}`, `{"a":1,"t":-99999999999999}`, "time"},
		"a time that is text":     {`{format: json, fields: [{name: a, path: a}, {name: _t, path: t, time: text}]}`, `{"a":1,"t":"99999-01-01T00:00:00Z"}`, "time"},
		"cbor, a length":          {`{format: cbor, fields: [{name: a, path: a}]}`, "\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", "the message is no CBOR"},
		"cbor, no UTF-8":          {`{format: cbor, fields: [{name: a, path: a}]}`, "\xa1\x61a\x61\xff", "the message is no CBOR"},
		"csv, quotes":             {`{format: csv, fields: [{name: a, column: 1}]}`, "\"a\xff\n", "{\"a\":\"a\uFFFD\"}"},
	} {
		r := run(t, parse(t, "{castor: 1, uplink: "+tt.message+"}"), driver.Call{Op: driver.DecodeUplink, Bytes: []byte(tt.payload)})
		got := told(r)
		if !r.Time.IsZero() {
			got += " at " + r.Time.String()
		}
		if !strings.Contains(got, tt.want) || len(got) > 1000 {
			t.Errorf("%s: %.500s, want %s", name, got, tt.want)
		}
	}
	for want, document := range map[string]string{
		"at most": "castor: 1\n#" + strings.Repeat("x", 10<<20),
		"UTF-8":   "castor: 1\nuplink: {fields: [{name: \"\xff\", type: u8}]}\n",
		"line":    "castor: 1\nuplink: &a {fields: [*a]}\n",
		"scale":   "castor: 1\nuplink: {fields: [{name: a, type: u8, scale: .nan}]}\n",
		"offset":  "castor: 1\nuplink: {fields: [{name: a, type: u8, offset: 1e9999}]}\n",
		"line 2":  "castor: 1\nuplink: {fields: [{name: a, type: u8, scale: .inf}]}\n",
	} {
		if _, err := Parse([]byte(document)); err == nil || !strings.Contains(fmt.Sprint(err), want) || len(err.Error()) > 2000 {
			t.Errorf("%.60q: %.300v, want %q", document, err, want)
		}
	}
}
