package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// A network server is brought in, and LoRaWAN devices behind it, by what docs/lorawan.md says.
func TestLoRaWAN(t *testing.T) {
	both(t, func(t *testing.T, stage Option) { loRaWAN(t, NewWorld(t, stage)) })
}

func loRaWAN(t *testing.T, w *World) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "lorawan.md"))
	if err != nil {
		t.Fatal(err)
	}
	publishValve(w)
	types := regexp.MustCompile(`(?m)^castor type create (\S+)(?: --driver (\S+))? --provisioning (\S+)`).FindAllStringSubmatch(string(text), -1)
	for _, m := range types {
		w.Type(twin.TypeID(m[1]), func(model *twin.Model) { model.Driver, model.Provisioning = m[2], m[3] })
	}
	plant := w.Owner("plant")
	page := w.made()
	run, err := plant.StartRun(w.Context(), api.NewRun{Type: "network-server", Owner: "plant", Serial: "tts-1", Protocol: "http", Kind: "token", PublicKey: page.public})
	w.must(err, "the integration")
	confirm := func(state string) {
		w.Helper()
		in := api.Decide{Trigger: provision.Confirmed, State: state}
		if state == "serial" {
			in.Serial = "tts-1"
		}
		w.Eventually("the installer is at "+state, func() bool {
			_, err := plant.DecideRun(w.Context(), run.ID, in)
			return err == nil
		})
	}
	confirm("place")
	confirm("serial")
	w.Eventually("the token can be fetched", func() bool {
		page.bundle, err = plant.RunBundle(w.Context(), run.ID)
		return err == nil
	})
	plain, err := seal.Open(page.private, api.SealInfo(page.bundle.Ref), page.bundle.Sealed)
	w.must(err, "the token")
	confirm("install")

	dir := t.TempDir()
	b, err := json.Marshal(map[string]any{"gateway": page.bundle.Gateway, "ca": page.bundle.CA, "secret": json.RawMessage(plain)})
	w.must(err, "the file")
	w.must(os.WriteFile(filepath.Join(dir, "tts.json"), b, 0o600), "the file")
	var steps []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(m[1], "castor ") {
			steps = append(steps, m[1])
		}
	}
	do := func(step int) string {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.Join(append(steps[:1:1], steps[step]), "\n"))
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("the guide's commands end with %v (they need bash, curl and jq):\n%s", err, out)
		}
		return string(out)
	}
	w.Eventually("the network server is let in", func() bool { return strings.Contains(do(0), `"waiting":0`) })
	w.Eventually("its run is over", func() bool {
		run, err = plant.GetRun(w.Context(), run.ID)
		w.must(err, "run")
		return run.Outcome == provision.Completed
	})

	add := func(of twin.TypeID, eui string) twin.ID {
		t.Helper()
		r, err := plant.StartRun(w.Context(), api.NewRun{Type: of, Owner: "plant", Serial: eui, Via: run.Twin})
		w.must(err, "add "+eui)
		if r.State != "online" {
			t.Fatalf("%s is in state %s: %s", eui, r.State, stepsOf(&r))
		}
		return r.Twin
	}
	if said := do(1); !strings.Contains(said, `"reason":"no-twin"`) {
		t.Errorf("before anybody has brought it in, its frame is answered %s", said)
	}
	added := map[string]twin.ID{}
	for _, m := range regexp.MustCompile(`(?m)^castor device add (\S+) .*--serial (\S+)`).FindAllStringSubmatch(string(text), -1) {
		added[m[1]] = add(twin.TypeID(m[1]), m[2])
	}
	meter, door, valve := added["meter"], added["door"], added["valve"]
	if len(types) != 4 || valve == "" || meter == "" || door == "" {
		t.Fatalf("the guide makes the types %v and the devices %v", types, added)
	}
	w.Eventually("its frames are its twin's", func() bool { return strings.HasSuffix(strings.TrimSpace(do(1)), `{"device":"0004a30b001c0530"}`) })
	do(1) // told again
	if said := do(2); !strings.Contains(said, `{"device":"0101010101010101"}`) {
		t.Errorf("the door's frame is answered %s", said)
	}
	w.Eventually("both are operational and have data", func() bool {
		return w.Twin(meter).Definition.Phase == twin.Operational && w.Twin(door).Definition.Phase == twin.Operational &&
			w.Reported(meter, "temperature_3") == 27.2 && w.Reported(door, "open") == true
	})
	page1, err := w.Admin.History(w.Context(), api.HistoryQuery{Twin: meter, Kind: "telemetry", From: w.Twin(meter).Live.Reported[0].At.Add(-1), To: w.Twin(meter).Live.Reported[0].At.Add(1e9)})
	w.must(err, "history")
	if len(page1.Items) != 1 {
		t.Fatalf("a frame that was told several times is in history %d times: %+v", len(page1.Items), page1.Items)
	}
	// What it sent before it was brought in is its twin's now, too: the same frame, so that history still has it once.
	adopted, err := plant.AdoptParked(w.Context(), meter, "")
	w.must(err, "adopt")
	redrive, err := plant.Redrive(w.Context(), api.NewRedrive{Twin: meter})
	w.must(err, "redrive")
	redrive, err = plant.WaitRedrive(w.Context(), redrive.ID, nil)
	w.must(err, "redrive")
	again, err := w.Admin.History(w.Context(), api.HistoryQuery{Twin: meter, Kind: "telemetry", From: page1.Items[0].At.Add(-1), To: page1.Items[0].At.Add(1e9)})
	w.must(err, "history")
	if adopted.Adopted != 1 || redrive.Stored != 1 || len(again.Items) != 1 {
		t.Errorf("adopted: %+v, read: %+v, history has the frame %d times", adopted, redrive, len(again.Items))
	}
	relayed, err := plant.ListRelayed(w.Context(), run.Twin, "")
	w.must(err, "list")
	if len(relayed.Items) != 3 {
		t.Errorf("%+v", relayed.Items)
	}

	if !strings.Contains(string(text), "castor command send "+string(valve)+" open ") {
		t.Errorf("the guide does not send a command to %s", valve)
	}
	var secret struct {
		Secret string `json:"secret"`
	}
	w.must(json.Unmarshal(plain, &secret), "the token")
	commandsByLoRaWAN(w, plant, valve, &page.bundle, secret.Secret)

	// Its place is the network server's, and its end too.
	w.must(w.Admin.RevokeCredential(w.Context(), page.bundle.Ref, "stolen"), "revoke")
	w.Eventually("nobody speaks for the meter any more", func() bool { return strings.Contains(do(1), `"status":401`) })
	if ref := device.RelayedRef(page.bundle.Ref, "0004A30B001C0530"); !slices.ContainsFunc(relayed.Items, func(d api.CredentialFact) bool { return d.Ref == ref }) {
		t.Errorf("the meter is known as %s", ref)
	}
}
