package http_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/gatewaytest"
	connector "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// linger is how long a session outlives its last request in the suite: short, because a device that has gone has just stopped
// asking.
const linger = 300 * time.Millisecond

func brief(c *connector.Config) { c.Gateway.Limits.Linger = linger }

func TestSuite(t *testing.T) {
	linktest.Run(t, linktest.Protocol{
		Start:       func(t testing.TB, w *linktest.World, phase string) (string, func()) { return start(t, w, phase, brief) },
		Dial:        dial,
		Provisions:  true,
		Secrets:     []device.Kind{device.Token, device.Password, device.APIKey},
		Renews:      true,
		Knocks:      true,
		KnocksAgain: true,
		MaxPayload:  telemetry.MaxPayload,
		OneByOne:    true,
	})
}

// start runs a connector whose sessions outlive what a busy machine takes from one request to the next.
func start(t testing.TB, w *linktest.World, phase string, change func(*connector.Config)) (address string, stop func()) {
	t.Helper()
	config := connector.Config{Gateway: gatewaytest.Config(t, w, phase), API: w.API}
	config.Gateway.Limits.Linger = linktest.Patience
	if change != nil {
		change(&config)
	}
	c, err := connector.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c.Addr().String(), linktest.Go(t, c.Run)
}

// A client is a device that polls while it is there.
type client struct {
	*linktest.Caller
	id    linktest.Identity
	http  *http.Client
	url   string
	phase string
	at    atomic.Value // where its pending request goes on
}

func dial(w *linktest.World, address string, id linktest.Identity) (linktest.Device, error) {
	transport := &http.Transport{TLSClientConfig: w.CA.Client(id), ForceAttemptHTTP2: len(id.Client)%2 == 0, MaxConnsPerHost: 0}
	c := &client{Caller: linktest.NewCaller(address+id.Client, linger), id: id, http: &http.Client{Transport: transport}, url: "https://" + address, phase: "operational"}
	context.AfterFunc(c.Context, c.http.CloseIdleConnections)
	if !id.Operational {
		c.phase = "provisioning"
	}
	if !id.Operational && id.User == "" {
		return c, nil // it knocks, and has nothing else to ask
	}
	first := "/v1/ack"
	if c.phase == "provisioning" {
		first = "/v1/provision/pump/status?client=" + id.Client
	}
	resp, err := c.do("GET", first, nil)
	if err == nil && resp.status >= 300 {
		err = fmt.Errorf("%d %s", resp.status, resp.body)
	}
	if err != nil {
		c.Leave()
		return nil, err
	}
	c.Poll(c.poll)
	return c, nil
}

type response struct {
	status   int
	body     []byte
	location string
}

func (c *client) do(method, path string, body []byte) (out response, err error) {
	r, err := http.NewRequestWithContext(c.Context, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(path, "/v1/log/") {
			r.Header.Set("Content-Type", "text/plain")
		}
	}
	switch {
	case c.id.Operational && c.id.Certificate == nil && !strings.Contains(c.id.User+c.id.Password, c.id.Client): // it poses as another by what there is: the user name
		r.SetBasicAuth(c.id.Client, c.id.Password)
	case c.id.User != "":
		r.SetBasicAuth(c.id.User, c.id.Password)
	case c.id.Password != "" && len(c.id.Client)%2 == 0:
		r.Header.Set("Authorization", "Bearer "+c.id.Password)
	case c.id.Password != "":
		r.Header.Set("X-API-Key", c.id.Password)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	out.status, out.location = resp.StatusCode, resp.Header.Get("Location")
	out.body, err = io.ReadAll(resp.Body)
	return out, err
}

// poll asks once for what comes down.
func (c *client) poll(context.Context) error {
	path := "/v1/commands?wait=20s"
	if c.phase == "provisioning" {
		path = "/v1/provision/pump/status?wait=1&client=" + c.id.Client
		if at, ok := c.at.Load().(string); ok {
			path = at + "&wait=20"
		}
	}
	r, err := c.do("GET", path, nil)
	switch {
	case err != nil:
		return err
	case r.status >= 300:
		return fmt.Errorf("%d %s", r.status, r.body)
	case r.status == http.StatusOK:
		c.take(r.body)
	}
	return nil
}

// take makes messages of an answer.
func (c *client) take(body []byte) {
	var in struct {
		Status   string
		Commands []json.RawMessage
		Messages []struct {
			Name string
			Body json.RawMessage
			Raw  []byte
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err)
	}
	if in.Status == "pending" {
		in.Status = "status"
	}
	if in.Status != "" {
		c.Tell(in.Status, body)
	}
	for _, n := range in.Commands {
		c.Tell("command", n)
	}
	for _, m := range in.Messages {
		name, _, _ := strings.Cut(m.Name, "/")
		c.Tell(name, append(m.Raw, m.Body...))
	}
}

// send posts until it is stored, one message after the other, as long as the device is there.
func (c *client) send(path string, body []byte) <-chan struct{} {
	return c.Then(func(context.Context) (bool, error) {
		r, err := c.do("POST", path, body)
		switch {
		case err != nil:
			return false, err
		case r.status == http.StatusOK:
			c.stored(r.body)
			return true, nil
		case r.status == 429 || r.status == 503:
			return false, nil
		}
		return false, fmt.Errorf("%d %s", r.status, r.body)
	})
}

func (c *client) stored(body []byte) {
	var o struct{ Epoch, Seq *int64 }
	if json.Unmarshal(body, &o) == nil && o.Seq != nil {
		c.Tell("ack", body)
	}
}

var paths = map[telemetry.Kind]string{telemetry.Telemetry: "/v1/telemetry", telemetry.State: "/v1/state", telemetry.Event: "/v1/event", telemetry.Log: "/v1/log/app"}

func (c *client) Publish(kind telemetry.Kind, payload []byte) <-chan struct{} {
	return c.send(paths[kind], payload)
}

func (c *client) Answer(command string, payload []byte) <-chan struct{} {
	return c.send("/v1/commands/"+command+"/response", payload)
}

func (c *client) Confirm() <-chan struct{} { return c.send("/v1/confirm", []byte("{}")) }

func (c *client) Request(kind string, payload []byte) {
	go func() {
		for c.Context.Err() == nil {
			r, err := c.do("POST", "/v1/provision/"+kind+"?client="+c.id.Client, payload)
			if err == nil && r.status == http.StatusOK {
				if r.location != "" {
					c.at.Store(r.location)
				}
				c.take(r.body)
				return
			}
			<-time.After(50 * time.Millisecond)
		}
	}()
}

// Knock makes the device known. One that is told to come back later does not, here.
func (c *client) Knock(payload []byte) {
	go func() {
		if r, err := c.do("POST", "/v1/knock", payload); err == nil && r.status == http.StatusOK {
			c.take(r.body)
		}
	}()
}

func (c *client) Renew(payload []byte) {
	go func() {
		r, err := c.do("POST", "/v1/credential/renew", payload)
		if err == nil && r.status == http.StatusOK {
			c.Tell("renewed", r.body)
			return
		}
		var p struct {
			Detail string `json:"detail"`
		}
		if err == nil && r.status >= 400 && json.Unmarshal(r.body, &p) == nil { // the reason is a problem here
			said, _ := json.Marshal(map[string]string{"reason": p.Detail})
			c.Tell("renewed", said)
		}
	}()
}

func (c *client) ConfirmCredential() <-chan struct{} {
	return c.send("/v1/credential/confirm", []byte("{}"))
}

// Foreign shows another's name beside its own certificate.
func (c *client) Foreign(other string, payload []byte) <-chan struct{} {
	thief := &client{Caller: linktest.NewCaller("thief of "+c.url+other, linger), id: linktest.Identity{Client: other, User: other, Password: "x"}, http: c.http, url: c.url}
	return thief.send("/v1/telemetry", payload)
}
