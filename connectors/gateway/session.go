package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A Session is one connection of an authenticated client. It holds no credential.
type Session struct {
	// ID sorts by Number, across all replicas of the gateway.
	ID string

	// Number grows with each session of a client, also when it comes back through another replica whose clock is behind. It
	// is Unix milliseconds, about. ID and Number are set when the Handler hears of the session.
	Number int64

	// Name is what the client was admitted as: a device reference, or the id of a claim.
	Name string

	// Client is the MQTT client id; of a device it is its reference too.
	Client string

	Since time.Time

	gateway   *Gateway
	broker    *mqtt.Client
	mark      string        // tells this session from all others
	numbered  chan struct{} // closed when ID and Number are set
	admission uint64        // which admission let it in
	expires   time.Time     // of its certificate; the zero time if it has none
	receive   int           // how many unacknowledged messages the client takes; 0 = any number
	window    chan struct{}
	done      chan struct{} // closed when the session is cut: nothing of it counts any more
	cutOnce   sync.Once
	ended     chan struct{} // closed when the broker has forgotten the connection

	mu      sync.Mutex
	acks    []byte // PUBACK packets to be written
	writing bool
}

// Done is closed when the session has ended or was cut off; what is received and not handed over yet is void then.
func (s *Session) Done() <-chan struct{} { return s.done }

// cut ends the session at once. Nothing is received from it after cut has returned; the connection is closed beside,
// because a peer that does not read can hold that up for seconds.
func (s *Session) cut(why packets.Code) {
	s.cutOnce.Do(func() {
		close(s.done)
		go func() {
			if s.broker.Properties.ProtocolVersion == 5 {
				_ = s.gateway.server.DisconnectClient(s.broker, why)
			}
			s.broker.Stop(why)
		}()
	})
}

func (s *Session) mayReceive() bool {
	return s.receive == 0 || s.broker.State.Inflight.Len() < s.receive
}

// acknowledge writes a PUBACK, together with those that come while another write is under way: handlers finish messages
// by the batch, and a slow peer must not hold up the handler.
func (s *Session) acknowledge(packetID uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, packets.Puback<<4, 2, byte(packetID>>8), byte(packetID)) // also in MQTT 5, where it means success
	if !s.writing {
		s.writing = true
		go s.writeAcks()
	}
}

func (s *Session) writeAcks() {
	for {
		s.mu.Lock()
		b := s.acks
		s.acks = nil
		if len(b) == 0 {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if _, err := s.broker.Net.Conn.Write(b); err != nil {
			s.cut(packets.ErrUnspecifiedError)
		}
	}
}

// idle tells whether every message received was finished and its acknowledgement written.
func (s *Session) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.window) == 0 && !s.writing
}

// sessions are those there are, by client id.
type sessions struct {
	mu       sync.Mutex
	byClient map[string]*Session
	last     int64 // the highest number, of all replicas as far as they were heard
}

// enter makes s the session of its client, after the one that the client has has ended completely: the broker's own way of
// taking a session over can lose the new one's subscriptions. may tells whether the older one may be replaced.
func (l *sessions) enter(s *Session, patience time.Duration, may func(old *Session) bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		old := l.byClient[s.Client]
		if old == nil {
			l.byClient[s.Client] = s
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		if !may(old) {
			return fmt.Errorf("client id %s has a session of %s", s.Client, old.Name)
		}
		old.cut(packets.ErrSessionTakenOver)
		select {
		case <-old.ended:
		case <-timeout.C:
			return fmt.Errorf("the former session of %s does not end", s.Client)
		}
	}
}

// number gives the client's session its number, once: the next, and not before at.
func (l *sessions) number(client, mark string, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byClient[client]; s != nil && s.mark == mark && s.Number == 0 {
		l.last = max(at, l.last+1)
		s.Number, s.ID = l.last, fmt.Sprintf("%012x-%s", l.last, mark) // in fixed width, so that ids sort by it
		close(s.numbered)
	}
}

// pass leaves out the number that a session of another replica gets.
func (l *sessions) pass(at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at <= maxNumber {
		l.last = max(at, l.last+1)
	}
}

// hear takes note of how far another replica is.
func (l *sessions) hear(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number <= maxNumber {
		l.last = max(l.last, number)
	}
}

func (l *sessions) latest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *sessions) leave(s *Session) {
	l.mu.Lock()
	delete(l.byClient, s.Client)
	l.mu.Unlock()
	close(s.ended)
}

// get returns the client's session, once it has its number.
func (l *sessions) get(client string) (*Session, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.byClient[client]
	return s, s != nil && s.Number != 0
}

func (l *sessions) all() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Session, 0, len(l.byClient))
	for _, s := range l.byClient {
		all = append(all, s)
	}
	return all
}

// cutNamed ends the sessions of what was admitted as name.
func (l *sessions) cutNamed(name string, why packets.Code) {
	for _, s := range l.all() {
		if s.Name == name {
			s.cut(why)
		}
	}
}

func (l *sessions) cutAll(why packets.Code) {
	for _, s := range l.all() {
		s.cut(why)
	}
}

// drain waits until no message is under way, but no longer than patience.
func (l *sessions) drain(patience time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		busy := false
		for _, s := range l.all() {
			busy = busy || !s.idle()
		}
		if !busy {
			return
		}
	}
}

// maxNumber is the highest number that ids can sort by.
const maxNumber = 1<<48 - 1

// newMark is 64 random bits.
func newMark() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
