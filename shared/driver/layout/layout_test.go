package layout

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/javascript"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const meter = `
function decodeUplink(input) {
  if (input.fPort !== 1) { return { errors: ['unknown FPort'] }; }
  return { data: { level: (input.bytes[0] << 8 | input.bytes[1]) / 10, at: input.recvTime }, warnings: input.bytes[0] > 127 ? ['high'] : [] };
}
function normalizeUplink(input) { return { data: { water: { level: input.data.level } } }; }
function encodeDownlink(input) { return { bytes: [input.data.on ? 1 : 0], fPort: 9 }; }
function decodeDownlink(input) { return { data: { on: input.bytes[0] === 1 } }; }`

// outcomes runs a suite as castor driver test does, in this process.
func outcomes(t *testing.T, s Suite) (passed int, failed []string) {
	t.Helper()
	if s.Broken != nil {
		return 0, []string{s.Broken.Error()}
	}
	e, err := javascript.New(s.Driver.Code, javascript.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, test := range s.Tests {
		if d := test.Check(javascript.Read(test.Op, e.Call(test.Call))); len(d) > 0 {
			failed = append(failed, test.Name+": "+d[0].String())
		} else {
			passed++
		}
	}
	for _, err := range s.Unread {
		failed = append(failed, err.Error())
	}
	return passed, failed
}

func TestLorawanDevices(t *testing.T) {
	dir := tree(t, map[string]string{
		"vendor/index.yaml":       "vendors:\n  - id: acme\n",
		"vendor/acme/meter.js":    meter,
		"vendor/acme/meter.yaml":  "name: Meter\nfirmwareVersions: []\n",
		"vendor/other/index.yaml": "endDevices: [a]\n",
		"vendor/other/gone.yaml":  "uplinkDecoder:\n  fileName: gone.js\n  examples:\n    - {description: x, input: {fPort: 1, bytes: [1]}, output: {data: {a: 1}}}\n",
		"vendor/acme/meter-codec.yaml": `
uplinkDecoder:
  fileName: meter.js
  examples:
    - description: a level
      input: { fPort: 1, bytes: [0x00, 125], recvTime: 2026-03-01T10:00:00Z }
      output: { data: { level: 12.5, at: 2026-03-01T10:00:00Z } }
      normalizedOutput: { data: [{ water: { level: 12.5 } }] }
    - description: hexadecimal
      input: { fPort: 1, bytes: "80 7D" }
      output: { data: { level: 3289.3 }, warnings: [high] }
    - description: another port
      input: { fPort: 2, bytes: [] }
      output: { errors: ['unknown FPort'] }
    - description: what its maker did not check
      input: { fPort: 1, bytes: [0, 1] }
      output: { data: { level: 1, unit: cm } }
    - description: no output
      input: { fPort: 1, bytes: [0, 1] }
downlinkEncoder:
  fileName: meter.js
  examples:
    - description: "on"
      input: { data: { on: true } }
      output: { bytes: [1], fPort: 9 }
downlinkDecoder:
  fileName: meter.js
  examples:
    - description: "off"
      input: { fPort: 9, bytes: [0] }
      output: { data: { on: false } }
`,
	})
	suites, err := Read("lorawan-devices", dir)
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	var failed []string
	for _, s := range suites {
		p, f := outcomes(t, s)
		passed, failed = passed+p, append(failed, f...)
	}
	said := strings.Join(failed, "\n")
	if passed != 6 || len(failed) != 3 {
		t.Errorf("%d passed, failed:\n%s", passed, said)
	}
	for _, want := range []string{"data.level: want 1, got 0.1", `"no output" has no output`, "gone.js"} {
		if !strings.Contains(said, want) {
			t.Errorf("not told: %s\n%s", want, said)
		}
	}
	if one, err := Read("lorawan-devices", filepath.Join(dir, "vendor", "acme")); err != nil || len(one) != 3 {
		t.Errorf("the folder of one vendor: %d suites, %v", len(one), err)
	}
}

func TestChirpStack(t *testing.T) {
	suites, err := Read("chirpstack", tree(t, map[string]string{
		"vendors/acme/vendor.toml":                   "[vendor]\nname = \"Acme\"\n",
		"vendors/acme/codecs/meter.js":               meter,
		"vendors/acme/codecs/test_decode_meter.json": `[{"name": "a level", "input": {"fPort": 1, "bytes": [ 0x00, 0x7D ]}, "expected": {"data": {"level": 12.5}}}]`,
		"vendors/acme/codecs/test_encode_meter.json": `[{"name": "on", "input": {"data": {"on": true}}, "expected": {"bytes": [1]}}]`,
	}))
	if err != nil || len(suites) != 2 {
		t.Fatal(suites, err)
	}
	for _, s := range suites {
		if passed, failed := outcomes(t, s); s.Vendor != "acme" || passed != 1 || len(failed) > 0 {
			t.Errorf("%s %s: %d passed, %v", s.Vendor, s.Name, passed, failed)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := tree(t, map[string]string{"codec.js": meter, FileName: `
name: acme-meter
version: 1.2.0
kind: javascript
code: codec.js
firmware: ">=1 <2"
limit: 50ms
port: 9
tests:
  - {name: hex, bytes: 00 7d, port: 1, want: {data: {level: 12.5}}}
  - {name: base64, base64: AH0=, port: 1, want: {data: {level: 12.5}}}
  - {name: an error, text: x, want: {errors: [""]}}
  - {name: down, op: encodeDownlink, command: set, data: {on: true}, want: {bytes: "01", port: 9}}
  - {name: frost, op: onEvent, kind: state, state: "00", data: {temperature: -1}, want: {state: "01", commands: [{name: heat}]}}
  - {name: no frost, op: onEvent, want: {commands: []}}
  - {name: a log, bytes: 00 7d, want: {records: [{time: 2026-03-01T10:00:00Z, data: {level: 12}}], warnings: []}}
  - {name: a time, time: 2026-03-01T10:00:00Z, bytes: "", want: {data: {at: 2026-03-01T10:00:00.000Z, deep: [{"on": 2026-03-01}]}, bytes: ""}}
`})
	d, err := Folder(dir)
	if err != nil || d.Name != "acme-meter" || d.Limit != 50*time.Millisecond || d.Port != 9 || d.Kind != driver.JavaScript || len(d.Tests) != 8 {
		t.Fatal(d, err)
	}
	if d.Tests[3].Command != "set" {
		t.Errorf("%+v", d.Tests[3])
	}
	frost, none, log := d.Tests[4], d.Tests[5], d.Tests[6]
	if frost.Op != driver.OnEvent || frost.Kind != "state" || !bytes.Equal(frost.State, []byte{0}) || !bytes.Equal(frost.Want.State, []byte{1}) ||
		!reflect.DeepEqual(frost.Want.Commands, []any{map[string]any{"name": "heat"}}) {
		t.Errorf("a test of an event: %+v", frost)
	}
	if none.Want.Commands == nil || none.Want.State != nil || none.State != nil {
		t.Errorf("a test that no command comes: %+v", none)
	}
	if at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC); !reflect.DeepEqual(log.Want.Records, []driver.Record{{Time: at, Data: map[string]any{"level": 12.0}}}) {
		t.Errorf("a test of records: %+v", log.Want)
	}
	if want := map[string]any{"at": "2026-03-01T10:00:00.000Z", "deep": []any{map[string]any{"on": "2026-03-01"}}}; !reflect.DeepEqual(d.Tests[7].Want.Data, want) {
		t.Errorf("times without quotes: %v", d.Tests[7].Want.Data)
	}
	again := filepath.Join(t.TempDir(), "again")
	if _, err := Write(again, d, false); err != nil {
		t.Fatal(err)
	}
	if same, err := Folder(again); err != nil || !reflect.DeepEqual(same, d) {
		text, _ := os.ReadFile(filepath.Join(again, FileName))
		t.Errorf("what was written is another driver: %+v, want %+v, %v\n%s", same, d, err, text)
	}
	if _, err := Write(again, d, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("files were written over: %v", err)
	}
	if files, err := Write(again, d, true); err != nil || len(files) != 2 {
		t.Errorf("files were not written over: %v %v", files, err)
	}
	d.Tests = d.Tests[:4]
	if passed, failed := outcomes(t, Suite{Driver: *d, Tests: d.Tests}); passed != 4 {
		t.Error(failed)
	}
	for text, want := range map[string]string{
		"name: x\ncode: ../../secret\n":                       "must be a file in the folder",
		"name: x\ncode: gone.js\n":                            "gone.js",
		"name: x\nkind: javascript\n":                         "code must name the file",
		"name: x\ncode: codec.js\nverison: 1\n":               `driver.yaml: line 3: "verison" is not known here; there are code, firmware, kind, license, limit, maker, name, note, port, tests, title, version`,
		"name: x\ncode: codec.js\nlimit: soon\ntests: 3\n":    "line 3: \"soon\" must be a duration like 100ms\ndriver.yaml: line 4: \"3\" must be a list",
		"code: codec.js\ntests: [{want: {dta: 1}}]\n":         `"dta" is not known here; there are bytes, commands, data, errors`,
		"code: codec.js\nname: [x]\n":                         "line 2: a list must be text",
		"name: x\n\tcode: codec.js\n":                         "driver.yaml: line 2: found",
		"name: x\nkind: wasm\ncode: driver.wasm\n":            "there is no file driver.wasm; build the module",
		"code: codec.js\ntests: [{bytes: 0g}]\n":              "hexadecimal",
		"code: codec.js\ntests: [{bytes: [1, 300]}]\n":        "0 to 255",
		"code: codec.js\ntests: [{bytes: 00, text: a}]\n":     "one of bytes, base64 and text",
		"code: codec.js\ntests: [{bytes: 00, time: at noon}]": "must be like",
	} {
		dir := tree(t, map[string]string{"codec.js": meter, FileName: text})
		if _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A module that was not built yet is built by the folder's own Makefile, and the folder is called as its maker calls it.
func TestModuleNotBuilt(t *testing.T) {
	dir := tree(t, map[string]string{"a/Makefile": "", "a/" + FileName: "name: x\nkind: wasm\ncode: driver.wasm\n"})
	want := "driver.yaml: code: there is no file driver.wasm; build it: make -C " + filepath.Join(dir, "a")
	if _, err := Folder(filepath.Join(dir, "a")); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Error(err)
	}
	if s, err := Read("castor", dir); err != nil || len(s) != 1 || s[0].Broken == nil || s[0].Broken.Error() != want {
		t.Error(s, err)
	}
	if _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), "castor driver new") {
		t.Error(err)
	}
}

func TestNothingThere(t *testing.T) {
	for layout, want := range map[string]string{"castor": "no driver", "lorawan-devices": "no driver", "chirpstack": "no driver", "other": "is not known"} {
		if _, err := Read(layout, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", layout, err)
		}
	}
	if _, err := Read("castor", filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("a folder that is not there has drivers")
	}
}
