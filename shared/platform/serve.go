package platform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	handler "github.com/openfaas/templates-sdk/go-http"
	"golang.org/x/net/netutil"
)

// Bounds of a function's server. The time of a call is the innermost of a chain, so that the caller gets the function's own
// answer: CallTime here, then of-watchdog's exec_timeout and write_timeout (template's Dockerfile), then the user gateway's.
const (
	// CallTime is how long one call of a function may take, the reading of its body included.
	CallTime = 50 * time.Second

	maxConnections = 1024
	maxHeader      = 64 << 10
	maxBody        = 32 << 20  // of one call
	maxBodies      = 256 << 20 // of all calls under way
	headerTime     = 5 * time.Second
	connectionTime = CallTime + 10*time.Second // a request whole, and its answer: above CallTime, because it ends the call too
	idleTime       = 90 * time.Second
)

// Serve is the program of a function that Lazy made. It returns when ctx has ended and the calls under way are answered. Its
// settings, from the environment:
//
//	CASTOR_LISTEN    host:port for calls; 127.0.0.1:8082 if not set
//	CASTOR_METRICS   address of /metrics, /healthz and /readyz; ":9102" if not set, "off" for none
//	CASTOR_LOG       the least that is logged: debug, info, warn or error; info if not set
//	CASTOR_DRAIN     how long calls are still taken after ctx has ended, until callers have learned of it: "6s"; not at all if not set
//
// Beside calls it answers /_/health, and /_/ready with 200 from when its stores are open until ctx ends: these are of-watchdog's
// own paths, so no caller can mean an operation by them.
func Serve(ctx context.Context, env func(string) string, handle faas.Func) error {
	get := func(name, otherwise string) string {
		if v := env(name); v != "" {
			return v
		}
		return otherwise
	}
	if _, err := LogLevel(env); err != nil {
		return err
	}
	drain, err := time.ParseDuration(get("CASTOR_DRAIN", "0s"))
	if err != nil || drain < 0 {
		return fmt.Errorf("CASTOR_DRAIN must be a duration such as 6s, not %q", env("CASTOR_DRAIN"))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", get("CASTOR_LISTEN", "127.0.0.1:8082"))
	if err != nil {
		return fmt.Errorf("CASTOR_LISTEN: %w", err)
	}
	var opening readiness
	opening.set(errors.New("the stores are being opened"))
	ready := func() error {
		if ctx.Err() != nil {
			return errors.New("going down")
		}
		return opening.err()
	}
	// What observes the program stays until the last call is answered.
	observed, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	observing := make(chan error, 1)
	go func() { observing <- metrics.Serve(observed, get("CASTOR_METRICS", ":9102"), ready) }()
	go opening.keepOpening(ctx)

	server := &http.Server{Handler: routes(handle, ready), MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTime,
		ReadTimeout: connectionTime, WriteTimeout: connectionTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(LogTo(os.Stderr, env).Handler(), slog.LevelWarn)}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(netutil.LimitListener(l, maxConnections)) }()
	for ctx.Err() == nil {
		select {
		case err := <-serving:
			return err
		case err := <-observing:
			if err != nil {
				return errors.Join(err, server.Close())
			}
			observing = nil // there is none
		case <-ctx.Done():
		}
	}
	server.SetKeepAlivesEnabled(false)
	select {
	case err := <-serving:
		return err
	case <-time.After(drain):
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), CallTime+time.Second)
	defer cancel()
	return server.Shutdown(last)
}

func routes(handle faas.Func, ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_/health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK\n") })
	mux.HandleFunc("GET /_/ready", func(w http.ResponseWriter, _ *http.Request) {
		if ready() != nil { // the log and /readyz say why; this address is reachable through the gateway
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "OK\n")
	})
	calls := &server{handle: handle}
	// Not by the mux: it would redirect paths like //x, which are the function's to answer.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_/health" || r.URL.Path == "/_/ready" {
			mux.ServeHTTP(w, r)
			return
		}
		calls.ServeHTTP(w, r)
	})
}

// A server turns HTTP requests into calls of a function.
type server struct {
	handle faas.Func
	held   atomic.Int64 // bytes of bodies of the calls under way
}

// errBusy tells that the bodies of all calls under way take too much memory.
var errBusy = errors.New("too many large calls are under way; try again")

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), CallTime)
	defer cancel()
	counted := &counted{Reader: http.MaxBytesReader(w, r.Body, maxBody), all: &s.held}
	defer counted.release()
	body, err := io.ReadAll(counted)
	if err != nil {
		write(w, faas.ProblemResponse(unread(err, trace.FromHeader(r.Header))))
		return
	}
	// The path below the function's URL is what of-watchdog passes on. What a caller sets this header to is lost here.
	r.Header.Set(faas.HeaderPath, r.URL.EscapedPath())
	req := handler.Request{Body: body, Header: r.Header, Method: r.Method, QueryString: r.URL.RawQuery, Host: r.Host}
	req.WithContext(ctx)
	resp, err := s.handle(req)
	if err != nil {
		LogTo(os.Stderr, os.Getenv).Error("call failed", trace.Key, trace.FromHeader(r.Header), "error", err)
		resp = faas.ProblemResponse(api.ProblemOf(err))
	}
	write(w, resp)
}

// counted counts what is read of a body, as it comes: who announces much and sends little takes little.
type counted struct {
	io.Reader
	all *atomic.Int64
	n   int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	if c.all.Add(int64(n)) > maxBodies {
		return n, errBusy
	}
	return n, err
}

func (c *counted) release() { c.all.Add(-c.n) }

func unread(err error, callID string) *api.Problem {
	p := &api.Problem{Title: "Body not read", Status: http.StatusBadRequest, Detail: "the body ended before it was whole", CallID: callID}
	var tooLarge *http.MaxBytesError
	var slow net.Error
	switch {
	case errors.As(err, &tooLarge):
		p.Title, p.Status, p.Detail = "Too large", http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d MiB", maxBody>>20)
	case errors.Is(err, errBusy):
		p.Title, p.Status, p.Detail = "Unavailable for now", http.StatusServiceUnavailable, errBusy.Error()
	case errors.As(err, &slow) && slow.Timeout():
		p.Title, p.Status, p.Detail = "Too slow", http.StatusRequestTimeout, fmt.Sprintf("the body must be sent within %s", connectionTime)
	}
	return p
}

// ownHeaders are those that net/http sets by itself.
var ownHeaders = []string{"Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"}

func write(w http.ResponseWriter, r handler.Response) {
	for name, values := range r.Header {
		if name = http.CanonicalHeaderKey(name); !slices.Contains(ownHeaders, name) {
			w.Header()[name] = values
		}
	}
	switch {
	case r.StatusCode == 0:
		r.StatusCode = http.StatusOK
	case r.StatusCode < 200 || r.StatusCode > 599: // net/http would panic, or take it for an interim answer
		r.StatusCode = http.StatusInternalServerError
	}
	w.WriteHeader(r.StatusCode)
	_, _ = w.Write(r.Body) // fails only when the caller has gone
}
