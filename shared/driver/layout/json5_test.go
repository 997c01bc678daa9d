package layout

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJSON5(t *testing.T) {
	for text, want := range map[string]any{
		`null`: nil, ` true `: true, "\ufefffalse": false, `"a\/\u00e9\ud83d\ude00\x41\n"`: "a/é😀A\n", `'it\'s "so"'`: `it's "so"`, "'a\\\nb\\\r\nc'": "abc", `"\0\v\q"`: "\x00\vq",
		`0x7F`: 127.0, `-0XfF`: -255.0, `.5`: 0.5, `5.`: 5.0, `+1e3`: 1000.0, `-1.5E-2`: -0.015, `Infinity`: math.Inf(1), `-Infinity`: math.Inf(-1), `1e400`: math.Inf(1), `9007199254740993`: 9007199254740992.0,
		`[]`: []any{}, `[1,]`: []any{1.0}, "{a: 1, 'b c': [2,], \"d\": {},}": map[string]any{"a": 1.0, "b c": []any{2.0}, "d": map[string]any{}}, `{$x_1: null, ä: 1}`: map[string]any{"$x_1": nil, "ä": 1.0},
		"// one\n{ // two\n a /* three\n */ : 1 // four\n}\n/**/": map[string]any{"a": 1.0}, "[1,\t2,\u00a03]": []any{1.0, 2.0, 3.0}, `{\u0061b\u00e9: 1}`: map[string]any{"abé": 1.0}, `{a:1,a:2}`: map[string]any{"a": 2.0}, `["// no", '/* no */']`: []any{"// no", "/* no */"},
	} {
		if got, err := parseJSON5(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": `"" is no value`, "[1 2]": "comma", "[\n1,\n}": "line 3", `{`: "missing", `[`: "missing", `{a`: "colon", `{a:`: "no value", `{a 1}`: "colon", `{:1}`: "name", `{a\x62: 1}`: "u0061", `{\u00: 1}`: "no end", `{\: 1}`: "u0061", `[,]`: "no value", `"a`: "no end", "'a\nb'": "no end", `/*`: "comment", `1_000`: "no value", `+-1`: "no value", `0x`: "no value", `0xg`: "no value", `nul`: "no value", `--1`: "no value",
		`[1] x`: "more after", `"\u12"`: "no end", `"\uzzzz"`: "no character", `"\`: "no end", strings.Repeat("[", 5000): "too deep", `{a:1`: "missing", `nan`: "no value", `inf`: "no value", `1e`: "no value",
	} {
		if v, err := parseJSON5(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v %v, want %q", text, v, err, want)
		}
	}
}

// What is JSON is the same as JSON5.
func FuzzJSON5(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,-0,"x\"y\\\u00e9",null,true,{}]}`, `[1,]`, `'a'`, `0x1f`, `"\ud83d\ude00"`, "// c\n1", "{a:1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseJSON5(s)
		var want any
		if utf8.ValidString(s) && json.Unmarshal([]byte(s), &want) == nil && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%q: %v %v, want %v", s, got, err, want)
		}
	})
}

// Tests of ChirpStack's as people write them.
func TestTestsInJSON5(t *testing.T) {
	const echo = `function decodeUplink(i) { return { data: { text: 'a/b 😀', code: '010', day: '2021-13-45', bytes: i.bytes, port: i.fPort } }; }`
	for name, text := range map[string]string{
		"JSON":  "[\n\t{\n\t\t\"name\": \"x\", \"input\": {\"fPort\": 1e0, \"bytes\": [1, 8]},\r\n\t\t\"expected\": {\"data\": {\"text\": \"a\\/b \\ud83d\\ude00\", \"code\": \"010\", \"day\": \"2021-13-45\", \"bytes\": [1, 8], \"port\": 1}, \"errors\": [], \"warnings\": []}\n\t}\n]\n",
		"JSON5": "\ufeff[\n{\n  name: 'x', // a name\n  input: {\"fPort\": 0x01, // one\n    bytes: [0x01,0x08,], },\n  expected: {data: {text: \"a/b 😀\", code: '010', day: \"2021-13-45\", \"bytes\": [1, 8], port: 1, none: null}, warnings: []}\n}, /* the last */ ]",
	} {
		suites, err := Read("chirpstack", tree(t, map[string]string{"vendors/acme/codecs/a b.js": echo, "vendors/acme/codecs/test_decode_a b.json": text}))
		if err != nil || len(suites) != 1 {
			t.Fatalf("%s: %+v %v", name, suites, err)
		}
		if passed, failed := outcomes(t, suites[0]); passed != 1 || len(failed) > 0 {
			t.Errorf("%s: %d passed, %v", name, passed, failed)
		}
	}
	suites, err := Read("chirpstack", tree(t, map[string]string{"codecs/a.js": echo, "codecs/test_decode_a.json": "[\n{name: }]", "codecs/test_encode_a.json": "{}"}))
	if err != nil || len(suites) != 2 || suites[0].Broken == nil || !strings.Contains(suites[0].Broken.Error(), "test_decode_a.json: line 2") || suites[1].Broken == nil {
		t.Errorf("%+v %v", suites, err)
	}
}
