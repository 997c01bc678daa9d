package http_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
)

// Of two devices that share a claim, one that takes the other's name hears nothing of what that one is told: neither by polling, nor by
// asking for itself while the other waits.
func TestWhoSharesAClaimHearsNothingOfOthers(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "provisioning", nil)
	w.AdmitClaim("claim-1", "token")
	p := &probe{t: t, url: "https://" + address, user: "claim-1", password: "token", http: &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(linktest.Identity{})}}}
	linktest.Eventually(t, "the claim is let in", func() bool {
		return p.do("GET", "/v1/provision/pump/status?client=box-1", "", "", nil).StatusCode == 204
	})
	run := map[string]string{"P-7": "run-7", "P-8": "run-8"}
	w.Platform.OnRequest(func(r api.ProvisionRequest) (api.ProvisionAnswer, int) {
		return api.ProvisionAnswer{Status: "pending", Run: run[r.Serial], State: "approval"}, 0
	})
	bundle := func(run string) {
		t.Helper()
		body, err := json.Marshal(api.ProvisionAnswer{Status: "accepted", Run: run, Bundle: &api.Bundle{Ref: "p-7"}})
		if err == nil {
			err = w.Bus.Send(t.Context(), bus.Downlink{Gateway: w.Gateway, Device: "box-1", Claim: "claim-1", Topic: "castor/provision/box-1/accepted", Payload: body})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ask := func(serial string) (at string) {
		t.Helper()
		resp := p.do("POST", "/v1/provision/pump?client=box-1", "application/json", `{"serial":"`+serial+`","csr":"x"}`, nil)
		if body := p.body(resp); resp.StatusCode != 200 || !strings.Contains(string(body), `"pending"`) {
			t.Fatalf("%s asks: %d %s", serial, resp.StatusCode, body)
		}
		return resp.Header.Get("Location")
	}
	mine := ask("P-7")
	if again := ask("P-7"); again != mine {
		t.Errorf("asked again it goes on at %s, not %s", again, mine)
	}
	bundle("run-7")
	for _, at := range []string{"/v1/provision/pump/status?client=box-1", "/v1/provision/pump/status?client=box-1&key=" + strings.Repeat("A", 26)} {
		p.want(204, ``, "GET", at, "", "")
		p.want(204, ``, "GET", at+"&wait=1", "", "")
	}
	if got := p.body(p.do("GET", mine+"&wait=5", "", "", nil)); !strings.Contains(string(got), `accepted`) {
		t.Errorf("who asked is told %s", got)
	}
	// The other asks under the name, waits, and the first one's answer comes then.
	other := make(chan string, 1)
	go func() {
		resp := p.do("POST", "/v1/provision/pump?client=box-1&wait=2", "application/json", `{"serial":"P-8","csr":"x"}`, nil)
		other <- string(p.body(resp))
	}()
	linktest.Eventually(t, "it has asked", func() bool {
		all := w.Platform.Requests()
		return len(all) > 0 && all[len(all)-1].Serial == "P-8"
	})
	bundle("run-7")
	if got := <-other; strings.Contains(got, "accepted") || !strings.Contains(got, "run-8") {
		t.Errorf("another device is told %s", got)
	}
	p.want(204, ``, "GET", mine, "", "")
	// Each begins where it was by asking again.
	done := make(chan string, 1)
	go func() {
		resp := p.do("POST", "/v1/provision/pump?client=box-1&wait=10", "application/json", `{"serial":"P-7","csr":"x"}`, nil)
		done <- string(p.body(resp))
	}()
	for {
		bundle("run-7")
		select {
		case got := <-done:
			if !strings.Contains(got, "accepted") {
				t.Errorf("asked again it is told %s", got)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
