package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/pause"
)

// A Conn is a client's connection, past its TLS handshake. Until the client has shown who it is, it stands in the hall: it is
// closed after a while, or for newcomers, and little of what it sends is read.
type Conn struct {
	*tls.Conn
	address netip.Addr
	timeout time.Duration
	known   func() // to be called when the client is authenticated, or may knock
	free    func() // gives its places back

	unheard  atomic.Int64  // bytes that may still be read of who has shown nothing
	heard    chan struct{} // closed when it has, or is gone: then all is read
	hear     func()        // closes it
	patience time.Duration // how long it is waited for
}

// maxUnheard is what is read of a connection whose client has not shown who it is, in bytes: a request for provisioning fits, and what is
// around it. The rest waits on the wire, so that strangers cost little memory however many calls they begin, and who sends a credential
// first may send as much as it likes behind it.
const maxUnheard = 96 << 10

// errUnheard ends a connection that has sent more than is listened to, and has not shown who sends it.
var errUnheard = errors.New("the client has sent much and has not shown who it is")

// Read reads no more than maxUnheard of who is not known yet, and waits then.
func (c *Conn) Read(b []byte) (int, error) {
	left := c.unheard.Load()
	select {
	case <-c.heard:
		return c.Conn.Read(b)
	default:
	}
	if left > 0 {
		n, err := c.Conn.Read(b[:min(int64(len(b)), left)])
		c.unheard.Add(int64(-n))
		return n, err
	}
	t := time.NewTimer(c.patience)
	defer t.Stop()
	select {
	case <-c.heard:
		return c.Conn.Read(b)
	case <-t.C:
		_ = c.Close()
		return 0, errUnheard
	}
}

// Address is the client's, or its balancer's.
func (c *Conn) Address() netip.Addr { return c.address }

// Shown is what the connection itself shows: its address and its certificate.
func (c *Conn) Shown() Shown {
	s := Shown{Address: c.address, conn: c}
	if chain := c.ConnectionState().PeerCertificates; len(chain) > 0 {
		s.Certificate = chain[0]
	}
	return s
}

// Write gives the peer a time to take it. After an error nothing can follow on TLS, so the connection is closed.
func (c *Conn) Write(b []byte) (n int, err error) {
	if err = c.SetWriteDeadline(time.Now().Add(c.timeout)); err == nil {
		n, err = c.Conn.Write(b)
	}
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// Close ends the connection.
func (c *Conn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// ConnOf finds the Conn that a server has wrapped, if it can be taken out by a method NetConn.
func ConnOf(c net.Conn) (*Conn, bool) {
	for {
		switch v := c.(type) {
		case *Conn:
			return v, true
		case interface{ NetConn() net.Conn }:
			c = v.NetConn()
		default:
			return nil, false
		}
	}
}

// arrivals is the listener that a protocol's server takes connections from.
type arrivals struct{ d *Door }

func (a *arrivals) Accept() (net.Conn, error) {
	select {
	case c := <-a.d.arrivals:
		return c, nil
	case <-a.d.shut:
		return nil, net.ErrClosed
	}
}

// Close does nothing: servers close their listener when they stop, and the door stops first.
func (a *arrivals) Close() error   { return nil }
func (a *arrivals) Addr() net.Addr { return a.d.Addr() }

// accept takes connections until the listener is closed.
func (d *Door) accept(ctx context.Context) {
	slots := make(chan struct{}, d.config.Limits.Connections)
	for {
		raw, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, most likely: others will close some
			d.log.Warn("gateway cannot accept", "error", err)
			if !pause.For(ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		address := addressOf(raw)
		if !d.guard.mayTry(address) {
			d.count.throttled.Add(1)
			_ = raw.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			d.count.throttled.Add(1)
			_ = raw.Close()
			continue
		}
		d.conns.Add(1)
		free := sync.OnceFunc(func() {
			<-slots
			d.conns.Done()
		})
		go d.welcome(ctx, raw, address, free)
	}
}

// welcome makes the handshake, which is what an unknown peer costs most, and hands the connection to the protocol.
func (d *Door) welcome(ctx context.Context, raw net.Conn, address netip.Addr, free func()) {
	heard := make(chan struct{})
	hear := sync.OnceFunc(func() { close(heard) })
	leave, ok := d.guard.hall.enter(address, func() {
		_ = raw.Close()
		hear() // of the end
	})
	if !ok {
		d.count.throttled.Add(1)
		_ = raw.Close()
		free()
		return
	}
	c := &Conn{Conn: tls.Server(raw, d.config.TLS), address: address, timeout: d.config.Limits.WriteTimeout,
		known: leave, heard: heard, hear: hear, patience: d.config.Limits.Handshake}
	c.unheard.Store(maxUnheard)
	c.free = func() {
		leave()
		hear()
		free()
	}
	hello, cancel := context.WithTimeout(ctx, d.config.Limits.Handshake)
	err := c.HandshakeContext(hello)
	cancel()
	if err != nil {
		d.refuse(Shown{Address: address}, fmt.Errorf("TLS handshake: %w", err))
		_ = raw.Close()
		c.free()
		return
	}
	select {
	case d.arrivals <- c:
	case <-d.shut:
		_ = raw.Close()
		c.free()
	}
}

func addressOf(c net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}
