package device

import (
	"context"
	"errors"
	"net"
	"sync"
)

// errCut is what a connection over a link that was cut says.
var errCut = errors.New("the link is cut")

// A Link is a device's way to the network, which can be cut: connections break without a goodbye, and new ones wait until
// the link is joined again. The zero value is joined.
type Link struct {
	mu     sync.Mutex
	joined chan struct{} // closed by Join; nil while the link is joined
	conns  map[*conn]struct{}
}

// Cut breaks all connections. Cutting twice is as once.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.joined == nil {
		l.joined = make(chan struct{})
	}
	for c := range l.conns {
		c.cut()
	}
	l.conns = nil
}

// Join lets connections through again.
func (l *Link) Join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.joined != nil {
		close(l.joined)
		l.joined = nil
	}
}

// Dial opens a connection over the link; it is meant for agent.Config.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	for {
		l.mu.Lock()
		joined := l.joined
		l.mu.Unlock()
		if joined != nil {
			select {
			case <-joined:
				continue
			case <-ctx.Done():
				return nil, errors.Join(errCut, ctx.Err())
			}
		}
		raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, link: l, broken: make(chan struct{})}
		if l.carry(c) {
			return c, nil
		}
		raw.Close() // cut meanwhile
	}
}

func (l *Link) carry(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.joined != nil {
		return false
	}
	if l.conns == nil {
		l.conns = map[*conn]struct{}{}
	}
	l.conns[c] = struct{}{}
	return true
}

// A conn tells of a cut as of a broken network; as the local end's own Close the MQTT client would not take notice of it.
type conn struct {
	net.Conn
	link   *Link
	broken chan struct{}
}

func (c *conn) cut() {
	close(c.broken)
	c.Conn.Close()
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.reason(err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.reason(err)
}

func (c *conn) reason(err error) error {
	select {
	case <-c.broken:
		return errCut
	default:
		return err
	}
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}
