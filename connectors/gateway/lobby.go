package gateway

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// A Lobby is the hall before a server of HTTP that is no door: its connections give way to others until one of their requests has
// shown who it is of.
type Lobby struct {
	hall *hall

	mu   sync.Mutex
	open map[net.Conn]func()
}

type lobbyKey struct{}

// NewLobby makes a lobby with as many places as a gateway's hall has.
func NewLobby() *Lobby {
	l := Limits{}.withDefaults(Operational)
	return &Lobby{hall: newHall(l.Handshakes, l.Hurry), open: map[net.Conn]func(){}}
}

// Enter takes a place for a connection, or closes it where none is free; it is http.Server's ConnContext.
func (l *Lobby) Enter(ctx context.Context, c net.Conn) context.Context {
	raw := c
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		raw = over.NetConn() // closing TLS would wait for a peer that does not read
	}
	leave, ok := l.hall.enter(addressOf(c), func() { _ = raw.Close() })
	if !ok {
		_ = raw.Close()
		return ctx
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = leave
	return context.WithValue(ctx, lobbyKey{}, leave)
}

// State gives places free of connections that have ended; it is http.Server's ConnState.
func (l *Lobby) State(c net.Conn, s http.ConnState) {
	if s != http.StateClosed && s != http.StateHijacked {
		return
	}
	l.mu.Lock()
	leave := l.open[c]
	delete(l.open, c)
	l.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// Known says that a request has shown who it is of: its connection gives way to nobody any more.
func Known(ctx context.Context) {
	if leave, ok := ctx.Value(lobbyKey{}).(func()); ok {
		leave()
	}
}
