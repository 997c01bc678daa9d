// Package foreign configures a gateway of somebody else's (paper 4.10) that implements the platform's contract over HTTPS, which
// docs/gateways.md describes for whoever makes one: the platform puts and deletes clients, and asks for the gateway's state.
package foreign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

const (
	maxAnswer = 64 << 20 // bytes: a million clients
	maxEpoch  = 128
)

// Config says where the gateway is.
type Config struct {
	URL   string // of its contract: "https://gateway.example/castor"
	Token string // sent as "Authorization: Bearer …"

	// HTTP makes the calls; nil = http.DefaultClient. Redirects are not followed: the token is for this address.
	HTTP *http.Client
}

// A Target is the gateway as the configurator sees it.
type Target struct {
	base  string
	token string
	http  *http.Client
}

// New returns the target. Plain HTTP is refused but to this machine itself.
func New(c Config) (*Target, error) {
	u, err := url.Parse(c.URL)
	local := err == nil && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost")
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return nil, fmt.Errorf("the gateway's address %.200q must be like https://gateway.example/castor", c.URL)
	}
	if c.Token == "" {
		return nil, errors.New("the gateway's token is missing: it must not take orders from everybody")
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	h := *c.HTTP
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Target{base: strings.TrimSuffix(c.URL, "/"), token: c.Token, http: &h}, nil
}

// A state is what the gateway says of itself.
type state struct {
	Epoch    string `json:"epoch"`
	Sessions int64  `json:"sessions"`
}

// Apply puts the client.
func (t *Target) Apply(ctx context.Context, a api.Admission) error {
	return t.call(ctx, http.MethodPut, "/clients/"+url.PathEscape(a.Client), a, nil)
}

// Remove deletes the client.
func (t *Target) Remove(ctx context.Context, client string) error {
	err := t.call(ctx, http.MethodDelete, "/clients/"+url.PathEscape(client), nil, nil)
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

// Suspend deletes the client for a while: the gateway may keep its secret, which nobody else has. One that does not know the word forgets
// it, and answers 410 when the client is put again.
func (t *Target) Suspend(ctx context.Context, a api.Admission) error {
	err := t.call(ctx, http.MethodDelete, "/clients/"+url.PathEscape(a.Client)+"?suspended=true", nil, nil)
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

// List asks for the clients. Names that no device can have are passed over.
func (t *Target) List(ctx context.Context) ([]string, error) {
	var out struct {
		Clients []string `json:"clients"`
	}
	if err := t.call(ctx, http.MethodGet, "/clients", nil, &out); err != nil {
		return nil, err
	}
	names := out.Clients[:0]
	for _, c := range out.Clients {
		if device.Ref(c).Valid() == nil {
			names = append(names, c)
		}
	}
	return names, nil
}

// State asks for the gateway's epoch.
func (t *Target) State(ctx context.Context) (string, error) {
	s, err := t.state(ctx)
	return s.Epoch, err
}

// Sessions asks how many devices are connected.
func (t *Target) Sessions(ctx context.Context) (int64, error) {
	s, err := t.state(ctx)
	return max(0, s.Sessions), err
}

func (t *Target) state(ctx context.Context) (s state, err error) {
	if err = t.call(ctx, http.MethodGet, "/state", nil, &s); err != nil {
		return s, err
	}
	if s.Epoch == "" || len(s.Epoch) > maxEpoch {
		return s, fmt.Errorf("GET /state: epoch must be a word of 1 to %d characters that changes when the gateway has lost its clients", maxEpoch)
	}
	return s, nil
}

var errNotFound = errors.New("not found")

// call makes one call. An answer that says 410 is the gateway's last word: it cannot let the client in.
func (t *Target) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, t.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case len(answer) > maxAnswer:
		return fmt.Errorf("%s %s: the answer has more than %d bytes", method, path, maxAnswer)
	case resp.StatusCode == http.StatusGone:
		return fmt.Errorf("%w: %s", configurator.ErrLost, why(answer))
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w", method, path, errNotFound)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: the gateway answers %d: %s", method, path, resp.StatusCode, why(answer))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer is no JSON of the contract: %w", method, path, err)
	}
	return nil
}

// why is the reason that the gateway gives: the detail of a problem document, else the beginning of its text.
func why(answer []byte) string {
	var p struct {
		Detail string `json:"detail"`
	}
	text := string(answer)
	if json.Unmarshal(answer, &p) == nil && p.Detail != "" {
		text = p.Detail
	}
	return fmt.Sprintf("%.200q", text)
}
