package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	maxConnections = 16 << 10
	maxIdle        = 4 << 10 // of them, that no request is under way on
	maxHeader      = 64 << 10

	headerTime = 10 * time.Second
	readTime   = 2 * time.Minute  // of a whole request, so that nobody can send a byte a minute
	writeTime  = 10 * time.Minute // of request and answer; longer than any invocation
	idleTime   = 2 * time.Minute
	graceTime  = 20 * time.Second
)

// Serve serves h on l until ctx ends, then lets requests finish for 20 seconds and returns nil. It speaks TLS if config
// is not nil. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, config *tls.Config) error {
	idle := newIdlers(maxIdle)
	server := &http.Server{
		ConnState:         idle.state,
		Handler:           h,
		TLSConfig:         config,
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(context.Background(), stoppingKey{}, ctx) },
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug), // scanners and broken handshakes
	}
	l = netutil.LimitListener(l, maxConnections)
	served := make(chan error, 1)
	go func() {
		if config != nil {
			served <- server.ServeTLS(l, "", "")
		} else {
			served <- server.Serve(l)
		}
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve gateway: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
		return fmt.Errorf("serve gateway: requests were still running after %s", graceTime)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve gateway: %w", err)
	}
	return nil
}

type stoppingKey struct{}

// stopping is closed when the server of a request's context stops, for requests that would never end by themselves. It is
// nil, which blocks, where Serve does not serve.
func stopping(ctx context.Context) <-chan struct{} {
	if serving, ok := ctx.Value(stoppingKey{}).(context.Context); ok {
		return serving.Done()
	}
	return nil
}
