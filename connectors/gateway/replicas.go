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

// Replicas of a gateway share its id, its bucket and what devices dial. A device may come back through any of them, so they
// tell each other which sessions begin: whoever has an older one of the same client ends it, because it is half open; and
// everybody numbers its next session above all it has heard of, so that the order of a device's sessions does not hang on
// whose clock is ahead. Without the bus the clocks decide.

// A word is what one replica says to the others.
type word struct {
	From   string `json:"from"`
	Latest int64  `json:"latest"` // the highest number among the sessions that the sender knows of

	// Session is the id of one that the sender has, Client and Name are its.
	Session string `json:"session,omitempty"`
	Client  string `json:"client,omitempty"`
	Name    string `json:"name,omitempty"`

	// All asks for all sessions of the others.
	All bool `json:"all,omitempty"`
}

// askFor is how long a gateway that starts waits for another replica's answer, where there is one.
const askFor = time.Second

func newReplica() string { return strings.ToLower(rand.Text()[:10]) }

// peers is the name by which replicas find each other.
func (g *Gateway) peers() string { return "gateway-" + g.config.ID }

// meet learns from another replica which number sessions have come to. It is called before the first device is let in.
func (g *Gateway) meet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	answer, err := g.config.Bus.AskPeers(ctx, g.peers(), g.say(word{}))
	if err == nil {
		g.hear(answer)
	} else if !errors.Is(err, bus.ErrNoListener) {
		g.log.Warn("gateway does not hear of its other replicas, sessions are numbered by the clock", "error", err)
	}
}

// listen hears what the other replicas say until ctx ends.
func (g *Gateway) listen(ctx context.Context) {
	for ctx.Err() == nil {
		stop, err := g.config.Bus.Peers(g.peers(), g.hear, g.catchUp)
		if err == nil {
			g.catchUp()
			<-ctx.Done()
			stop()
			return
		}
		g.log.Warn("gateway cannot listen to its other replicas", "error", err)
		pause(ctx, time.Second)
	}
}

// catchUp tells and asks everything, after words may have been missed.
func (g *Gateway) catchUp() {
	g.announce(word{All: true})
	g.announceAll()
}

func (g *Gateway) announceAll() {
	for _, s := range g.sessions.all() {
		g.announceSession(s)
	}
}

func (g *Gateway) announceSession(s *Session) {
	g.announce(word{Session: s.ID, Client: s.Client, Name: s.Name})
}

func (g *Gateway) announce(w word) {
	if err := g.config.Bus.Announce(g.peers(), g.say(w)); err != nil {
		g.log.Debug("replicas not told", "error", err) // they are told all once the bus is back
	}
}

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
		return nil
	}
	g.sessions.hear(w.Latest)
	if s, ok := g.sessions.get(w.Client); ok && w.Session != "" && s.Name == w.Name {
		if s.ID < w.Session {
			g.log.Debug("client has come back through another replica", "client", s.Client, "session", s.ID)
			s.cut(packets.ErrSessionTakenOver)
		} else {
			g.announceSession(s) // it has the older one, and has not heard of this
		}
	}
	if w.All {
		g.announceAll()
	}
	return g.say(word{})
}
