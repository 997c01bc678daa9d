package layout

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// wanted reads data of an example as the collections write it.
func wanted(t *testing.T, data string) any {
	t.Helper()
	suites, err := Read("lorawan-devices", tree(t, map[string]string{
		"vendor/acme/a.js":   meter,
		"vendor/acme/a.yaml": "uplinkDecoder:\n  fileName: a.js\n  examples:\n    - description: x\n      input: {fPort: 1, bytes: [1]}\n      output:\n        data: " + data + "\n",
	}))
	if err != nil || len(suites) != 1 || suites[0].Broken != nil || len(suites[0].Tests) != 1 {
		t.Fatalf("%s: %+v %v", data, suites, err)
	}
	return suites[0].Tests[0].Want.Data
}

// What js-yaml reads of a scalar, by the JSON that it makes of it.
func TestAsJSYAML(t *testing.T) {
	for scalar, want := range map[string]string{
		`010`: `10`, `-010`: `-10`, `+007`: `7`, `00`: `0`, `0o10`: `8`, `0x1F`: `31`, `0b101`: `5`, `0X1f`: `"0X1f"`, `0778`: `778`, `0c05`: `"0c05"`, `12e5`: `1200000`, `.5`: `0.5`, `5.`: `5`, `-.5`: `"-.5"`, `1e3`: `1000`, `0.10`: `0.1`,
		`yes`: `"yes"`, `on`: `"on"`, `n`: `"n"`, `True`: `true`, `~`: `null`, `12:30:45`: `"12:30:45"`, `12345678901234567890`: `12345678901234567000`, `"010"`: `"010"`, `!!str 010`: `"010"`, `1.2.3`: `"1.2.3"`,
		`2021-01-02`: `"2021-01-02T00:00:00.000Z"`, `2021-01-02 03:04:05`: `"2021-01-02T03:04:05.000Z"`, `2021-01-02T03:04:05.5+01:00`: `"2021-01-02T02:04:05.500Z"`, `2001-12-14 21:59:43.10 -5`: `"2001-12-15T02:59:43.100Z"`, `2021-1-2`: `"2021-1-2"`, `2021-13-45`: `"2022-02-14T00:00:00.000Z"`, `'2021-01-02'`: `"2021-01-02"`,
		`"a\/b"`: `"a/b"`, `{010: 1, null: 2, true: 3, 1e3: 4}`: `{"10": 1, "null": 2, "true": 3, "1000": 4}`, `[{a: 010}, [~]]`: `[{"a": 10}, [null]]`, `{<<: {p: 1, q: 2}, q: 3}`: `{"p": 1, "q": 3}`, `{bytes: [010]}`: `{"bytes": [10]}`,
	} {
		var js any
		if err := json.Unmarshal([]byte(want), &js); err != nil {
			t.Fatal(err)
		}
		if got := wanted(t, `{a: `+scalar+`}`).(map[string]any)["a"]; !reflect.DeepEqual(got, js) {
			t.Errorf("%s is %v, in js-yaml %v", scalar, got, js)
		}
	}
}

// Files as people write them: with a byte order mark, Windows' ends of lines, tabs, anchors, names with spaces, notes that are no list.
func TestOddFiles(t *testing.T) {
	suites, err := Read("lorawan-devices", tree(t, map[string]string{
		"vendor/acme/Water Meter.js": "\ufeff" + strings.ReplaceAll(meter, "\n", "\r\n"),
		"vendor/acme/bom.yaml":       "\ufeffuplinkDecoder:\r\n  fileName: Water Meter.js\t\r\n  examples:\t# one\r\n    - description: x\r\n      input: {fPort: 1,\tbytes: [0, 010]}\r\n      output: {data: {level: 1}}\r\n",
		"vendor/acme/anchor.yaml":    "x: &in\n  fPort: 1\n  bytes: 0010\nuplinkDecoder:\n  fileName: Water Meter.js\n  examples:\n    - {description: a, input: *in, output: {data: {level: 1.6}}}\n    - description: b\n      input: {<<: *in, fPort: 2, recvTime: ''}\n      output: {errors: unknown FPort, warnings: null}\n",
		"vendor/acme/json.yaml":      "{\n\t\"uplinkDecoder\": {\n\t\t\"fileName\": \"Water Meter.js\",\n\t\t\"examples\": [{\"input\": {\"fPort\": 1, \"bytes\": [255, 0], \"recvTime\": \"2024-06-20T14:51:53+0200\"}, \"output\": {\"data\": {\"level\": 6528, \"at\": \"2024-06-20T12:51:53.000Z\"}, \"warnings\": \"high\"}}]\n\t}\n}\n",
		"vendor/acme/none.yaml":      "uplinkDecoder:\n  fileName: Water Meter.js\n  examples:\ndownlinkEncoder:\n  fileName: Water Meter.js\n  examples: []\n",
	}))
	if err != nil || len(suites) != 3 {
		t.Fatalf("%+v %v", suites, err)
	}
	for _, s := range suites {
		if passed, failed := outcomes(t, s); len(failed) > 0 || passed == 0 {
			t.Errorf("%s: %d passed, %v", s.Name, passed, failed)
		}
	}
}
