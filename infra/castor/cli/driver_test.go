package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver/sandbox"
)

// The workers of driver commands are the test program itself.
func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// offline runs a command that needs no platform.
func offline(args ...string) (string, error) {
	a := &app{}
	c := a.driverCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

func TestDriverFromScratch(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, kind := range []string{"javascript", "declarative"} {
		name := "acme-" + kind
		if out, err := offline("new", name, "--kind", kind); err != nil {
			t.Fatal(out, err)
		}
		out, err := offline("test", name, "--limit", "5s")
		if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "passed, 0 failed") {
			t.Errorf("what %s begins with does not pass its own tests: %v\n%s", kind, err, out)
		}
		out, err = offline("run", name, "08 98 64", "--limit", "5s")
		if err != nil || !strings.Contains(out, `"temperature": 22`) {
			t.Errorf("run: %v\n%s", err, out)
		}
		if out, err = offline("bench", name, "--for", "100ms"); err != nil || !strings.Contains(out, "calls/s") {
			t.Errorf("bench: %v\n%s", err, out)
		}
	}
	out, err := offline("test")
	if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "\n8 passed, 0 failed") {
		t.Errorf("both at once: %v\n%s", err, out)
	}
	if out, err := offline("new", "acme-javascript"); err == nil {
		t.Error("a folder that is there was written over:", out)
	}
	codec := filepath.Join("acme-javascript", "codec.js")
	text, err := os.ReadFile(codec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(codec, bytes.Replace(text, []byte("raw / 100"), []byte("raw / 10"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = offline("test", "--limit", "5s")
	if err == nil || !strings.Contains(out, "FAIL acme-javascript: a warm day: data.temperature: want 22, got 220") || !strings.HasSuffix(strings.TrimSpace(out), "\n6 passed, 2 failed") {
		t.Errorf("a codec that is wrong: %v\n%s", err, out)
	}
}

// Whatever the layout, and whatever fails, the last line is for all; the vendors' come before.
func TestTheLastLine(t *testing.T) {
	const codec = "function decodeUplink(i) { return {data: {n: i.bytes[0]}}; }"
	for layout, files := range map[string]map[string]string{
		"castor": {
			"a/codec.js": codec, "a/driver.yaml": "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\ntests:\n  - {name: good, bytes: \"01\", want: {data: {n: 1}}}\n  - {name: bad, bytes: \"01\", want: {data: {n: 2}}}\n",
		},
		"lorawan-devices": {
			"vendor/index.yaml": "vendors:\n  - {id: acme, name: Acme}\n", "vendor/acme/index.yaml": "endDevices: [m]\n", "vendor/acme/m.yaml": "name: M\nfirmwareVersions:\n  - {version: '1', profiles: {EU863-870: {codec: m-codec}}}\n",
			"vendor/acme/m-codec.yaml": "uplinkDecoder:\n  fileName: m.js\n  examples:\n    - {description: good, input: {fPort: 1, bytes: [1]}, output: {data: {n: 1}}}\n    - {description: bad, input: {fPort: 1, bytes: [1]}, output: {data: {n: 2}}}\n",
			"vendor/acme/m.js":         codec,
		},
		"chirpstack": {
			"vendors/acme/vendor.toml": "[vendor]\nname = \"Acme\"\n", "vendors/acme/codecs/m.js": codec,
			"vendors/acme/codecs/test_decode_m.json": `[{"name": "good", "input": {"fPort": 1, "bytes": [1]}, "expected": {"data": {"n": 1}}}, {"name": "bad", "input": {"fPort": 1, "bytes": [1]}, "expected": {"data": {"n": 2}}}]`,
		},
	} {
		dir := t.TempDir()
		for name, text := range files {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		out, err := offline("test", "--layout", layout, "--limit", "5s", dir)
		var unwell Unwell
		if !errors.As(err, &unwell) || unwell.ExitCode() != 1 {
			t.Errorf("%s: a test failed, and the command ends with %v", layout, err)
		}
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if lines[len(lines)-1] != "1 passed, 1 failed" || !strings.HasSuffix(lines[0], " 1 passed, 1 failed") || !strings.Contains(out, "bad: data.n: want 2, got 1") {
			t.Errorf("%s:\n%s", layout, out)
		}
	}
}

func TestDriverRefusals(t *testing.T) {
	for want, args := range map[string][]string{
		"no driver of layout":   {"test"},
		"there is no folder x":  {"test", "x"},
		"is there already":      {"new", "a"},
		"is not known":          {"test", "--layout", "x"},
		"must be declarative":   {"new", "a", "--kind", "x"},
		"must be go or c":       {"new", "a", "--kind", "wasm", "--language", "perl"},
		"is for --kind wasm":    {"new", "a", "--language", "c"},
		"must be 1 to 64":       {"new", "../a"},
		"driver.yaml":           {"run", ".", "00"},
		"--for must be":         {"bench", "--for", "1h"},
		"accepts 2 arg(s)":      {"run", "."},
		"accepts at most 1 arg": {"test", "a", "b"},
	} {
		t.Chdir(t.TempDir())
		if want == "--for must be" || want == "is there already" {
			if out, err := offline("new", "a"); err != nil {
				t.Fatal(out, err)
			}
		}
		if want == "--for must be" {
			args = append(args, "a")
		}
		if out, err := offline(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q\n%s", args, err, want, out)
		}
	}
}

// What publishing would refuse is refused before, each fault once, in a line, with what to do.
func TestDriverFaults(t *testing.T) {
	t.Chdir(t.TempDir())
	if out, err := offline("new", "acme"); err != nil {
		t.Fatal(out, err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("acme", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	about, codec := read("driver.yaml"), read("codec.js")
	untested, _, _ := strings.Cut(about, "tests:")
	for want, files := range map[string][2]string{
		"  FAIL acme: driver.yaml: line 5: \"titel\" is not known here; there are code, firmware":                         {strings.Replace(about, "title:", "titel:", 1), codec},
		"  FAIL acme: version \"1.0\" must be a semantic version":                                                         {strings.Replace(about, "0.1.0", "\"1.0\"", 1), codec},
		"  FAIL acme: firmware \"1..2\" must be a range of versions":                                                      {strings.Replace(about, "kind:", "firmware: 1..2\nkind:", 1), codec},
		"  FAIL acme: tests: there is none, and a driver without tests is not taken; give one":                            {untested, codec},
		"  FAIL acme: code cannot be loaded: line 21: SyntaxError":                                                        {about, codec + "function ("},
		"  FAIL acme: driver.yaml: code: there is no file driver.wasm; build the module\n":                                {strings.NewReplacer("javascript", "wasm", "codec.js", "driver.wasm").Replace(about), codec},
		"  FAIL acme: driver.yaml: line 1: a list must be text\n  FAIL acme: driver.yaml: line 5: \"titel\" is not known": {strings.NewReplacer("name: acme", "name: [acme]", "title:", "titel:").Replace(about), codec},
	} {
		for i, name := range []string{"driver.yaml", "codec.js"} {
			if err := os.WriteFile(filepath.Join("acme", name), []byte(files[i]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := offline("test", "acme", "--limit", "5s")
		if err == nil || !strings.Contains(out, want) || strings.Count(out, "FAIL") != strings.Count(want, "FAIL") {
			t.Errorf("%v, want %s\n%s", err, want, out)
		}
	}
}

// What the common names are is shown beside what the device calls it.
func TestDriverRunNormalises(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"driver.yaml": "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\n",
		"codec.js":    "function decodeUplink(i) { return {data: {T: i.bytes[0]}}; }\nfunction normalizeUplink(i) { return {data: {air: {temperature: i.data.T}}}; }",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := offline("run", ".", "07", "--limit", "5s")
	if err != nil || !strings.Contains(out, `"T": 7`) || !strings.Contains(out, "normalised: true") || !strings.Contains(out, `"temperature": 7`) {
		t.Errorf("%v\n%s", err, out)
	}
}

// A command is written as one that was sent to a device: a codec is told its name.
func TestDriverRunWritesCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"driver.yaml": "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\n",
		"codec.js":    "function encodeDownlink(i) { return {bytes: [i.command === 'close' ? 2 : 1, i.data.value || 0], fPort: 5}; }",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"02 00": {"run", ".", "--encode", "null", "--command", "close", "--limit", "5s"},
		"01 28": {"run", ".", "--encode", "40", "--command", "open", "--limit", "5s"},
	} {
		if out, err := offline(args...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v, want %s\n%s", args, err, want, out)
		}
	}
	if out, err := offline("run", ".", "00", "--command", "open"); err == nil || !strings.Contains(err.Error(), "--encode") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A codec that answers without data, and a folder of another layout, are told with what to do.
func TestDriverRemedies(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"driver.yaml":    "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\ntests: [{bytes: \"01\", want: {}}]\n",
		"codec.js":       "function decodeUplink(i) { for (; i.bytes[0] === 2;); return {n: i.bytes[0]}; }",
		"ttn/codec.yaml": "uplinkDecoder: {fileName: gone.js, examples: [{description: x, input: {fPort: 1, bytes: [1]}, output: {data: {}}}]}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"nothing of such a message is kept":                                      {"run", ".", "01", "--limit", "5s"},
		"longer than it may; --limit gives it longer here, limit in driver.yaml": {"run", ".", "02", "--limit", "50ms"},
		"in ttn; there are some of --layout lorawan-devices":                     {"test", "ttn"},
		"FAIL codec: there is no file gone.js":                                   {"test", "--layout", "lorawan-devices", "ttn"},
		"castor driver get NAME --to DIR":                                        {"run", "ttn", "01"},
	} {
		if out, err := offline(args...); !strings.Contains(out+fmt.Sprint(err), want) {
			t.Errorf("%v: %v, want %q\n%s", args, err, want, out)
		}
	}
}
