package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// maxAnswer bounds an answer in bytes.
const maxAnswer = 1 << 20

// request is what a device says about itself; the rest of api.ProvisionRequest the gateway adds.
type request struct {
	Serial string            `json:"serial"`
	MAC    string            `json:"mac,omitempty"`
	Model  string            `json:"model,omitempty"`
	Facts  map[string]string `json:"facts,omitempty"`
	CSR    string            `json:"csr"`
}

// provision gets the device its bundle, if it has none. It asks until there is an answer, always with the same key, so
// that a bundle lost on the way is given again.
func (a *Agent) provision(ctx context.Context) error {
	if a.id.bundle != nil {
		return nil
	}
	if a.cfg.Claim == nil {
		return fmt.Errorf("%w: give it a claim file", ErrNoClaim)
	}
	claim, err := a.cfg.Claim(ctx)
	if err != nil {
		return err
	}
	if err := checkClaim(&claim); err != nil {
		return err
	}
	if a.id.key == nil {
		a.tell(Keying, "making an ECDSA P-256 key")
		if err := a.id.makeKey(&a.vault); err != nil {
			return err
		}
	}
	client := strings.ToLower(rand.Text()) // nobody can guess it and sit on it
	for b := a.cfg.Retry.start(); ; {
		err := a.claim(ctx, claim, client)
		if err == nil || errors.Is(err, ErrRejected) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.tell(Waiting, remedy(err, &claim, a.cfg.Now()).Error())
		if !sleep(ctx, b.next()) {
			return ctx.Err()
		}
	}
}

// claim makes one session at the provisioning gateway and asks in it until the answer is final.
func (a *Agent) claim(ctx context.Context, c api.ClaimFile, client string) error {
	csr, err := a.id.csr(a.cfg.Serial)
	if err != nil {
		return err
	}
	ask, err := json.Marshal(request{a.cfg.Serial, a.cfg.MAC, a.cfg.Model, a.cfg.Facts, csr})
	if err != nil {
		return err
	}
	answers := make(chan api.ProvisionAnswer, 8)
	l := login{gateway: c.Gateway, ca: c.CA, client: client, user: c.Claim.ID, password: c.Token}
	s, err := a.connect(ctx, l, heard{answer: func(payload []byte) {
		var answer api.ProvisionAnswer
		if len(payload) > maxAnswer || json.Unmarshal(payload, &answer) != nil {
			a.cfg.Log.Warn("answer to the provisioning request cannot be read", "bytes", len(payload))
			return
		}
		select {
		case answers <- answer:
		default: // more than anybody asked for
		}
	}})
	if err != nil {
		return err
	}
	defer s.close()
	a.tell(Claiming, fmt.Sprintf("asking as %s with claim %s at %s", a.cfg.Serial, c.Claim.ID, c.Gateway))
	if err := s.ask(ctx, string(c.Claim.Type), ask); err != nil {
		return err
	}
	again := a.cfg.Retry.start()
	pending, told := false, false // whether the newest request was answered; whether a person knows
	timer := time.NewTimer(a.cfg.AnswerTimeout)
	defer timer.Stop()
	for {
		select {
		case answer := <-answers:
			switch answer.Status {
			case "accepted":
				return a.accept(answer)
			case "rejected":
				return fmt.Errorf("%w: %.1000s", ErrRejected, answer.Reason)
			case "pending":
				if !told {
					a.tell(Pending, fmt.Sprintf("run %.64s is at %.64q", answer.Run, answer.State))
				}
				pending, told = true, true
				timer.Reset(again.next())
			}
		case <-timer.C:
			if !pending {
				return fmt.Errorf("asking to be provisioned: %w", errAnswer)
			}
			// The answer comes by itself; asking again is for the case that it got lost.
			if err := s.ask(ctx, string(c.Claim.Type), ask); err != nil {
				return err
			}
			pending = false
			timer.Reset(a.cfg.AnswerTimeout)
		case <-s.lost():
			return s.why()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// accept keeps the bundle.
func (a *Agent) accept(answer api.ProvisionAnswer) error {
	if answer.Bundle == nil {
		return errors.New("accepted without a bundle")
	}
	a.mu.Lock()
	err := a.id.take(*answer.Bundle)
	if err == nil {
		a.id.serial, a.id.received = a.cfg.Serial, a.cfg.Now()
		if err = a.id.keep(&a.vault); err != nil {
			a.id.bundle = nil
		}
	}
	a.mu.Unlock()
	if err != nil {
		return err
	}
	a.tell(Accepted, "certificate for "+string(answer.Bundle.Ref)+", twin "+string(answer.Bundle.Twin))
	return nil
}
