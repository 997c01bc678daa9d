package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// httpWire is docs/devices-http.md.
type httpWire struct{}

func (httpWire) ask(ctx context.Context, to way, claim api.ClaimFile, as twin.TypeID, body any) (a api.ProvisionAnswer, err error) {
	return a, httpCall(ctx, to, proof{kind: device.Password, user: claim.Claim.ID, secret: claim.Token}, "/v1/provision/"+string(as)+"?wait=20", body, &a)
}

func (httpWire) knock(ctx context.Context, to way, body any) (a api.ProvisionAnswer, err error) {
	return a, httpCall(ctx, to, proof{}, "/v1/knock", body, &a)
}

func (httpWire) confirm(ctx context.Context, to way, p proof) error {
	return httpCall(ctx, to, p, "/v1/confirm", struct{}{}, nil)
}

func (httpWire) report(ctx context.Context, to way, p proof, ref device.Ref, body any) error {
	if ref != p.ref { // there is no other way to name a device than by what it shows
		p.user, p.kind = string(ref), device.Password
	}
	return httpCall(ctx, to, p, "/v1/telemetry", body, nil)
}

// httpPoll keeps a poll for commands open, as long as it gets.
func httpPoll(ctx context.Context, to way, p proof) error {
	r, err := http.NewRequestWithContext(ctx, "GET", to.url+"/v1/commands?wait=60", nil)
	if err != nil {
		return err
	}
	return httpDo(to, p, r, nil)
}

func httpCall(ctx context.Context, to way, p proof, path string, body, answer any) error {
	r, err := http.NewRequestWithContext(ctx, "POST", to.url+path, bytes.NewReader(raw(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return httpDo(to, p, r, answer)
}

// httpDo makes a request on a connection of its own.
func httpDo(to way, p proof, r *http.Request, answer any) error {
	switch p.kind {
	case device.Password:
		r.SetBasicAuth(p.user, p.secret)
	case device.Token:
		r.Header.Set("Authorization", "Bearer "+p.secret)
	case device.APIKey:
		r.Header.Set("X-API-Key", p.secret)
	}
	t := &http.Transport{TLSClientConfig: to.tls(p), DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return to.dial(ctx, address) }}
	resp, err := (&http.Client{Transport: t}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 500:
		return fmt.Errorf("%s %s", resp.Status, b)
	case resp.StatusCode >= 300:
		return turnedAway("%s %s", resp.Status, b)
	case answer != nil && len(b) > 0:
		return json.Unmarshal(b, answer)
	}
	return nil
}
