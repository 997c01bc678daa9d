package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/mochi-mqtt/server/v2/packets"
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
func (g *Gateway) peers() string { return "gateway-" + g.config.ID }

// meet learns from another replica how far the sessions' numbers are, and listens, before the first device is let in. What it
// returns goes on listening until ctx ends.
func (g *Gateway) meet(ctx context.Context) (listen func()) {
	asking, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	answer, err := g.config.Bus.AskPeers(asking, g.peers(), g.say(word{}))
	if err == nil {
		g.hear(answer)
	} else if !errors.Is(err, bus.ErrNoListener) {
		g.log.Warn("gateway does not hear of its other replicas, sessions are numbered by the clock", "error", err)
	}
	stop, err := g.config.Bus.Peers(g.peers(), g.hear, g.catchUp)
	g.listens.Store(err == nil)
	return func() {
		for err != nil {
			g.log.Warn("gateway cannot listen to its other replicas", "error", err)
			if pause(ctx, time.Second); ctx.Err() != nil {
				return
			}
			stop, err = g.config.Bus.Peers(g.peers(), g.hear, g.catchUp)
		}
		g.listens.Store(true)
		g.catchUp()
		<-ctx.Done()
		stop()
	}
}

// begin gives the session its number and returns then.
func (g *Gateway) begin(s *Session) {
	at := s.Since.UnixMilli()
	if g.listens.Load() && g.announce(word{Begin: s.mark, At: at, Client: s.Client, Name: s.Name}) == nil {
		timeout := time.NewTimer(answerFor)
		defer timeout.Stop()
		select {
		case <-s.numbered:
		case <-s.done:
		case <-timeout.C:
		}
	}
	g.sessions.number(s.Client, s.mark, at) // by the clock, if nothing came back
}

// catchUp tells and asks everything, after words may have been missed.
func (g *Gateway) catchUp() {
	_ = g.announce(word{All: true}) // where it fails, the bus will be back once more
	g.announceAll()
}

func (g *Gateway) announceAll() {
	for _, s := range g.sessions.all() {
		select {
		case <-s.numbered:
			g.announceSession(s)
		default:
		}
	}
}

func (g *Gateway) announceSession(s *Session) {
	_ = g.announce(word{Session: s.ID, Client: s.Client, Name: s.Name})
}

func (g *Gateway) announce(w word) error { return g.config.Bus.Announce(g.peers(), g.say(w)) }

func (g *Gateway) say(w word) []byte {
	w.From, w.Latest = g.replica, g.sessions.latest()
	b, err := json.Marshal(w)
	if err != nil {
		panic(err) // it is all strings and numbers
	}
	return b
}

// hear takes what a replica says and answers it.
func (g *Gateway) hear(data []byte) (answer []byte) {
	var w word
	if err := json.Unmarshal(data, &w); err != nil {
		g.log.Warn("word of another replica is not readable", "error", err)
		return g.say(word{})
	}
	if w.From == g.replica {
		if w.Begin != "" {
			g.sessions.number(w.Client, w.Begin, w.At)
		}
		return nil
	}
	g.sessions.hear(w.Latest)
	s, ok := g.sessions.get(w.Client) // one that waits for its own word is not among them: it will be newer
	ok = ok && s.Name == w.Name
	switch {
	case w.Begin != "":
		g.sessions.pass(w.At)
		if ok {
			g.log.Debug("client has come back through another replica", "client", s.Client, "session", s.ID)
			s.cut(packets.ErrSessionTakenOver)
		}
	case w.Session == "" || !ok:
	case s.ID < w.Session:
		s.cut(packets.ErrSessionTakenOver)
	default:
		g.announceSession(s) // it has the older one, and has missed the beginning of this
	}
	if w.All {
		g.announceAll()
	}
	return g.say(word{})
}
