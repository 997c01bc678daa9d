package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// Errors of Enter and Visit.
var (
	ErrRefused   = errors.New("not let in")
	ErrThrottled = errors.New("too many attempts, come back later")
	ErrBusy      = errors.New("the client name is in use")
)

// Shown is what a client shows. At an operational gateway: a certificate; "<ref>.<secret>" as Secret; or a user name, or the
// reference, as User, and the bare secret. A device that has topics of its own may call itself anything as Client. At a provisioning gateway: a claim's id as User and its token as Secret, or
// "<claim>.<token>" as Secret, or nothing, to knock.
type Shown struct {
	Address      netip.Addr
	Client       string // "" = what its credential names; at a provisioning gateway a name of the door's choice
	User, Secret string
	Certificate  *x509.Certificate // whose chain and time TLS has verified

	conn *Conn // that it came by
}

// welcome tells the connection's place in the hall that it is free. All that it sends is read from now on, unless it may only knock.
func (s Shown) welcome(as *Session) {
	if s.conn == nil {
		return
	}
	s.conn.known()
	if !as.Anonymous() {
		s.conn.hear()
	}
}

// maxShown bounds user names and secrets, in bytes.
const maxShown = 256

// authenticate finds the client's admission and compares what it shows.
func (d *Door) authenticate(ctx context.Context, shown Shown) (*Session, error) {
	switch {
	case d.closing.Load():
		return nil, ErrStopping
	case !d.guard.mayFail(shown.Address):
		return nil, fmt.Errorf("%w: this address has failed too often", ErrThrottled)
	case len(shown.User) > maxShown || len(shown.Secret) > maxShown:
		return nil, fmt.Errorf("%w: user name and secret have at most %d bytes", ErrRefused, maxShown)
	}
	s := d.newSession(shown)
	var err error
	if d.config.Phase == Provisioning {
		err = d.claim(ctx, s, shown)
	} else {
		err = d.device(ctx, s, shown)
	}
	if err == nil {
		err = device.Ref(s.Client).Valid()
	}
	if err != nil {
		if !errors.Is(err, ErrThrottled) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, err
	}
	return s, nil
}

// claim authenticates at a provisioning gateway.
func (d *Door) claim(ctx context.Context, s *Session, shown Shown) error {
	if s.Client == "" {
		s.Client = "client-" + s.mark
	}
	if shown.User == "" && shown.Secret == "" {
		if !d.config.Knocks {
			return errors.New("no claim")
		}
		return d.knocks.may(d.guard, shown.Address)
	}
	name, token := shown.User, shown.Secret
	if name == "" {
		claim, rest, _ := device.Split(shown.Secret)
		name, token = string(claim), rest
	}
	sum := sha256.Sum256([]byte(token))
	proof := hex.EncodeToString(sum[:])
	a, ok := d.find(ctx, name, func(a api.Admission) bool { return holds(a, proof) })
	if !ok {
		return errors.New("no such claim, or another token")
	}
	s.Name, s.proof, s.typ = name, proof, a.Type
	return d.current(a.Expires)
}

// device authenticates at an operational gateway.
func (d *Door) device(ctx context.Context, s *Session, shown Shown) (err error) {
	var user string
	if c := shown.Certificate; c != nil {
		s.Name, s.proof, s.expires = c.Subject.CommonName, fingerprint(c), c.NotAfter
	} else if s.Name, s.proof, user, err = d.secret(shown); err != nil {
		return err
	}
	if s.Client == "" || d.ownTopics(s.Name) != nil {
		s.Client = s.Name
	}
	if s.Client != s.Name {
		return errors.New("client id is not what the credential names") // which is not told: it may be a guess
	}
	a, ok := d.find(ctx, s.Name, func(a api.Admission) bool {
		return holds(a, s.proof) && (user == "" || user == a.Client || user == a.Username)
	})
	if !ok {
		return errors.New("the credential is not admitted here")
	}
	if s.Kind, s.typ, s.own = a.Kind, a.Type, a.Topics; s.own != nil {
		if d.config.Protocol != "mqtt" {
			return errors.New("its topics are of MQTT")
		}
		if s.Topics, err = newTopics(s.own); err != nil {
			return err
		}
	}
	return errors.Join(d.current(a.Expires), d.current(s.expires))
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// secret finds the device whose secret may be shown, and the verifier that it would have. user is the name that goes with it.
func (d *Door) secret(shown Shown) (name, proof, user string, err error) {
	switch {
	case shown.Secret == "":
		return "", "", "", errors.New("no certificate and no secret")
	case len(d.config.VerifierKey) == 0:
		return "", "", "", errors.New("this gateway takes certificates only")
	}
	ref, secret, joined := device.Split(shown.Secret)
	if !joined {
		if user, secret = shown.User, shown.Secret; user == "" {
			return "", "", "", errors.New("a secret without a user name must be <ref>.<secret>")
		}
		named := cmp.Or(d.admitted.Named(user), user)
		if ref = device.Ref(shown.Client); ref == "" || d.ownTopics(named) != nil {
			ref = device.Ref(named)
		}
	}
	return string(ref), device.Verifier(d.config.VerifierKey, ref, secret), user, nil
}

// ownTopics are those of a client whose firmware uses its own; nil if it does not, or is not known here.
func (d *Door) ownTopics(client string) *api.Topics {
	a, _ := d.admitted.Get(client)
	return a.Topics
}

// holds tells whether proof is one of the admission's, in a time that tells nothing of them.
func holds(a api.Admission, proof string) bool {
	found := 0
	for _, list := range [][]string{a.Fingerprints, a.Verifiers} {
		for _, p := range list {
			found |= subtle.ConstantTimeCompare([]byte(p), []byte(proof))
		}
	}
	return found == 1
}

// find returns the client's admission if it fits what the client shows. One that is not known here, or is another, is looked
// for in the bucket: a client that was admitted a moment ago may be faster than the news of it, above all where another
// replica had them first.
func (d *Door) find(ctx context.Context, name string, fits func(api.Admission) bool) (api.Admission, bool) {
	if a, ok := d.admitted.Get(name); ok && fits(a) {
		return a, true
	}
	d.admitted.Find(ctx, name)
	a, ok := d.admitted.Get(name)
	return a, ok && fits(a)
}

// refuse counts and remembers a client that was not let in.
func (d *Door) refuse(shown Shown, err error) {
	if errors.Is(err, ErrStopping) {
		return
	}
	if errors.Is(err, ErrThrottled) {
		d.count.throttled.Add(1)
	} else {
		d.count.refused.Add(1)
		d.guard.failed(shown.Address)
	}
	if d.guard.mayLog() {
		d.log.Warn("connection refused", "address", shown.Address, "client", fmt.Sprintf("%.64q", shown.Client), "error", err)
	}
}
