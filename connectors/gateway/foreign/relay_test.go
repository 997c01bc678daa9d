package foreign_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/foreign"
	relay "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A joined is a stranger whose gateway is configured and whose devices' messages are relayed.
type joined struct {
	t        *testing.T
	w        *linktest.World
	stranger *stranger
	url      string
	http     *http.Client
	token    string
}

const account = "svc-acme"

// authenticate knows the account's token, and that of another.
func authenticate(_ context.Context, h http.Header) (access.Caller, http.Header, error) {
	switch h.Get("Authorization") {
	case "Bearer acme":
		return access.Caller{ID: account, Kind: access.Service}, h, nil
	case "Bearer other":
		return access.Caller{ID: "svc-other", Kind: access.Service}, h, nil
	case "Bearer person":
		return access.Caller{ID: account, Kind: access.User}, h, nil
	}
	return access.Caller{}, nil, access.ErrUnauthenticated
}

func join(t *testing.T, silence time.Duration) *joined {
	t.Helper()
	w := linktest.NewWorld(t)
	s := newStranger(t, w, nil)
	target, err := foreign.New(foreign.Config{URL: s.contract.URL + "/castor/", Token: "token", HTTP: s.contract.Client()})
	if err != nil {
		t.Fatal(err)
	}
	g := api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "lines", URL: "tls://" + s.devices.Addr().String(), Contract: "http"}
	c, err := configurator.New(configurator.Config{Gateway: g, Bus: w.Bus, Target: target, Dir: w.Dir, Log: linktest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	r, err := relay.NewRelay(relay.RelayConfig{Gateway: g, API: w.API, Bus: w.Bus, Account: account, Authenticate: authenticate, Silence: silence, Log: linktest.Quiet,
		Admitted: func(client string) bool { _, in := c.Get(client); return in },
		Shown: func(client string) api.Shown {
			a, _ := c.Get(client)
			return api.Shown{Fingerprint: a.Fingerprints[len(a.Fingerprints)-1]}
		},
		Alive: func(ctx context.Context) error { _, err := target.State(ctx); return err }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(r)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { c.Run(ctx) })
	all.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		cancel()
		all.Wait()
	})
	j := &joined{t: t, w: w, stranger: s, url: server.URL, http: server.Client(), token: "acme"}
	s.heard = func(client, line string) bool { // as a gateway does: the device is told when the platform has it
		kind, body, _ := strings.Cut(line, " ")
		return j.report(map[string]any{"client": client, "kind": kind, "body": json.RawMessage(body)})[0].Stored
	}
	return j
}

type result struct {
	Stored         bool
	Reason, Detail string
	Parked         int
}

func (j *joined) call(method, path, body string) (int, string) {
	j.t.Helper()
	r, err := http.NewRequestWithContext(j.t.Context(), method, j.url+path, strings.NewReader(body))
	if err != nil {
		j.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+j.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := j.http.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func (j *joined) report(reports ...any) []result {
	j.t.Helper()
	b, err := json.Marshal(map[string]any{"reports": reports})
	if err != nil {
		j.t.Fatal(err)
	}
	status, text := j.call("POST", "/v1/reports", string(b))
	var out struct{ Results []result }
	if status != 200 || json.Unmarshal([]byte(text), &out) != nil || len(out.Results) != len(reports) {
		j.t.Errorf("a batch of %d is answered %d %s", len(reports), status, text)
		return make([]result, len(reports))
	}
	return out.Results
}

func (j *joined) poll(wait int) (client, name, body string) {
	j.t.Helper()
	status, text := j.call("GET", fmt.Sprintf("/v1/downlinks?wait=%d", wait), "")
	var out struct {
		Downlinks []struct {
			Client, Name string
			Body         json.RawMessage
		}
	}
	if status == 204 {
		return "", "", ""
	}
	if status != 200 || json.Unmarshal([]byte(text), &out) != nil || len(out.Downlinks) != 1 {
		j.t.Fatalf("a poll is answered %d %s", status, text)
	}
	d := out.Downlinks[0]
	return d.Client, d.Name, string(d.Body)
}

// A stranger's gateway joins: it is told of a device, lets it in, and what the device says is stored at its twin before the device hears
// that it is; a command comes back the same way, and is answered.
func TestAStrangersDeviceReportsAndIsCommanded(t *testing.T) {
	j := join(t, 0)
	id := j.w.AdmitDevice("p-1")
	j.w.Fill()
	var d *lineDevice
	linktest.Eventually(t, "the stranger lets the device in", func() bool {
		var err error
		d, err = j.stranger.dial(j.w, id)
		return err == nil
	})
	defer d.Close()
	if err := d.say(`telemetry {"epoch":1,"seq":1,"data":{"rpm":1450}}`); err != nil {
		t.Fatal(err)
	}
	got := j.w.Platform.Stored(linktest.TwinOf("p-1"))
	if len(got) != 1 || got[0].Gateway != j.w.Gateway || got[0].Samples[0] != (telemetry.Sample{Property: "rpm", Value: 1450.0}) || got[0].Order.Seq != 1 {
		t.Fatalf("told that it is stored, and stored is %+v", got)
	}
	if p := j.w.Platform.Presence(linktest.TwinOf("p-1")); len(p) != 1 || p[0].Samples[0].Value != true {
		t.Errorf("presence told: %+v", p)
	}
	j.w.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: linktest.TwinOf("p-1"), Name: "open", Input: json.RawMessage(`{"percent":40}`), Until: linktest.Soon()})
	linktest.Eventually(t, "the connector listens", func() bool {
		return j.w.Bus.Send(t.Context(), bus.Downlink{Gateway: j.w.Gateway, Twin: string(linktest.TwinOf("p-1")), Commands: []string{"c-1"}}) == nil
	})
	if client, name, body := j.poll(20); client != "p-1" || name != "command/c-1" || body != `{"name":"open","input":{"percent":40}}` {
		t.Errorf("polled %s %s %s", client, name, body)
	}
	linktest.Eventually(t, "the delivery is reported", func() bool {
		return slices.Equal(j.w.Platform.Delivered(), []api.CommandDelivery{{Command: "c-1", Lease: 1, Sent: true}})
	})
	all := j.report(
		map[string]any{"client": "p-1", "kind": "response", "word": "c-1", "body": map[string]any{"epoch": 1, "seq": 2, "status": "succeeded"}},
		map[string]any{"client": "p-1", "kind": "confirm"},
		map[string]any{"client": "p-1", "kind": "log", "word": "app", "raw": []byte("plain text")},
		map[string]any{"client": "p-1", "kind": "renewed"})
	if slices.ContainsFunc(all, func(r result) bool { return !r.Stored }) || len(j.w.Platform.Confirmed()) != 1 ||
		len(j.w.Platform.Shown()) != 1 || j.w.Platform.Shown()[0].Fingerprint != linktest.Fingerprint(*id.Certificate) {
		t.Errorf("%+v; confirmed %+v, shown %+v", all, j.w.Platform.Confirmed(), j.w.Platform.Shown())
	}
	j.report(map[string]any{"client": "p-1", "kind": "renew", "body": map[string]any{"csr": "x"}})
	if client, name, _ := j.poll(20); client != "p-1" || name != "credential/renewed" {
		t.Errorf("a renewal is answered %s %s", client, name)
	}
	j.report(map[string]any{"client": "p-1", "kind": "disconnected"})
	linktest.Eventually(t, "its end is told", func() bool {
		p := j.w.Platform.Presence(linktest.TwinOf("p-1"))
		return len(p) == 2 && p[1].Samples[0].Value == false
	})
	linktest.Eventually(t, "the gateway is reported alive", func() bool { return len(j.w.Platform.Gateways()) > 0 })
}

// Only the gateway's own account is heard, and only for devices that have their place there; each report has its own answer.
func TestWhatAStrangerMayNotSay(t *testing.T) {
	j := join(t, 0)
	j.w.AdmitDevice("p-1")
	j.w.Fill()
	reading := func(client string, seq int) any {
		return map[string]any{"client": client, "kind": "telemetry", "body": map[string]any{"epoch": 1, "seq": seq, "data": map[string]any{"rpm": seq}}}
	}
	linktest.Eventually(t, "the device is admitted", func() bool { return j.report(reading("p-1", 1))[0].Stored })
	for _, token := range []string{"", "other", "person", "guess"} {
		j.token = token
		if status, text := j.call("POST", "/v1/reports", `{"reports":[{"client":"p-1","kind":"telemetry","body":{"rpm":1}}]}`); status != 401 || !strings.Contains(text, "service account") {
			t.Errorf("token %q is answered %d %s", token, status, text)
		}
		if status, _ := j.call("GET", "/v1/downlinks", ""); status != 401 {
			t.Errorf("token %q may poll: %d", token, status)
		}
	}
	j.token = "acme"
	got := j.report(reading("p-1", 2), reading("p-2", 1), reading("../p", 1), map[string]any{"client": "p-1", "kind": "dance", "body": 1},
		map[string]any{"client": "p-1", "kind": "log", "word": "a/b", "body": 1}, map[string]any{"client": "p-1", "kind": "telemetry"},
		map[string]any{"client": "p-1", "kind": "telemetry", "raw": bytes.Repeat([]byte("x"), telemetry.MaxPayload+1)},
		map[string]any{"client": "p-1", "kind": "telemetry", "body": 5}, reading("p-1", 3))
	reasons := make([]string, len(got))
	for i, r := range got {
		reasons[i] = r.Reason
	}
	if want := []string{"", "not-admitted", "not-admitted", "invalid", "invalid", "invalid", "invalid", "undecodable", ""}; !slices.Equal(reasons, want) {
		t.Errorf("answered %+v, want %v", got, want)
	}
	if !got[0].Stored || got[1].Stored || got[3].Stored || !got[7].Stored || got[7].Parked != 1 || !got[8].Stored {
		t.Errorf("answered %+v", got)
	}
	if n := len(j.w.Platform.Stored("")); n != 3 {
		t.Errorf("%d messages are stored, want 3", n)
	}
	for body, status := range map[string]int{`{`: 400, `{"reports":[]}`: 400, `{"reports":` + strings.Repeat("[", 100_000): 400, strings.Repeat(" ", 5<<20): 413} {
		if got, text := j.call("POST", "/v1/reports", body); got != status {
			t.Errorf("%.20s… is answered %d %s, want %d", body, got, text, status)
		}
	}
	for path, status := range map[string]int{"/v1/downlinks?wait=61": 400, "/v1/downlinks?wait=x": 400, "/v1/else": 404, "/v1/downlinks": 204} {
		if got, text := j.call("GET", path, ""); got != status {
			t.Errorf("GET %s is answered %d %s, want %d", path, got, text, status)
		}
	}
}

// While the platform is behind a report is not told to be stored; a device that loses its place has gone, and so have all when nothing is
// heard of the gateway.
func TestAStrangersDevicesComeAndGo(t *testing.T) {
	j := join(t, time.Second)
	for _, ref := range []device.Ref{"p-1", "p-2"} {
		j.w.AdmitDevice(ref)
	}
	j.w.Fill()
	here := func(ref string) any { return map[string]any{"client": ref, "kind": "connected"} }
	linktest.Eventually(t, "both are admitted", func() bool { r := j.report(here("p-1"), here("p-2")); return r[0].Stored && r[1].Stored })
	left := func(ref device.Ref) bool {
		p := j.w.Platform.Presence(linktest.TwinOf(ref))
		return len(p) > 0 && p[len(p)-1].Samples[0].Value == false
	}
	j.w.Dismiss("p-1")
	linktest.Eventually(t, "who has no place has gone", func() bool {
		j.report(here("p-2"))
		return left("p-1")
	})
	if left("p-2") {
		t.Error("the other has gone with it")
	}
	linktest.Eventually(t, "of a silent gateway all have gone", func() bool { return left("p-2") })
	if r := j.report(here("p-2")); !r[0].Stored {
		t.Errorf("it does not come back: %+v", r)
	}
}
