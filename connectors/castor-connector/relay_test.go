package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/golang-jwt/jwt/v5"
)

// A contract is a gateway of somebody else's as far as the platform sees it: whom it was told to let in.
type contract struct {
	*httptest.Server

	mu sync.Mutex
	in map[string]bool
}

func newContract(t *testing.T) *contract {
	c := &contract{in: map[string]bool{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		client := strings.TrimPrefix(r.URL.Path, "/castor/clients/")
		switch {
		case r.Header.Get("Authorization") != "Bearer of the gateway's own":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/castor/state":
			_, _ = io.WriteString(w, `{"epoch":"1","sessions":0}`)
		case r.URL.Path == "/castor/clients":
			_, _ = io.WriteString(w, `{"clients":[]}`)
		case r.Method == http.MethodPut:
			c.in[client] = true
			w.WriteHeader(http.StatusNoContent)
		default:
			delete(c.in, client)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *contract) lets(client string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in[client]
}

// account is a token of a service account, signed as function users does.
func (d *deployment) account(id string) string {
	d.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	d.keys.Keys = append(d.keys.Keys, api.JWK{Kty: "OKP", Crv: "Ed25519", Kid: id, X: base64.RawURLEncoding.EncodeToString(public), Alg: "EdDSA", Use: "sig"})
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, platform.Claims{Kind: access.Service, RegisteredClaims: jwt.RegisteredClaims{Issuer: platform.Issuer, Subject: id,
		Audience: jwt.ClaimStrings{platform.Audience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}})
	t.Header["kid"] = id
	text, err := t.SignedString(private)
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// Somebody else's gateway is told whom it lets in and brings what they say to the same process, which takes it from the gateway's
// account alone, tells the platform soon of a device that has lost its place, and ends at once though a poll is open.
func TestSomebodyElsesGatewayWithItsRelay(t *testing.T) {
	d := deploy(t)
	token, other := d.account("acme-gateway"), d.account("erp")
	gateway, listen := newContract(t), freePort(t)
	d.secret("castor-foreign-token", "of the gateway's own\n")
	r := d.run("foreign", "CASTOR_FOREIGN_URL="+gateway.URL+"/castor", "CASTOR_RELAY_LISTEN="+listen, "CASTOR_RELAY_ACCOUNT=acme-gateway")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.ca.Pool(), MinVersion: tls.VersionTLS12}}}
	call := func(token, method, path, body string) (int, string) {
		q, err := http.NewRequestWithContext(t.Context(), method, "https://"+listen+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
		resp, err := client.Do(q)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	report := func(seq int) string {
		return fmt.Sprintf(`{"reports":[{"client":"p-1","kind":"telemetry","body":{"epoch":1,"seq":%d,"data":{"rpm":%d}}}]}`, seq, seq)
	}
	r.is(http.StatusOK)
	d.admit("p-1")
	linktest.Eventually(t, "the gateway is told of the device", func() bool { return gateway.lets("p-1") })
	linktest.Eventually(t, "its reading is stored", func() bool {
		status, text := call(token, "POST", "/v1/reports", report(1))
		return status == http.StatusOK && strings.Contains(text, `"stored":true`)
	})
	if got := d.functions.Stored(linktest.TwinOf("p-1")); len(got) == 0 || got[0].Gateway != "op-1" {
		t.Errorf("told that it is stored, and stored is %+v", got)
	}
	for _, no := range []string{other, "guess", ""} {
		if status, text := call(no, "POST", "/v1/reports", report(2)); status != http.StatusUnauthorized || !strings.Contains(text, "service account") {
			t.Errorf("another's token is answered %d %s", status, text)
		}
	}

	polled := make(chan string, 1)
	go func() {
		_, text := call(token, "GET", "/v1/downlinks?wait=50", "")
		polled <- text
	}()
	d.functions.Command(api.LeasedCommand{ID: "c-1", Twin: linktest.TwinOf("p-1"), Name: "open", Input: json.RawMessage(`{"percent":40}`), Until: linktest.Soon()})
	linktest.Eventually(t, "the connector listens", func() bool {
		return d.bus.Send(t.Context(), bus.Downlink{Gateway: "op-1", Twin: string(linktest.TwinOf("p-1")), Commands: []string{"c-1"}}) == nil
	})
	if text := <-polled; !strings.Contains(text, `"name":"command/c-1"`) || !strings.Contains(text, `"percent":40`) {
		t.Errorf("the poll brings %s", text)
	}

	var floor time.Duration
	for seq := 3; seq < 6; seq++ {
		begin := time.Now()
		call(token, "POST", "/v1/reports", report(seq))
		floor = max(floor, time.Since(begin))
	}
	lost := time.Now()
	d.dismiss("p-1")
	linktest.Eventually(t, "who has no place has gone", func() bool {
		p := d.functions.Presence(linktest.TwinOf("p-1"))
		return !gateway.lets("p-1") && len(p) > 0 && p[len(p)-1].Samples[0].Value == false
	})
	if took := time.Since(lost); took > soon(floor) {
		t.Errorf("the platform was told after %s", took)
	}

	go func() {
		status, text := call(token, "GET", "/v1/downlinks?wait=50", "")
		polled <- fmt.Sprint(status, text)
	}()
	<-time.After(200 * time.Millisecond) // so that it is open
	begin := time.Now()
	r.end(syscall.SIGTERM)
	if took := time.Since(begin); took > relayGrace {
		t.Errorf("the process ends after %s, while a poll is open", took)
	}
	if text := <-polled; text != "204" {
		t.Errorf("the open poll is answered %s", text)
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended with status %d on SIGTERM", code)
	}
}
