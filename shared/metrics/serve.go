package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Off is the address that turns the server off.
const Off = "off"

// Serve answers on addr until ctx ends, then returns nil: GET /metrics; /healthz, which says that the process runs; and
// /readyz, which is 503 with the reason while ready returns an error (nil = always ready). Nobody authenticates: the address is
// for the machine or the cluster, not for the world. For addr "off" or "" it returns nil at once.
func Serve(ctx context.Context, addr string, ready func() error) error {
	if addr == Off || addr == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return ServeOn(ctx, l, ready)
}

// ServeOn is Serve on a listener, which it closes.
func ServeOn(ctx context.Context, l net.Listener, ready func() error) error {
	server := &http.Server{Handler: Routes(ready), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// Routes is what Serve serves.
func Routes(ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ready != nil {
			if err := ready(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = w.Write([]byte("OK\n"))
	})
	return mux
}
