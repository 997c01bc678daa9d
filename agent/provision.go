package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
)

// maxAnswer bounds an answer in bytes.
const maxAnswer = 1 << 20

// request is what a device says about itself; the rest of api.ProvisionRequest and api.Knock the gateway adds.
type request struct {
	Serial string            `json:"serial"`
	MAC    string            `json:"mac,omitempty"`
	Model  string            `json:"model,omitempty"`
	Facts  map[string]string `json:"facts,omitempty"`
	CSR    string            `json:"csr"`

	// Of a device that knocks.
	Maker        string   `json:"maker,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
}

// A way is how a device asks to be let in: with a claim, or without one, by knocking.
type way struct {
	login   login
	request request // what only this way says
	retry   Retry
	phase   Phase // entered by asking
	detail  string
	ask     func(ctx context.Context, s session, payload []byte) error
	remedy  func(error) error // what is to be done about an error

	others []string // gateways to ask where the last one did not answer, in this order

	told string // what people were told last that the device waits for
}

// provision gets the device its bundle, if it has none. It asks until there is an answer, always with the same key, so
// that a bundle lost on the way is given again.
func (a *Agent) provision(ctx context.Context) error {
	if a.id.bundle != nil {
		return nil
	}
	w, err := a.way(ctx)
	if err != nil {
		return err
	}
	if a.id.key == nil {
		a.tell(Keying, "making an ECDSA P-256 key")
		if err := a.id.makeKey(&a.vault); err != nil {
			return err
		}
	}
	w.login.client = strings.ToLower(rand.Text()) // nobody can guess it and sit on it
	for b := w.retry.start(); ; {
		err := a.enter(ctx, w)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrRejected) {
			return w.remedy(err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, errWaits) {
			a.tell(Waiting, w.remedy(err).Error())
			w.told = ""
			w.elsewhere()
		}
		if !pause.For(ctx, b.next()) {
			return ctx.Err()
		}
	}
}

// elsewhere has the next gateway asked, and the one that did not answer last of all.
func (w *way) elsewhere() {
	if len(w.others) > 0 {
		w.others = append(w.others, w.login.gateway)
		w.login.gateway, w.others = w.others[0], w.others[1:]
	}
}

// way is the way that the configuration names.
func (a *Agent) way(ctx context.Context) (*way, error) {
	switch {
	case a.cfg.Claim != nil:
		return a.claiming(ctx)
	case a.cfg.Knock != nil:
		return a.knocking(ctx)
	}
	return nil, fmt.Errorf("%w: give it a claim file", ErrNoClaim)
}

// claiming is the way of a device with a claim.
func (a *Agent) claiming(ctx context.Context) (*way, error) {
	c, err := a.cfg.Claim(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkClaim(&c); err != nil {
		return nil, err
	}
	w := &way{
		others: others(&c),
		login:  login{gateway: c.Gateway, ca: c.CA, user: c.Claim.ID, password: c.Token}, retry: a.cfg.Retry,
		phase: Claiming, detail: fmt.Sprintf("asking as %s with claim %s", a.cfg.Serial, c.Claim.ID),
		ask: func(ctx context.Context, s session, payload []byte) error {
			return s.ask(ctx, string(c.Claim.Type), payload)
		},
	}
	w.remedy = func(err error) error {
		c.Gateway = w.login.gateway
		return remedy(err, &c, a.cfg.Now())
	}
	return w, nil
}

// enter makes one session at the provisioning gateway and asks in it until the answer is final, or that nobody knows the device yet.
func (a *Agent) enter(ctx context.Context, w *way) error {
	csr, err := a.id.csr(a.cfg.Serial)
	if err != nil {
		return err
	}
	r := w.request
	r.Serial, r.MAC, r.Model, r.Facts, r.CSR = a.cfg.Serial, a.cfg.MAC, a.cfg.Model, a.cfg.Facts, csr
	ask, err := json.Marshal(r)
	if err != nil {
		return err
	}
	answers := make(chan api.ProvisionAnswer, 8)
	s, err := a.connect(ctx, w.login, heard{answer: func(payload []byte) {
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
	if w.told == "" {
		a.tell(w.phase, w.detail+" at "+w.login.gateway)
	}
	if err := w.ask(ctx, s, ask); err != nil {
		return err
	}
	again := w.retry.start()
	pending := false // whether the newest request was answered
	timer := time.NewTimer(a.cfg.AnswerTimeout)
	defer timer.Stop()
	for {
		select {
		case answer := <-answers:
			if final, err := a.hear(w, answer); final {
				return err
			}
			pending = true
			timer.Reset(again.next())
		case <-timer.C:
			if !pending {
				return fmt.Errorf("asking to be provisioned: %w", errAnswer)
			}
			// The answer comes by itself; asking again is for the case that it got lost.
			if err := w.ask(ctx, s, ask); err != nil {
				return err
			}
			pending = false
			timer.Reset(a.cfg.AnswerTimeout)
		case <-s.lost():
			for len(answers) > 0 { // what came before counts: a gateway may hang up after a final answer
				if final, err := a.hear(w, <-answers); final {
					return err
				}
			}
			return s.why()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hear takes an answer. It is final if the session is not needed any more.
func (a *Agent) hear(w *way, answer api.ProvisionAnswer) (final bool, err error) {
	switch answer.Status {
	case "accepted":
		return true, a.accept(answer)
	case "rejected":
		return true, fmt.Errorf("%w: %.1000s", ErrRejected, answer.Reason)
	}
	told := fmt.Sprintf("run %.64s is at %.64q", answer.Run, answer.State)
	unknown := answer.Run == "" && w.phase == Knocking
	if unknown {
		told = fmt.Sprintf("%.300s (castor waiting list)", cmp.Or(answer.Reason, errWaits.Error()))
	}
	if w.told != told {
		a.tell(Pending, told)
	}
	w.told = told
	if unknown { // nothing comes before the next knock, and the gateway has few places for strangers
		return true, errWaits
	}
	return false, nil
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
