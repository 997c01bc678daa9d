package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
)

// backdate is how much earlier than its making a certificate of the platform begins.
const backdate = 5 * time.Minute

// lookAgain is how often the clock is looked at for a renewal: it may be set at any time.
const lookAgain = time.Minute

// errRenewed ends a session because the device has a new certificate to come back with.
var errRenewed = errors.New("the device has a new certificate")

// A next is the certificate that will replace the device's own: asked for, come, and, when the platform has taken the
// device's word that it was shown, adopted. Up to then both are good, and both are kept: whatever ends in between, one works.
type next struct {
	key  *ecdsa.PrivateKey
	cert tls.Certificate // without a chain until it came
}

// came tells whether the certificate is there to be shown.
func (n *next) came() bool { return n != nil && len(n.cert.Certificate) > 0 }

// keptNext is the form of next.json.
type keptNext struct {
	Key         string `json:"key"`                   // PEM
	Certificate string `json:"certificate,omitempty"` // PEM
}

// loadNext reads what was asked for. What cannot be read is as nothing: the device's own certificate is still good.
func (id *identity) loadNext(v *vault) error {
	b, err := v.read(nextName)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var k keptNext
	if err := json.Unmarshal(b, &k); err != nil {
		return err
	}
	n := &next{}
	if n.key, err = parseKey([]byte(k.Key)); err != nil {
		return err
	}
	if k.Certificate != "" {
		if n.cert, err = id.fits(n.key, k.Certificate); err != nil {
			return err
		}
	}
	id.next = n
	return nil
}

func (n *next) keep(v *vault, certificate string) error {
	key, err := encodeKey(n.key)
	if err != nil {
		return err
	}
	b, err := json.Marshal(keptNext{string(key), certificate})
	if err != nil {
		return err
	}
	return v.keep(nextName, b)
}

// renewAt is when the device asks for its next certificate: when two thirds of this one's life are over since it came. Both
// times are the device's own, so that it does not matter whether its clock is right.
func (id *identity) renewAt() time.Time {
	life := id.cert.Leaf.NotAfter.Sub(id.cert.Leaf.NotBefore)
	if life > backdate {
		life -= backdate
	}
	return id.received.Add(life / 3 * 2)
}

// renew asks for the next certificate when it is time, until it came. It is false if the session ended before.
func (a *Agent) renew(ctx context.Context, s session) bool {
	for wait := time.Duration(0); ; {
		if !pause.Unless(ctx, s.lost(), wait) {
			return false
		}
		if left := a.id.renewAt().Sub(a.cfg.Now()); left > 0 {
			wait = min(left, lookAgain)
			continue
		}
		err := a.askNext(ctx, s)
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			a.cfg.Log.Warn("certificate not renewed, asking again", "error", err)
		}
		wait = a.again.next()
	}
}

// askNext asks for a certificate for a new key, which is kept before anybody hears of it.
func (a *Agent) askNext(ctx context.Context, s session) error {
	n := a.id.next
	if n == nil {
		key, err := newKey()
		if err != nil {
			return err
		}
		n = &next{key: key}
		if err := n.keep(&a.vault, ""); err != nil {
			return fmt.Errorf("keeping the next key: %w", err)
		}
		a.id.next = n
	}
	csr, err := csrOf(n.key, string(a.id.bundle.Ref))
	if err != nil {
		return err
	}
	ask, err := json.Marshal(api.Renewal{CSR: csr})
	if err != nil {
		return err
	}
	payload, err := s.renew(ctx, ask)
	if err != nil {
		return err
	}
	var answer api.RenewAnswer
	if len(payload) > maxAnswer || json.Unmarshal(payload, &answer) != nil {
		return errors.New("the answer cannot be read")
	}
	if answer.Reason != "" {
		return fmt.Errorf("the platform says: %.1000s", answer.Reason)
	}
	cert, err := a.id.fits(n.key, answer.Certificate)
	if err != nil {
		return err
	}
	if err := n.keep(&a.vault, answer.Certificate); err != nil {
		return fmt.Errorf("keeping the next certificate: %w", err)
	}
	n.cert = cert
	return nil
}

// login connects with the next certificate if it is there, else with the device's own. fresh tells which. A next one that
// does not let the device in, where its own does, is asked for again.
func (a *Agent) login(ctx context.Context) (s session, fresh bool, err error) {
	b := a.id.bundle
	l, h := login{gateway: a.gateway(), ca: b.CA, client: string(b.Ref)}, heard{stored: a.acknowledge, command: a.ordered, move: a.heardMove}
	if a.id.next.came() {
		l.cert = []tls.Certificate{a.id.next.cert}
		if s, err = a.connect(ctx, l, h); err == nil || ctx.Err() != nil {
			return s, true, err
		}
	}
	l.cert = a.id.certificates()
	var own error
	if s, own = a.connect(ctx, l, h); own == nil && err != nil {
		a.cfg.Log.Warn("the next certificate does not let the device in, it is asked for again", "error", err)
		a.id.next.cert = tls.Certificate{}
	}
	return s, false, own
}

// adopt makes the certificate that this session was made with the device's own. It is told to the platform first, which
// ends the one before; one write changes key and certificate, so that after a crash they fit.
func (a *Agent) adopt(ctx context.Context, s session) error {
	err := s.confirmCredential(ctx)
	if err != nil {
		return fmt.Errorf("confirming the new certificate: %w", err)
	}
	a.mu.Lock()
	n := a.id.next
	bundle := *a.id.bundle
	bundle.Certificate = string(encodeCertificate(n.cert))
	a.id.bundle, a.id.key, a.id.cert, a.id.received, a.id.next = &bundle, n.key, n.cert, a.cfg.Now(), nil
	err = a.id.keep(&a.vault)
	if err == nil {
		err = a.id.keepKey(&a.vault)
	}
	if err == nil {
		err = a.vault.drop(nextName)
	}
	a.mu.Unlock()
	if err != nil { // after a restart the next one is shown, confirmed and adopted again
		a.cfg.Log.Error("new certificate not noted", "error", err)
	}
	a.again.reset()
	a.tell(Renewed, "until "+n.cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	return nil
}
