package link

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/trace"
)

// maxRenewal bounds a renewal, in bytes.
const maxRenewal = 16 << 10

// Renew asks for a credential beside the one that the device has, for the new key in payload. answer is called once, with the
// credential or the reason why there is none; ack is called then, in order with those of Publish. A device may renew about
// once in ten seconds; Renew waits while one of the same session is under way.
func (s *Session) Renew(payload []byte, answer func(api.RenewAnswer), ack func(stored bool)) {
	t := s.begin(ack)
	in, err := readRenewal(payload)
	if err != nil {
		answer(api.RenewAnswer{Reason: err.Error(), Status: http.StatusBadRequest})
		t.finish(true)
		return
	}
	s.beside(t, func() bool {
		if !s.link.renewals.wait(s.link.work, s.done, string(s.Ref)) {
			return false
		}
		traced := trace.With(s.link.work, trace.New())
		var out api.RenewAnswer
		err := s.link.attempt(traced, s.done, s.link.limits.Confirm, func(ctx context.Context) (err error) {
			out, err = s.link.api.RenewCredential(ctx, s.Ref, in)
			if early := tooSoon(err); early != nil { // to ask again at once would be refused again
				out, err = api.RenewAnswer{Reason: early.Error(), Status: early.Status, RetryAfter: early.RetryAfter}, nil
			}
			return err
		})
		var p *api.Problem
		switch {
		case err == nil && out.Reason != "":
		case errors.As(err, &p) && final(p.Status):
			out = api.RenewAnswer{Reason: p.Error(), Status: p.Status}
		case err != nil:
			s.link.log.WarnContext(traced, "credential was not renewed", "ref", s.Ref, "error", err)
			out = api.RenewAnswer{Reason: "the platform cannot renew now: ask again later", Status: http.StatusServiceUnavailable, RetryAfter: 10}
		default:
			s.link.log.InfoContext(traced, "credential renewed", "ref", s.Ref, "kind", out.Kind, "expires", out.Expires)
		}
		answer(out)
		return true
	})
}

// tooSoon is the answer that a device has renewed just before, which says when it may again; nil if err is none.
func tooSoon(err error) *api.Problem {
	var p *api.Problem
	if errors.As(err, &p) && p.Status == http.StatusTooManyRequests && p.RetryAfter > 1 && p.CallID != "" {
		return p
	}
	return nil
}

func readRenewal(payload []byte) (in api.Renewal, err error) {
	if len(payload) > maxRenewal {
		return in, fmt.Errorf("the renewal has %d bytes, at most %d are taken", len(payload), maxRenewal)
	}
	var r struct {
		CSR       string `json:"csr"`
		PublicKey string `json:"publicKey"`
	}
	if err := decodeObject(payload, &r); err != nil {
		return in, fmt.Errorf("the renewal must be an object with csr or publicKey: %w", err)
	}
	if (r.CSR == "") == (r.PublicKey == "") {
		return in, errors.New("one of csr and publicKey is needed, not both")
	}
	return api.Renewal{CSR: r.CSR, PublicKey: r.PublicKey}, nil
}

// ConfirmCredential tells function credentials what the device has shown: that stays, and what it had before ends. ack is called
// in order with those of Publish, with true when the function has taken it.
func (s *Session) ConfirmCredential(shown api.Shown, ack func(stored bool)) {
	t := s.begin(ack)
	s.beside(t, func() bool {
		traced := trace.With(s.link.work, trace.New())
		err := s.link.attempt(traced, s.done, s.link.limits.Confirm, func(ctx context.Context) error {
			return s.link.api.ConfirmCredential(ctx, s.Ref, shown)
		})
		var p *api.Problem
		if errors.As(err, &p) && final(p.Status) {
			s.link.log.InfoContext(traced, "confirmation of a credential was not waited for", "ref", s.Ref, "error", err)
			return true // the device is here and can do no more about it
		}
		if err != nil {
			s.link.log.WarnContext(traced, "confirmation of a credential was not taken", "ref", s.Ref, "error", err)
		}
		return err == nil
	})
}

// seen tells function twin-provision that a device is here whose credential is not confirmed yet: a run may wait for just that, of
// a device that cannot confirm.
func (s *Session) seen() {
	l, in := s.link, api.Confirmation{Gateway: s.link.config.Gateway.ID, Ref: s.Ref, Twin: s.mapping.Twin, Seen: true}
	traced := trace.With(l.work, trace.New())
	l.pending.Go(func() {
		err := l.attempt(traced, s.done, l.limits.Confirm, func(ctx context.Context) error { return l.api.ConfirmProvisioning(ctx, in) })
		if err != nil {
			l.log.InfoContext(traced, "twin-provision was not told that a device is here", "ref", s.Ref, "error", err)
		}
	})
}

// beside does what a device asks for besides having messages stored: one at a time.
func (s *Session) beside(t *ticket, work func() bool) {
	s.link.begin(s.confirm, s.done, func(done bool) {
		t.finish(done)
		s.tell() // of what was stored behind it meanwhile
	}, work)
}

// decodeObject reads what a device sends beside messages: a JSON or CBOR object, in which a key counts once.
func decodeObject(payload []byte, into any) error {
	if text := bytes.TrimSpace(payload); len(text) > 0 && text[0] == '{' {
		return json.Unmarshal(text, into)
	}
	return cborIn.Unmarshal(payload, into)
}
