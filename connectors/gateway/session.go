package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Why the door ends a session.
var (
	ErrReplaced  = errors.New("the client has begun another session")
	ErrDismissed = errors.New("what the client has shown lets it in no more")
	ErrStopping  = errors.New("the gateway is stopping")
	ErrIdle      = errors.New("the client has not been heard of for too long")
	ErrGaveWay   = errors.New("others wait to knock")

	errLeft = errors.New("the client has left")
)

// A Session is one stay of an authenticated client. It holds no credential.
type Session struct {
	// ID sorts by Number, across all replicas of the gateway.
	ID string

	// Number grows with each session of a client, also when it comes back through another replica whose clock is behind. It
	// is Unix milliseconds, about.
	Number int64

	// Name is what the client was admitted as: a device reference, or the id of a claim; "" = it has shown nothing and may
	// knock only.
	Name string

	// Client is the name messages reach it by, of a device its reference.
	Client string

	Kind    device.Kind // of the credential it was admitted by; "" = a claim, or nothing
	Address netip.Addr  // its own, or its balancer's
	Since   time.Time

	// Topics are the client's own; nil = those of the platform.
	Topics *Topics

	door     *Door
	conn     *Conn // that its client came by first; nil if not told
	end      func(why error)
	mark     string        // tells this session from all others
	numbered chan struct{} // closed when ID and Number are set
	typ      twin.TypeID   // that its claim is for
	own      *api.Topics   // as its admission has them
	window   chan struct{}
	attached chan struct{} // closed when value is set
	value    any

	once  sync.Once
	why   error
	done  chan struct{} // closed when nothing of the session counts any more
	left  sync.Once
	ended chan struct{} // closed when the protocol has closed all that belongs to it

	mu      sync.Mutex
	proof   string    // the fingerprint or verifier that let it in
	expires time.Time // of its certificate; the zero time if it has none
	visits  visits
}

// newSession is for authenticate to fill in.
func (d *Door) newSession(s Shown) *Session {
	return &Session{Client: s.Client, Address: s.Address, Since: d.now().UTC().Truncate(time.Millisecond), door: d, conn: s.conn, mark: newMark(),
		numbered: make(chan struct{}), window: make(chan struct{}, d.config.Limits.Window), attached: make(chan struct{}), done: make(chan struct{}),
		ended: make(chan struct{})}
}

// Done is closed when the session has ended or was cut off; what is received and not handed over yet is void then.
func (s *Session) Done() <-chan struct{} { return s.done }

// Why tells why the session has ended; nil while it has not.
func (s *Session) Why() error {
	select {
	case <-s.done:
		return s.why
	default:
		return nil
	}
}

// Anonymous tells whether the client has shown nothing.
func (s *Session) Anonymous() bool { return s.Name == "" }

// Attach keeps what the protocol has of its own for the session, for those that visit it. It is called once.
func (s *Session) Attach(value any) {
	s.value = value
	close(s.attached)
}

// Attached is what was attached; nil if nothing was yet.
func (s *Session) Attached() any {
	select {
	case <-s.attached:
		return s.value
	default:
		return nil
	}
}

// cut ends the session at once. Nothing is received from it after cut has returned; what ends the connection runs beside,
// because a peer that does not read can hold that up for seconds.
func (s *Session) cut(why error) { s.close(why, s.end) }

func (s *Session) close(why error, end func(error)) {
	s.once.Do(func() {
		s.why = why
		close(s.done)
		if end != nil {
			go end(why)
		}
	})
}

// End ends the session for the protocol's own reasons and waits until no visit is under way in it. What was given to Enter as
// end is not called.
func (s *Session) End() {
	s.close(errLeft, nil)
	s.visits.shut()
}

// Leave ends the session, if it has not ended, and lets the client's next one begin. Who has entered a session leaves it, when
// all that belongs to it is closed.
func (s *Session) Leave() {
	s.End()
	s.left.Do(func() { s.door.sessions.leave(s) })
}

// Take waits for a place among the messages of the session that are not settled, and gives it back by settle: with true
// when the message is stored. It must be called for every message before the platform hears of it. ok is false when the message
// must not be taken any more, because the session has ended or the gateway stops.
func (s *Session) Take(ctx context.Context) (settle func(stored bool), ok bool) {
	if s.Why() != nil || s.door.closing.Load() {
		return nil, false
	}
	select {
	case s.window <- struct{}{}:
	case <-s.done:
		return nil, false
	case <-ctx.Done():
		return nil, false
	}
	s.door.count.received.Add(1)
	var settled atomic.Bool
	return func(stored bool) {
		if settled.Swap(true) {
			return
		}
		if stored {
			s.door.count.acknowledged.Add(1)
		}
		<-s.window
	}, true
}

// Proof is what the client has shown, as far as that may be known.
func (s *Session) Proof() api.Shown {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Kind == device.Certificate || s.Kind == "" && !s.expires.IsZero() {
		return api.Shown{Fingerprint: s.proof}
	}
	return api.Shown{Verifier: s.proof}
}

// Refused counts something that the client has asked for without the right to it.
func (s *Session) Refused() { s.door.count.foreign.Add(1) }

// Dropped counts a message to the client that was lost.
func (s *Session) Dropped() { s.door.count.dropped.Add(1) }

// shows takes over what a visit has shown, so that the session does not end with a credential that the client uses no more.
func (s *Session) shows(other *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proof, s.expires = other.proof, other.expires
}

// mayStay tells whether what the client has shown lets it in now.
func (s *Session) mayStay() bool {
	if s.Anonymous() {
		return true
	}
	s.mu.Lock()
	proof, expires := s.proof, s.expires
	s.mu.Unlock()
	a, ok := s.door.admitted.Get(s.Name)
	return ok && a.Type == s.typ && reflect.DeepEqual(a.Topics, s.own) && holds(a, proof) && s.door.current(a.Expires) == nil && s.door.current(expires) == nil
}

// newMark is 64 random bits.
func newMark() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
