package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// What is wrong with a payload is said in words that go with how it was given; a test without a name is known by its place.
func TestDriverRunSaysWhatIsWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"driver.yaml": "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\ntests:\n  - {bytes: \"01\", want: {data: {n: 1}}}\n  - {bytes: \"02\", want: {data: {n: 1}}}\n",
		"codec.js":    "function decodeUplink(i) { return {data: {n: i.bytes[0]}}; }",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const hexadecimal = "; it is hexadecimal, unless --text, --base64, --encode or --event is given"
	for want, args := range map[string][]string{
		"PAYLOAD: 'z' is no hexadecimal digit" + hexadecimal:                           {"0z"},
		"PAYLOAD: 'é' is no hexadecimal digit" + hexadecimal:                           {"é0"},
		"PAYLOAD: 3 hexadecimal digits are no whole bytes; each has two" + hexadecimal: {"01 2"},
		"PAYLOAD must be base64 with its padding, like AH0=":                           {"--base64", "%"},
		"PAYLOAD must be JSON: unexpected end of JSON input; " + likeJSON:              {"--encode", "{"},
		"PAYLOAD is one argument, here it is 3; put it into quotes: '08 98 64'":        {"08", "98", "64"},
		"--state: 'y' is no hexadecimal digit":                                         {"--event", "telemetry", "{}", "--state", "0y"},
		"--state goes with --event: it is what on_event answered last":                 {"00", "--state", "00"},
		"no function onEvent of a codec is called: only drivers in WebAssembly react":  {"--event", "telemetry", "{}", "--limit", "5s"},
	} {
		if out, err := offline(append([]string{"run", "."}, args...)...); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v: %v, want %q\n%s", args, err, want, out)
		}
	}
	out, err := offline("test", "--limit", "5s", "-v")
	if err == nil || !strings.Contains(out, "ok   a: tests[0]\n") || !strings.Contains(out, "FAIL a: tests[1]: data.n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The figures of a benchmark say when they are those of a machine that has more to do than it can.
func TestBenchOnABusyMachine(t *testing.T) {
	for want, got := range map[string]string{
		"": crowded(2, 2),
		"the machine is busy: load average 2.1 on 2 cores\n": crowded(2.1, 2),
		"the machine is busy: load average 16.0 on 1 core\n": crowded(16, 1),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What a document cannot mean is refused by castor driver test, too, though it would run and its tests pass.
func TestDriverTestRefusesWhatCannotBeMeant(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"driver.yaml": "name: a\nversion: 1.0.0\nkind: declarative\ncode: fields.yaml\ntests:\n  - {text: \"21.5\", want: {data: {t: \"21.5\"}}}\n",
		"fields.yaml": "castor: 1\nuplink: {format: text, fields: [{name: t, unit: Cel}]}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := offline("test", "--limit", "5s")
	if err == nil || !strings.Contains(out, "FAIL a: code: line 2: uplink[0].fields[0].unit is of numbers, and this stays a text: add as: number") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A canary is said to be for those that it is for, and for no share of 0%.
func TestCanariesInWords(t *testing.T) {
	for want, c := range map[string]api.Canary{
		"canary for 5%":             {Percent: 5},
		"canary for 1 twin":         {Twins: []twin.ID{"th-1"}},
		"canary for 5% and 2 twins": {Percent: 5, Twins: []twin.ID{"th-1", "th-2"}},
	} {
		if got := driverState(api.DriverVersion{State: api.DriverCanary, Canary: c}); got != want {
			t.Errorf("%+v is said to be %q, want %q", c, got, want)
		}
	}
}
