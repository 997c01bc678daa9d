package javascript

import (
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// Whoever wrote a codec is told in one line where in it the exception came from, and nothing of what is around it.
func TestWhereItThrew(t *testing.T) {
	for source, want := range map[string]string{
		"function decodeUplink() {\nthrow new Error('no'); }":                                                               "Error: no at decodeUplink (line 2)",
		"function header() { throw new RangeError('no'); }\nfunction decodeUplink() {\nheader(); }":                         "RangeError: no at header (line 1), decodeUplink (line 3)",
		"function Decode() {\nreturn x.y; }":                                                                                "ReferenceError: 'x' is not defined at Decode (line 2)",
		"\nthrow new Error('no');":                                                                                          "Error: no at <anonymous> (line 2)",
		"\neval('1');\nthrow new Error('no');":                                                                              "Error: no",
		"function f(n) { if (n > 9) throw new Error('no'); f(n + 1); }\nfunction decodeUplink() { f(0); }":                  "Error: no at f (line 1), f (line 1), f (line 1)",
		"function decodeUplink() {\nreturn {data: {toJSON() { throw new Error('no'); }}}; }":                                "Error: no at toJSON (line 2)",
		"function decodeUplink() { var a = {}; a.a = a; return {data: a}; }":                                                "TypeError: circular reference",
		"function decodeUplink() {\nreturn {get data() { throw new Error('no'); }}; }":                                      "Error: no at get data (line 2)",
		"function decodeUplink() { throw Object.assign(new Error('no'), {stack: '    at <anonymous> (<eval>:1:1)\\nx'}); }": "Error: no",
		"function decodeUplink() { throw 'no'; }":                                                                           "no",
	} {
		if r := call(open(t, source, Limits{}), up("01")); r.Failure != driver.Exception || r.Reason != want {
			t.Errorf("%s\ngot  %q %q\nwant %q", source, r.Failure, r.Reason, want)
		}
	}
	// Large lists: where the last one finds no room there is some for saying where.
	r := call(open(t, "function decodeUplink() {\nvar a = []; for (;;) a.push(new Array(100000).fill(7)); }", Limits{}), up(""))
	if want := "InternalError: out of memory at decodeUplink (line 2)"; r.Failure != driver.Memory || r.Reason != want {
		t.Errorf("without memory: %q %q", r.Failure, r.Reason)
	}
}

// A codec is not asked what it does when something happens: it is said who is.
func TestCodecsDoNotReact(t *testing.T) {
	e := open(t, "function decodeUplink() { return {data: {}}; } function onEvent() { return {}; }", Limits{})
	want := "no function onEvent of a codec is called: only drivers in WebAssembly react"
	if r := call(e, driver.Call{Op: driver.OnEvent, Kind: "telemetry", Data: map[string]any{}}); r.Failure != driver.Missing || r.Reason != want {
		t.Errorf("%+v, want %q", r, want)
	}
}
