package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// A device that has curl and nothing else comes in, reports, is told what to do and gets a new certificate, by what
// docs/devices-http.md says.
func TestTheGuideForHTTPDevices(t *testing.T) {
	both(t, func(t *testing.T, stage Option) { theGuideForHTTPDevices(t, NewWorld(t, stage)) })
}

func theGuideForHTTPDevices(t *testing.T, w *World) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "devices-http.md"))
	if err != nil {
		t.Fatal(err)
	}
	w.Type("pump")
	w.Identity("P-7")
	claim := w.Claim("pump", "press")
	if claim.Gateway = claim.Gateways["http"]; claim.Gateway == "" {
		t.Fatalf("the claim names the gateways %v", claim.Gateways)
	}
	dir := t.TempDir()
	b, err := json.Marshal(claim)
	w.must(err, "the claim")
	w.must(os.WriteFile(filepath.Join(dir, "claim.json"), b, 0o600), "the claim file")

	var steps []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(m[1], "castor ") && !strings.Contains(m[1], "$(castor ") { // these are for who has castor beside curl
			steps = append(steps, m[1])
		}
	}
	do := func(script string) string {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("the guide's commands end with %v (they need bash, curl, jq and openssl):\n%s", err, out)
		}
		return string(out)
	}
	// The first three: coming in, confirming, reporting. Each runs after those before it, as in one shell.
	in := strings.Join(steps[:2], "\n")
	if said := do(in + "\n" + steps[2]); !strings.Contains(said, `{"epoch":1,"seq":1,"waiting":0}`) {
		t.Fatalf("the device is told %s", said)
	}
	device := strings.Join(strings.SplitAfter(steps[1], "\n")[1:3], "")
	id := twin.ID("p-7")
	w.Eventually("the twin is operational", func() bool { return w.Twin(id).Definition.Phase == twin.Operational })
	if v := w.Reported(id, "bearing.temperature"); v != 61.5 {
		t.Errorf("the twin has %v", v)
	}
	asked, err := w.Admin.SendCommand(w.Context(), api.NewCommand{Twin: id, Name: "open", Input: json.RawMessage(`{"percent":40}`), Timeout: twin.Duration(600e9)})
	w.must(err, "a command")
	if said := do(device + steps[3]); !strings.Contains(said, asked.ID) {
		t.Errorf("the poll brings %s", said)
	}
	if said := do(device + strings.ReplaceAll(steps[4], "cmd-2e18b746ad8dd5f7", asked.ID)); !strings.Contains(said, `{"epoch":1,"seq":3,"waiting":0}`) {
		t.Errorf("the answer is answered %s", said)
	}
	if n := w.Ended(w.Admin, asked.ID); n.State != api.CommandSucceeded {
		t.Errorf("the command is %+v", n)
	}
	if said := do(device + steps[5]); !strings.Contains(said, "{}") {
		t.Errorf("the new certificate is answered %s", said)
	}
	w.Eventually("the old certificate is refused", func() bool { return strings.Contains(do(device+`$device "$HOST/v1/ack"`), `"status":401`) })
	if said := do(device + `curl -s --cacert ca.pem --cert next.pem --key next.key "$HOST/v1/ack"`); !strings.Contains(said, `"seq":3`) && !strings.Contains(said, `"waiting":0`) {
		t.Errorf("the new certificate is answered %s", said)
	}
}
