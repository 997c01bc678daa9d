package javascript

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/driver"
)

// What codecs get and give that is no text, no number or no date becomes what JSON has, or is refused in words.
func TestBadInput(t *testing.T) {
	const echo = `function decodeUplink(i) { return {data: {bytes: i.bytes, of: i.variables, at: i.recvTime.toISOString()}}; }
		function encodeDownlink(i) { return {bytes: [i.data.n === 9007199254740992 ? 1 : 0, i.data.none === null ? 1 : 0]}; }`
	for name, tt := range map[string]struct {
		source string
		call   driver.Call
		want   string
	}{
		"half a character":     {`function decodeUplink() { return {data: {a: '\ud800', '\udfff': 1}}; }`, up(""), "map[a:\uFFFD \uFFFD:1]"},
		"dates far off":        {`function decodeUplink() { return {data: {a: new Date(8.64e15), b: new Date(8.64e15 + 1), c: new Date('x'), d: new Date(-62198755200000)}}; }`, up(""), "map[a:+275760-09-13T00:00:00.000Z b:<nil> c:<nil> d:-000001-01-01T00:00:00.000Z]"},
		"beyond 2^53":          {`function decodeUplink() { return {data: {a: 2 ** 53 + 2, b: -(2 ** 1023), c: Number.MIN_VALUE}}; }`, up(""), "map[a:9.007199254740994e+15 b:-8.98846567431158e+307 c:5e-324]"},
		"a cycle deep within":  {`function decodeUplink() { var a = [{}]; a[0].b = {c: a}; return {data: {a: a}}; }`, up(""), "exception"},
		"very deep":            {`function decodeUplink() { var a = {}; for (var i = 0; i < 100000; i++) a = {a: a}; return {data: a}; }`, up(""), "exception invalid"},
		"a getter that throws": {`function decodeUplink() { return {data: {get a() { throw new Error('no'); }}}; }`, up(""), "exception"},
		"a toJSON of its own":  {`function decodeUplink() { return {data: {a: {toJSON: function () { return NaN; }}}}; }`, up(""), "map[a:<nil>]"},
		"text that is none":    {echo, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{0xff}, Topic: "a\xff", Variables: map[string]string{"k": "\xfe"}, Time: time.UnixMilli(0)}, "map[at:1970-01-01T00:00:00.000Z bytes:[255] of:map[k:\uFFFD]]"},
		"a time far off":       {echo, driver.Call{Op: driver.DecodeUplink, Time: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}, "map[at:9999-12-31T23:59:59.000Z bytes:[] of:map[]]"},
		"data beyond 2^53":     {echo, driver.Call{Op: driver.EncodeDownlink, Data: map[string]any{"n": float64(1<<53 + 1), "none": nil}}, "0101"},
		"data that is none":    {echo, driver.Call{Op: driver.EncodeDownlink, Data: map[string]any{"n": math.NaN()}}, "invalid"},
		"bytes that are none":  {`function encodeDownlink() { return {bytes: [1, NaN, -1, 256, 1.5]}; }`, driver.Call{Op: driver.EncodeDownlink}, "invalid"},
	} {
		e := open(t, tt.source, Limits{})
		r := call(e, tt.call)
		got := fmt.Sprint(r.Data)
		switch {
		case r.Failure != "":
			got = string(r.Failure)
		case tt.call.Op == driver.EncodeDownlink:
			got = fmt.Sprintf("%x", r.Bytes)
		}
		if got != tt.want && (r.Failure == "" || !strings.Contains(" "+tt.want+" ", " "+got+" ")) {
			t.Errorf("%s: %.300s, want %s (%.200s)", name, got, tt.want, r.Reason)
		}
	}
}

// Whatever a codec makes of its answer, the result is values that JSON can say and bytes, of bounded size, or a failure.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"data":{"a":1}}`, `{"bytes":[1,255],"fPort":1}`, `{"bytes":[256],"fPort":-1}`, `{"data":[{"a":null}],"warnings":["w"],"errors":["e"],"log":["l"],"notes":["n"]}`,
		`{"thrown":"no","kind":"TypeError"}`, `{"wrong":"x"}`, `{"none":true}`, `{"missing":true}`, `{"failure":"timeout","reason":"late"}`, `{"data":5}`, `{`, ``, "\xff", `{"data":1e999}`, `{"fPort":1e300,"bytes":{}}`,
		`{"warnings":[` + strings.Repeat(`"w",`, 100) + `"w"]}`} {
		for op := range uint8(5) {
			f.Add(op, s)
		}
	}
	ops := []driver.Op{driver.DecodeUplink, driver.EncodeDownlink, driver.DecodeDownlink, driver.NormalizeUplink, driver.OnEvent}
	f.Fuzz(func(t *testing.T, which uint8, answer string) {
		op := ops[int(which)%len(ops)]
		r := Read(op, answer)
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if r.Failure != "" && (r.Data != nil || r.Bytes != nil) || len(r.Errors) > 0 && r.Data != nil {
			t.Fatalf("data beside a failure: %+v", r)
		}
		if len(r.Warnings) > driver.MaxNotes || len(r.Errors) > driver.MaxNotes || r.Port < 0 || r.Port > 255 {
			t.Fatalf("beyond bounds: %+v", r)
		}
		switch r.Data.(type) {
		case nil, map[string]any, []any:
		default:
			t.Fatalf("data is %T", r.Data)
		}
	})
}

// Whatever a device sends comes to the codec as it is, and back.
func FuzzCall(f *testing.F) {
	f.Add([]byte{1, 2, 255}, 1, "tele/a/SENSOR", int64(1767225600000), "k", "v")
	f.Add([]byte{}, 0, "", int64(0), "", "")
	f.Add([]byte("\xff\x00'\"\\\u2028"), 223, "a/\u2028'\"\\\n\x00", int64(-1), "__proto__", "\xff")
	f.Add(make([]byte, 1000), 255, "constructor", int64(253402300799999), "constructor", "`${1}`")
	e, err := New([]byte(`function decodeUplink(i) { return {data: {bytes: i.bytes, port: i.fPort, at: i.recvTime.getTime(), v: Object.keys(i.variables || {}).map(function (k) { return k + '=' + i.variables[k]; })}}; }`), Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.Close)
	f.Fuzz(func(t *testing.T, b []byte, port int, topic string, at int64, key, value string) {
		const farthest = 8.64e15
		if len(b) > 10_000 || port < 1 || port > 255 || at < 1 || at > farthest/10 || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		r := Read(driver.DecodeUplink, e.Call(driver.Call{Op: driver.DecodeUplink, Bytes: b, Port: port, Topic: topic, Time: time.UnixMilli(at), Variables: map[string]string{key: value}}))
		data, _ := r.Data.(map[string]any)
		got, _ := data["bytes"].([]any)
		if !r.OK() || len(got) != len(b) || data["port"] != float64(port) || data["at"] != float64(at) {
			t.Fatalf("%+v", r)
		}
		for i, v := range got {
			if v != float64(b[i]) {
				t.Fatalf("bytes[%d] is %v, was %d", i, v, b[i])
			}
		}
	})
}
