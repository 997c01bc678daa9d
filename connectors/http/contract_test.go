package http_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	connector "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/contract"
	"github.com/fxamacker/cbor/v2"
)

// Real traffic is as openapi.yaml says, and all that it says there is.
func TestTrafficIsAsTheDescriptionSays(t *testing.T) {
	doc, err := contract.Open("connectors", "http", "openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := linktest.NewWorld(t)
	w.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: linktest.TwinOf("p-1"), Name: "open", Input: json.RawMessage(`{"percent":40}`), Until: linktest.Soon()})
	address, stop := start(t, w, "operational", nil)
	p := probe{t: t, url: "https://" + address, http: &http.Client{Transport: doc.Transport(t, &http.Transport{TLSClientConfig: w.CA.Client(w.AdmitDevice("p-1")), ForceAttemptHTTP2: true})}}
	linktest.Eventually(t, "the device is let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
	in, err := cbor.Marshal(map[string]any{"epoch": 1, "seq": 2, "data": map[string]any{"rpm": 7}})
	if err != nil {
		t.Fatal(err)
	}
	p.want(200, `{"epoch":1,"seq":1,"waiting":1}`, "POST", "/v1/telemetry", "application/json", `{"epoch":1,"seq":1,"data":{"rpm":1}}`)
	p.want(200, `{"epoch":1,"seq":2,"waiting":0,"commands":[{"id":"c-1","name":"open","input":{"percent":40}}]}`, "POST", "/v1/telemetry?commands=1", "application/cbor", string(in))
	p.want(200, `{"epoch":1,"seq":4,"waiting":0}`, "POST", "/v1/state", "application/json; charset=utf-8", `[{"epoch":1,"seq":3,"data":{"on":true}},{"epoch":1,"seq":4,"data":{"on":null}}]`)
	p.want(200, `{"epoch":1,"seq":5,"waiting":0}`, "POST", "/v1/event", "application/json", `{"epoch":1,"seq":5,"data":{"event":"door opened"}}`)
	p.want(200, `{"epoch":1,"seq":5,"waiting":0}`, "POST", "/v1/log/app", "text/plain", `started`)
	p.want(200, `{"epoch":1,"seq":5,"waiting":0,"parked":1,"reason":"undecodable","detail":"an event needs its name: {\"event\": \"door opened\"}"}`, "POST", "/v1/event", "application/json", `{"data":{"door":"open"}}`)
	p.want(200, `{"epoch":1,"seq":6,"waiting":0}`, "POST", "/v1/commands/c-1/response", "application/json", `{"epoch":1,"seq":6,"status":"succeeded"}`)
	p.want(200, `{"device":"0004a30b001c0530"}`, "POST", "/v1/webhooks/the-things-stack", "application/json", envelope(t, "the-things-stack"))
	p.want(200, `{"device":"0101010101010101"}`, "POST", "/v1/webhooks/chirpstack?event=up", "application/json", envelope(t, "chirpstack"))
	p.want(200, `{"ignored":"it is neither an uplink nor of a downlink; nothing else is taken"}`, "POST", "/v1/webhooks/chirpstack?event=join", "application/json", `{}`)
	p.want(400, ``, "POST", "/v1/webhooks/chirpstack?event=up", "application/json", `{}`)
	p.want(200, `{"device":"0101010101010101","command":"c-1"}`, "POST", "/v1/webhooks/the-things-stack", "application/json",
		`{"end_device_ids":{"dev_eui":"0101010101010101"},"downlink_ack":{"correlation_ids":["castor:0101010101010101:c-1"]}}`)
	p.want(204, ``, "GET", "/v1/commands?wait=1s", "", "")
	p.want(200, `{}`, "POST", "/v1/confirm", "application/json", `{}`)
	p.want(200, `{"ref":"p-1","kind":"certificate","certificate":"for x"}`, "POST", "/v1/credential/renew", "application/json", `{"csr":"x"}`)
	p.want(200, `{}`, "POST", "/v1/credential/confirm", "application/json", ``)
	p.want(404, ``, "POST", "/v1/provision/pump", "application/json", `{}`)
	p.want(415, ``, "POST", "/v1/telemetry", "application/x-www-form-urlencoded", `{}`)
	p.want(405, ``, "GET", "/v1/telemetry", "", "")
	p.want(400, ``, "GET", "/v1/commands?wait=61", "", "")
	resp := p.do("GET", "/v1/openapi.yaml", "", "", nil)
	if text := connector.Description(); resp.StatusCode != 200 || !bytes.Equal(p.body(resp), text) {
		t.Errorf("the description is answered %d", resp.StatusCode)
	}
	stop()

	address, _ = start(t, w, "provisioning", func(c *connector.Config) { c.Gateway.Knocks = true })
	w.AdmitClaim("claim-1", "token")
	p.url, p.user, p.password = "https://"+address, "claim-1", "token"
	p.http = &http.Client{Transport: doc.Transport(t, &http.Transport{TLSClientConfig: w.CA.Client(linktest.Identity{})})}
	linktest.Eventually(t, "the claim is let in", func() bool {
		return p.do("GET", "/v1/provision/pump/status?client=box-1", "", "", nil).StatusCode == 204
	})
	w.Platform.OnRequest(func(api.ProvisionRequest) (api.ProvisionAnswer, int) {
		return api.ProvisionAnswer{Status: "pending", State: "approval"}, 0
	})
	resp = p.want(200, `{"status":"pending","state":"approval"}`, "POST", "/v1/provision/pump?client=box-1", "application/json", `{"serial":"P-7","csr":"x"}`)
	at := resp.Header.Get("Location")
	if !strings.HasPrefix(at, "/v1/provision/pump/status?client=box-1&key=") {
		t.Errorf("a pending answer goes on at %q", at)
	}
	p.want(200, `{"status":"pending","state":"approval"}`, "GET", at+"&wait=50", "", "")
	p.want(204, ``, "GET", "/v1/provision/pump/status?client=box-1&wait=1", "", "") // by who has not asked
	resp = p.want(200, `{"status":"pending","state":"approval"}`, "POST", "/v1/provision/pump", "application/json", `{"serial":"P-8","csr":"x"}`)
	p.want(200, `{"status":"pending","state":"approval"}`, "GET", resp.Header.Get("Location")+"&wait=50", "", "") // by the name that the gateway has chosen
	p.password = "Token"
	p.want(401, ``, "POST", "/v1/provision/pump", "application/json", `{"serial":"P-7","csr":"x"}`)
	p.user = ""
	p.want(401, ``, "POST", "/v1/provision/pump", "application/json", `{"serial":"P-7","csr":"x"}`)
	p.want(200, ``, "POST", "/v1/knock", "application/json", `{"serial":"P-9","model":"X1","publicKey":"x"}`)
	for n := 0; ; n++ {
		resp = p.do("POST", "/v1/knock", "application/json", `{"serial":"P-9","model":"X1","publicKey":"x"}`, nil)
		if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "60" {
			break // an address may knock a few times, then once a minute
		}
		if resp.StatusCode != 200 || n > 20 {
			t.Fatalf("knock %d: %s, again in %q s", n, resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	if unseen := doc.Unseen(); len(unseen) > 0 {
		t.Errorf("nobody has called %v", unseen)
	}
}

// A probe makes single requests.
type probe struct {
	t              *testing.T
	http           *http.Client
	url            string
	user, password string
}

func (p *probe) do(method, path, media, body string, header http.Header) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = slices.Clone(v)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if p.user != "" {
		r.SetBasicAuth(p.user, p.password)
	}
	resp, err := p.http.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

func (p *probe) body(r *http.Response) []byte {
	p.t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		p.t.Fatal(err)
	}
	_ = r.Body.Close()
	return b.Bytes()
}

// want fails unless the answer has the status and, if text is not "", that JSON. A problem must say what to do.
func (p *probe) want(status int, text, method, path, media, body string) *http.Response {
	p.t.Helper()
	resp := p.do(method, path, media, body, nil)
	got := p.body(resp)
	if resp.StatusCode != status {
		p.t.Errorf("%s %s is answered %d %s, want %d", method, path, resp.StatusCode, got, status)
	}
	if text != "" && string(bytes.TrimSpace(got)) != text {
		p.t.Errorf("%s %s is answered %s, want %s", method, path, got, text)
	}
	if status >= 400 {
		var problem struct{ Title, Detail, Remedy string }
		if err := json.Unmarshal(got, &problem); err != nil || problem.Title == "" || problem.Detail == "" || problem.Remedy == "" {
			p.t.Errorf("%s %s: the problem says %s", method, path, got)
		}
	}
	return resp
}
