package cli

import (
	"os"
	"strings"
	"testing"
)

// A codec of before TS013 is a driver as it is: its folder says the port.
func TestADriversPort(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("codec.js", "function Encoder(object, port) { return [object.percent, port]; }")
	manifest := "name: old\nversion: 1.0.0\nkind: javascript\ncode: codec.js\nPORT\ntests:\n- {op: encodeDownlink, data: {percent: 40}, want: {bytes: 28 0a, port: 10}}\n"
	write("driver.yaml", strings.Replace(manifest, "PORT", "port: 10", 1))
	if out, err := offline("test", "--limit", "5s"); err != nil || !strings.HasSuffix(strings.TrimSpace(out), "1 passed, 0 failed") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{}, {"--command", "open"}} {
		if out, err := offline(append([]string{"run", ".", "--encode", `{"percent": 40}`, "--limit", "5s"}, args...)...); err != nil || out != "28 0a\nport: 10\n" {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if out, err := offline("run", ".", "--encode", `{"percent": 40}`, "--port", "7", "--limit", "5s"); err != nil || out != "28 07\nport: 7\n" {
		t.Errorf("another port: %v\n%s", err, out)
	}
	write("driver.yaml", strings.Replace(manifest, "PORT", "port: 224", 1))
	if out, err := offline("test"); err == nil || !strings.Contains(out, "port 224 must be 1 to 223") {
		t.Errorf("%v\n%s", err, out)
	}
}
