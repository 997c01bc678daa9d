package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/pause"
)

// Replicas of a gateway share its id, its bucket and what devices dial. A device may come back through any of them, so each
// session that begins is announced to all, and begins when its own announcement comes back: the bus brings what is announced
// to everybody in one order, and that is the order of the sessions, whosever clock is ahead. Whoever has an older session of
// the same client ends it then, because it is half open. Without the bus the clocks decide.

// A word is what one replica says to the others.
type word struct {
	From   string `json:"from"`
	Latest int64  `json:"latest"` // the highest number among the sessions that the sender knows of

	// Begin is the mark of a session that begins, At the sender's clock in Unix milliseconds.
	Begin string `json:"begin,omitempty"`
	At    int64  `json:"at,omitempty"`

	// Session is the id of one that has begun.
	Session string `json:"session,omitempty"`

	// Client and Name are those of either.
	Client string `json:"client,omitempty"`
	Name   string `json:"name,omitempty"`

	// All asks for all sessions of the others.
	All bool `json:"all,omitempty"`
}

// answerFor is how long another replica's answer, or one's own word, is waited for.
const answerFor = time.Second

func newReplica() string { return strings.ToLower(rand.Text()[:10]) }

// peers is the name by which replicas find each other.
func (d *Door) peers() string { return api.PeersOf(d.config.ID) }

// meet learns from another replica how far the sessions' numbers are, and listens, before the first device is let in. What it
// returns goes on listening until ctx ends.
func (d *Door) meet(ctx context.Context) (listen func()) {
	asking, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	answer, err := d.config.Bus.AskPeers(asking, d.peers(), d.say(word{}))
	if err == nil {
		d.hear(answer)
	} else if !errors.Is(err, bus.ErrNoListener) {
		d.log.Warn("gateway does not hear of its other replicas, sessions are numbered by the clock", "error", err)
	}
	stop, err := d.config.Bus.Peers(d.peers(), d.hear, d.catchUp)
	d.listens.Store(err == nil)
	return func() {
		for err != nil {
			d.log.Warn("gateway cannot listen to its other replicas", "error", err)
			if !pause.For(ctx, time.Second) {
				return
			}
			stop, err = d.config.Bus.Peers(d.peers(), d.hear, d.catchUp)
		}
		d.listens.Store(true)
		d.catchUp()
		<-ctx.Done()
		stop()
	}
}

// begin gives the session its number and returns then. What unknown clients do is nobody else's business.
func (d *Door) begin(s *Session) {
	at := s.Since.UnixMilli()
	if !s.Anonymous() && d.listens.Load() && d.announce(word{Begin: s.mark, At: at, Client: s.Client, Name: s.Name}) == nil {
		timeout := time.NewTimer(answerFor)
		defer timeout.Stop()
		select {
		case <-s.numbered:
		case <-s.done:
		case <-timeout.C:
		}
	}
	d.sessions.number(s.Client, s.mark, at) // by the clock, if nothing came back
}

// catchUp tells and asks everything, after words may have been missed.
func (d *Door) catchUp() {
	_ = d.announce(word{All: true}) // where it fails, the bus will be back once more
	d.announceAll()
}

func (d *Door) announceAll() {
	for _, s := range d.sessions.all() {
		select {
		case <-s.numbered:
			if !s.Anonymous() {
				d.announceSession(s)
			}
		default:
		}
	}
}

func (d *Door) announceSession(s *Session) {
	_ = d.announce(word{Session: s.ID, Client: s.Client, Name: s.Name})
}

func (d *Door) announce(w word) error { return d.config.Bus.Announce(d.peers(), d.say(w)) }

func (d *Door) say(w word) []byte {
	w.From, w.Latest = d.replica, d.sessions.latest()
	b, err := json.Marshal(w)
	if err != nil {
		panic(err) // it is all strings and numbers
	}
	return b
}

// hear takes what a replica says and answers it.
func (d *Door) hear(data []byte) (answer []byte) {
	var w word
	if err := json.Unmarshal(data, &w); err != nil {
		d.log.Warn("word of another replica is not readable", "error", err)
		return d.say(word{})
	}
	if w.From == d.replica {
		if w.Begin != "" {
			d.sessions.number(w.Client, w.Begin, w.At)
		}
		return nil
	}
	d.sessions.hear(w.Latest)
	s, ok := d.sessions.get(w.Client) // one that waits for its own word is not among them: it will be newer
	ok = ok && s.Name == w.Name
	switch {
	case w.Begin != "":
		d.sessions.pass(w.At)
		if ok {
			d.log.Debug("client has come back through another replica", "client", s.Client, "session", s.ID)
			s.cut(ErrReplaced)
		}
	case w.Session == "" || !ok:
	case s.ID < w.Session:
		s.cut(ErrReplaced)
	default:
		d.announceSession(s) // it has the older one, and has missed the beginning of this
	}
	if w.All {
		d.announceAll()
	}
	return d.say(word{})
}
