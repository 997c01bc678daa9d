package http_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
)

// secure makes requests on connections of their own.
func secure(w *linktest.World, id linktest.Identity) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(id)}}
}

// What was parked is told, so that a device's maker learns of it; and it is told by a success, so that the device does not repeat it for
// ever.
func TestADeviceIsToldOfWhatWasParked(t *testing.T) {
	w := linktest.NewWorld(t)
	w.Platform.Unknown("p-2", true)
	address, _ := start(t, w, "operational", nil)
	tell := func(ref device.Ref, body string) (out struct {
		Parked         int
		Reason, Detail string
		Seq            int64
	}) {
		t.Helper()
		p := probe{t: t, url: "https://" + address, http: secure(w, w.AdmitDevice(ref))}
		linktest.Eventually(t, "the device is let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
		resp := p.do("POST", "/v1/telemetry", "application/json", body, nil)
		if text := p.body(resp); resp.StatusCode != 200 || json.Unmarshal(text, &out) != nil {
			t.Errorf("%s is answered %s %s", body, resp.Status, text)
		}
		return out
	}
	if a := tell("p-1", `{"rpm":`); a.Parked != 1 || a.Reason != "undecodable" || a.Detail == "" {
		t.Errorf("what is no JSON is answered %+v", a)
	}
	mixed := `[{"epoch":1,"seq":1,"data":{"rpm":1}},{"epoch":1,"seq":2,"data":5},{"time":"yesterday","epoch":1,"seq":3,"data":{"rpm":1}},{"epoch":1,"seq":4,"data":{"rpm":4}}]`
	if a := tell("p-1", mixed); a.Parked != 2 || a.Reason != "undecodable" || a.Detail == "" || strings.Contains(a.Detail, "yesterday") || a.Seq != 4 {
		t.Errorf("two of four that are wrong are answered %+v", a)
	}
	if a := tell("p-1", `{"epoch":1,"seq":5,"data":{"rpm":1}}`); a.Parked != 0 || a.Reason != "" || a.Detail != "" || a.Seq != 5 {
		t.Errorf("what is right is answered %+v", a)
	}
	if a := tell("p-2", `{"epoch":1,"seq":1,"data":{"rpm":1}}`); a.Parked != 1 || a.Reason != "no-twin" {
		t.Errorf("what nobody has said is answered %+v", a)
	}
	all := w.Platform.Parked()
	if len(all) != 4 {
		t.Errorf("%d messages are parked, want 4", len(all))
	}
	for _, m := range all { // a twin that the device gets later adopts what it has said
		if want := device.Ref("p-2"); m.Twin == "" && m.Ref != want || m.Twin != "" && m.Ref != "" || m.Via != "" {
			t.Errorf("of twin %q a message of reference %q is parked, want %q for what has no twin", m.Twin, m.Ref, want)
		}
	}
}

// Who is not let in is told how to be, in the same words whoever it is: at either door what is taken there.
func TestTheWordsForWhoIsNotLetInSayWhatIsTakenHere(t *testing.T) {
	w := linktest.NewWorld(t)
	w.AdmitDevice("p-1")
	w.AdmitClaim("claim-1", "token")
	for phase, tt := range map[string]struct {
		path string
		says []string
		not  string
	}{
		"operational":  {"/v1/telemetry", []string{"operational gateway", "certificate", "Bearer", "X-API-Key", "provisioning gateway"}, "claim's id"},
		"provisioning": {"/v1/provision/pump", []string{"provisioning gateway", "claim", "Basic", "/v1/knock", "operational gateway"}, "X-API-Key"},
	} {
		address, _ := start(t, w, phase, nil)
		p := probe{t: t, url: "https://" + address, http: secure(w, linktest.Identity{})}
		seen := map[string]bool{}
		for _, x := range [][2]string{{"", ""}, {"p-1", "guess"}, {"p-9", "guess"}, {"claim-1", "guess"}, {"claim-9", "guess"}} {
			p.user, p.password = x[0], x[1]
			resp := p.do("POST", tt.path, "application/json", `{}`, http.Header{})
			text := string(p.body(resp))
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %q is answered %s %s", phase, x, resp.Status, text)
			}
			for _, word := range tt.says {
				if !strings.Contains(text, word) {
					t.Errorf("%s: the answer does not say %q: %s", phase, word, text)
				}
			}
			if strings.Contains(text, tt.not) {
				t.Errorf("%s: the answer speaks of the other door's %q: %s", phase, tt.not, text)
			}
			if x[0] != "" {
				seen[text] = true
			}
		}
		if len(seen) != 1 {
			t.Errorf("%s: who shows what is wrong can tell by the answer what exists: %v", phase, seen)
		}
	}
}
