package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/time/rate"
)

// A Claimant is one connection of a device that has only a claim, which the gateway has authenticated.
type Claimant struct {
	ID     string // of the session
	Claim  string
	Client string // where answers go

	link *Link
	done <-chan struct{}
	busy chan struct{} // holds a place for the one request under way
}

// maxRequest bounds a provisioning request, in bytes.
const maxRequest = 64 << 10

// OpenClaim begins a session on a provisioning gateway.
func (l *Link) OpenClaim(id, claim, client string, done <-chan struct{}) *Claimant {
	return &Claimant{ID: id, Claim: claim, Client: client, link: l, done: done, busy: make(chan struct{}, 1)}
}

// Request brings a device's request to the TDTA of kind, and the answer to the device. ack is called with true when the
// request was answered, with false when that was not possible. Request waits while one of the same session is under way.
func (c *Claimant) Request(kind twin.TypeID, payload []byte, ack func(stored bool)) {
	in, err := c.read(kind, payload)
	if err != nil {
		c.answer(api.ProvisionAnswer{Status: "rejected", Reason: err.Error()})
		ack(true)
		return
	}
	traced := trace.With(c.link.work, trace.New())
	c.link.begin(c.busy, c.done, ack, func() bool {
		if !c.link.claims.wait(c.link.work, c.done, c.Claim) {
			return false
		}
		var answer api.ProvisionAnswer
		err := c.link.attempt(traced, c.done, time.Minute, func(ctx context.Context) (err error) {
			answer, err = c.link.api.RequestProvisioning(ctx, in)
			return err
		})
		var p *api.Problem
		if errors.As(err, &p) && final(p.Status) {
			answer, err = api.ProvisionAnswer{Status: "rejected", Reason: p.Error()}, nil
		}
		if err != nil {
			c.link.log.WarnContext(traced, "provisioning request was not taken", "claim", c.Claim, "client", c.Client, "type", kind, "error", err)
			return false
		}
		c.link.log.InfoContext(traced, "provisioning request answered", "claim", c.Claim, "client", c.Client, "type", kind, "serial", in.Serial, "status", answer.Status)
		c.answer(answer)
		return true
	})
}

func (c *Claimant) answer(a api.ProvisionAnswer) {
	metrics.Answered(c.link.config.Gateway.ID, a.Status)
	c.link.config.Protocol.Answer(c, a)
}

func (c *Claimant) read(kind twin.TypeID, payload []byte) (in api.ProvisionRequest, err error) {
	if len(payload) > maxRequest {
		return in, fmt.Errorf("the request has %d bytes, at most %d are taken", len(payload), maxRequest)
	}
	if err := kind.Valid(); err != nil {
		return in, fmt.Errorf("type: %w", err)
	}
	var r struct {
		Serial string            `json:"serial"`
		MAC    string            `json:"mac"`
		Model  string            `json:"model"`
		Facts  map[string]string `json:"facts"`
		CSR    string            `json:"csr"`

		PublicKey string `json:"publicKey"`
		Kind      string `json:"kind"`
		Protocol  string `json:"protocol"`
	}
	switch err := decodeObject(payload, &r); {
	case err != nil:
		return in, fmt.Errorf("the request must be an object with serial, mac, model, facts and csr or publicKey: %w", err)
	case r.Serial == "":
		return in, errors.New("serial is missing")
	case r.CSR == "" && r.PublicKey == "":
		return in, errors.New("csr is missing: a PKCS #10 certificate request in PEM; or publicKey, for a secret that is sealed to it")
	}
	return api.ProvisionRequest{
		Gateway: c.link.config.Gateway.ID, Client: c.Client, Claim: c.Claim, Type: kind,
		Serial: r.Serial, MAC: r.MAC, Model: r.Model, Facts: r.Facts, CSR: r.CSR, PublicKey: r.PublicKey, Kind: r.Kind,
		Protocol: cmp.Or(r.Protocol, c.link.config.Gateway.Protocol),
	}, nil
}

// Confirm tells function twin-provision that the device has arrived on its operational gateway. ack is called in order with
// those of Publish, with true when the function has taken it.
func (s *Session) Confirm(ack func(stored bool)) {
	known, _ := s.resolve()
	t := s.begin(ack)
	if !known {
		t.finish(false)
		return
	}
	traced := trace.With(s.link.work, trace.New())
	l, in := s.link, api.Confirmation{Gateway: s.link.config.Gateway.ID, Ref: s.Ref, Twin: s.mapping.Twin}
	finish := func(stored bool) {
		t.finish(stored)
		s.tell() // of what was stored behind it meanwhile
	}
	l.begin(s.confirm, s.done, finish, func() bool {
		err := l.attempt(traced, s.done, l.limits.Confirm, func(ctx context.Context) error { return l.api.ConfirmProvisioning(ctx, in) })
		var p *api.Problem
		if errors.As(err, &p) && (p.Status == http.StatusConflict || p.Status == http.StatusBadRequest) {
			l.log.InfoContext(traced, "confirmation was not waited for", "ref", s.Ref, "twin", in.Twin, "error", err)
			return true // the device is here and can do no more about it
		}
		if err != nil {
			l.log.WarnContext(traced, "confirmation was not taken", "ref", s.Ref, "twin", in.Twin, "error", err)
		}
		return err == nil
	})
}

// begin runs work beside, one at a time per place, and calls ack with its outcome.
func (l *Link) begin(place chan struct{}, done <-chan struct{}, ack func(bool), work func() bool) {
	select {
	case place <- struct{}{}:
	case <-done:
		ack(false)
		return
	case <-l.work.Done():
		ack(false)
		return
	}
	l.pending.Go(func() {
		ack(work())
		<-place
	})
}

// attempt makes a call of twin-provision, again while it fails for a passing reason, for patience at most. Places for such
// calls are few, so that provisioning cannot take all of the functions.
func (l *Link) attempt(ctx context.Context, done <-chan struct{}, patience time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for tries := 1; ; tries++ {
		select {
		case l.calls <- struct{}{}:
		case <-done:
			return errors.New("the device has gone")
		case <-ctx.Done():
			return ctx.Err()
		}
		err := call(ctx)
		<-l.calls
		var p *api.Problem
		if err == nil || errors.As(err, &p) && final(p.Status) {
			return err
		}
		if !pause.Unless(ctx, done, backoff(tries, l.limits.Backoff)) {
			return err
		}
	}
}

// final tells whether an answer of this status will be the same next time. A function that is not there (404), a token
// that has run out (401) and what is overloaded will change.
func final(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// claims limit how often each claim may ask, or whoever has a name.
type claims struct {
	rate  rate.Limit
	burst int

	mu   sync.Mutex
	each map[string]*rate.Limiter
}

// maxClaims is how many claims are remembered; beyond it all begin anew.
const maxClaims = 10_000

func newClaims(perSecond float64, burst int) *claims {
	return &claims{rate: rate.Limit(perSecond), burst: burst, each: make(map[string]*rate.Limiter)}
}

// wait holds a request back until its claim may ask again. It is false when ctx or done ended first.
func (c *claims) wait(ctx context.Context, done <-chan struct{}, claim string) bool {
	c.mu.Lock()
	l := c.each[claim]
	if l == nil {
		if len(c.each) >= maxClaims {
			clear(c.each)
		}
		l = rate.NewLimiter(c.rate, c.burst)
		c.each[claim] = l
	}
	c.mu.Unlock()
	r := l.Reserve()
	if d := r.Delay(); d > 0 && !pause.Unless(ctx, done, d) {
		r.Cancel()
		return false
	}
	return true
}
