package http

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
)

// newServer makes the server of a gateway: its time-outs, and bounds on headers and streams. What a body may be, and how long a device may
// take for it, is told per request, because a poll may last.
func newServer(handler http.Handler, l Limits, log *slog.Logger) *http.Server {
	const slop = 4 << 10 // what the library adds to the bound on headers
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // TLS is the gateway's: what comes from it is seen as plain
	return &http.Server{
		Handler: handler, Protocols: protocols, MaxHeaderBytes: l.Header - slop, ReadHeaderTimeout: l.HeaderTime, IdleTimeout: l.Idle,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 2 * l.Each, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: l.Body,
			SendPingTimeout: l.Idle / 4, PingTimeout: 15 * time.Second, WriteByteTimeout: l.BodyTime,
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.(plain).Conn)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// connKey finds a request's connection in its context.
type connKey struct{}

// connOf is the connection that a request came by.
func connOf(r *http.Request) *gateway.Conn {
	c, _ := gateway.ConnOf(r.Context().Value(connKey{}).(net.Conn))
	return c
}

// A plain connection keeps to itself that it is TLS: then the server takes both HTTP/1.1 and 2 on it, by how the device begins.
type plain struct{ net.Conn }

// plainly hands out plain connections.
type plainly struct{ net.Listener }

func (l plainly) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return plain{c}, nil
}

// serve takes requests until the listener fails.
func (h *Connector) serve(l net.Listener) error { return h.server.Serve(plainly{l}) }

// end gives answers that are under way a moment.
func (h *Connector) end() {
	grace, cancel := context.WithTimeout(context.Background(), h.limits.Grace)
	defer cancel()
	if h.server.Shutdown(grace) != nil {
		_ = h.server.Close()
	}
}
