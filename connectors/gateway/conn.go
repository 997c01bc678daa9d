package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// A conn is a device's connection. The broker knows one deadline for both directions; here a silent device and one that
// does not read are told apart.
type conn struct {
	*tls.Conn
	addr    netip.Addr
	session *Session // once authenticated
	known   func()   // to be called when it is authenticated
	timeout time.Duration
}

// SetDeadline is the broker's, for the next packet: it is for reading.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Write gives the peer a time to take it. After an error nothing can follow on TLS, which the broker does not see.
func (c *conn) Write(b []byte) (n int, err error) {
	if err = c.SetWriteDeadline(time.Now().Add(c.timeout)); err == nil {
		n, err = c.Conn.Write(b)
	}
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// accept serves connections until the listener is closed, and returns when all of them have ended.
func (g *Gateway) accept(ctx context.Context) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	slots := make(chan struct{}, g.config.Limits.Connections)
	for {
		raw, err := g.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil { // out of file descriptors, most likely: others will close some
			g.log.Warn("gateway cannot accept", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		addr := addrOf(raw)
		if !g.guard.mayTry(addr) {
			g.count.throttled.Add(1)
			_ = raw.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			g.count.throttled.Add(1)
			_ = raw.Close()
			continue
		}
		serving.Go(func() {
			defer func() { <-slots }()
			g.serve(ctx, raw, addr)
		})
	}
}

// serve makes the handshake, which is what an unknown peer costs most, and leaves the rest to the broker.
func (g *Gateway) serve(ctx context.Context, raw net.Conn, addr netip.Addr) {
	defer raw.Close()
	release, ok := g.guard.hall.enter(raw)
	if !ok {
		g.count.throttled.Add(1)
		return
	}
	c := &conn{Conn: tls.Server(raw, g.config.TLS), addr: addr, timeout: g.config.Limits.WriteTimeout, known: release}
	defer c.known()
	hello, cancel := context.WithTimeout(ctx, g.config.Limits.Handshake)
	defer cancel()
	if err := c.HandshakeContext(hello); err != nil {
		g.refuse(addr, "", fmt.Errorf("TLS handshake: %w", err))
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(g.config.Limits.Handshake)) // for CONNECT; then the broker sets its own
	if err := g.server.EstablishConnection("mqtt", c); err != nil && c.session == nil {
		g.log.Debug("connection ended before its session", "address", addr, "error", err)
	}
	if s := c.session; s != nil {
		s.cut(packets.CodeDisconnect)
		if cl, ok := g.server.Clients.Get(s.Client); ok && cl == s.broker {
			g.server.Clients.Delete(s.Client) // where it ended before it had begun
		}
		g.sessions.leave(s)
	}
}

func addrOf(c net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}
