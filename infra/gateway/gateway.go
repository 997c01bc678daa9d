// Package gateway is the platform's own user gateway: it serves functions at the addresses, and to the tools, that OpenFaaS
// has for them, so that what works here works there. Functions are in its own process (`castor up`) or in processes of their
// own, several replicas each (`castor serve`). On Kubernetes the OpenFaaS gateway stands here instead.
//
// It knows who may manage functions (/system/*), nothing more: whether a caller may do what it asks for is decided by
// the function that is called.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	handler "github.com/openfaas/templates-sdk/go-http"
)

const (
	maxBody   = 32 << 20 // of one request
	maxAnswer = 64 << 20 // of one function's process
)

// A Function is what the gateway serves at /function/<Name>.
type Function struct {
	Name                string
	Image               string // shown in lists, as the image that a deployment would run
	Labels, Annotations map[string]string

	// Invoke is the function where it is in this process.
	Invoke func(handler.Request) (handler.Response, error)

	// Upstreams are the base URLs of the function's replicas where it is not: "http://twins-1:8080". A host name counts as
	// one replica for each of its addresses, and is looked up again every few seconds; with https it counts as one. Without
	// any, calls are answered 503. Not used where Invoke is set.
	Upstreams []string
}

// A Queue keeps asynchronous calls until somebody makes them; *bus.Bus is one.
type Queue interface {
	Enqueue(context.Context, bus.Call) error
}

// Config says what the gateway serves.
type Config struct {
	// Functions are those it begins with; see Gateway.SetFunctions.
	Functions []Function

	// Transport carries calls to upstreams. An error that is a *net.OpError of operation "dial" says that the call did not
	// begin: it goes to another replica. NewTransport's if nil.
	Transport http.RoundTripper

	// Resolve looks host names of upstreams up; the system's resolver if nil.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// Queue takes the calls of /async-function; without it they are refused.
	Queue Queue

	// Authenticate tells whether a user may manage functions, by /system/*. It is asked again after some seconds.
	Authenticate func(ctx context.Context, user, password string) bool

	// Metrics answers GET /metrics for who may manage functions; there is no such address if nil. Processes have an address of
	// their own for it: this is for the platform in one process, whose gateway is all that people can reach.
	Metrics http.Handler

	// Stream serves GET /stream, the stream of changes, where its connector is in this process. Where it is not,
	// StreamUpstreams are the base URLs of its replicas, as those of functions are: "http://stream:8080". There is no such
	// address without both.
	Stream          http.Handler
	StreamUpstreams []string

	// Balancers are the addresses of proxies in front, which tell a caller's own address and scheme by X-Forwarded-For and
	// X-Forwarded-Proto. What these headers hold otherwise is replaced.
	Balancers []netip.Prefix

	// SecretsDir holds one file for every secret that functions can read; "" if there are none.
	SecretsDir string

	// Logs holds what functions log; a new one if nil.
	Logs *Logs

	// Timeout bounds one invocation; five minutes if zero.
	Timeout time.Duration

	// Release and Commit are shown by /system/info.
	Release, Commit string

	Log *slog.Logger     // slog.Default if nil
	Now func() time.Time // time.Now if nil
}

// An instance is one function and what the gateway knows of it.
type instance struct {
	Function
	replicas    *replicas // nil where Invoke is set
	invocations *atomic.Uint64
	calls       *metrics.Calls
}

// A Gateway serves functions. It is made by New.
type Gateway struct {
	Config
	handler  http.Handler
	requests room // for bodies of requests
	answers  room // for those of upstreams' answers
	auth     *authenticator
	started  time.Time

	setting   sync.Mutex
	functions atomic.Pointer[map[string]*instance]
}

// New returns the gateway. Upstreams that are none are logged and left out; Function.Check tells of them before.
func New(c Config) *Gateway {
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Minute
	}
	if c.Logs == nil {
		c.Logs = NewLogs()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = trace.Logger(c.Log)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = NewTransport()
	}
	if c.Resolve == nil {
		c.Resolve = resolve
	}
	g := &Gateway{
		Config:   c,
		requests: newRoom(),
		answers:  newRoom(),
		auth:     newAuthenticator(c.Authenticate, c.Now),
		started:  c.Now().UTC().Truncate(time.Millisecond),
	}
	g.handler = g.guard(g.routes())
	if err := g.SetFunctions(c.Functions); err != nil {
		g.Log.Error("functions of the gateway", "error", err)
	}
	return g
}

// ServeHTTP is part of http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// SetFunctions has the gateway serve these functions and no others from now on. Calls that are under way go on; what is known
// of replicas that stay is kept. Upstreams that are none are left out, and named by the error (see Function.Check).
func (g *Gateway) SetFunctions(functions []Function) error {
	g.setting.Lock()
	defer g.setting.Unlock()
	old := map[string]*instance{}
	if known := g.functions.Load(); known != nil {
		old = *known
	}
	var errs []error
	set := make(map[string]*instance, len(functions))
	for _, f := range functions {
		i := &instance{Function: f}
		if before := old[f.Name]; before != nil {
			i.invocations, i.calls, i.replicas = before.invocations, before.calls, before.replicas
		} else {
			i.invocations, i.calls = new(atomic.Uint64), metrics.Invocation(f.Name)
		}
		if f.Invoke != nil {
			i.replicas = nil
		} else {
			if i.replicas == nil {
				i.replicas = &replicas{resolve: g.Resolve, now: g.Now}
			}
			errs = append(errs, f.Check())
			i.replicas.set(f.bases())
		}
		set[f.Name] = i
	}
	g.functions.Store(&set)
	return errors.Join(errs...)
}

func (g *Gateway) function(name string) *instance { return (*g.functions.Load())[name] }

// routes divides by hand where a name and a path follow, because http.ServeMux would redirect paths it finds unclean.
func (g *Gateway) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /_/health", healthy)
	system := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, g.authenticated(h)) }
	if g.Metrics != nil {
		system("GET /metrics", g.Metrics.ServeHTTP)
	}
	system("GET /system/info", g.info)
	system("GET /system/functions", g.list)
	system("POST /system/functions", g.builtIn)
	system("PUT /system/functions", g.builtIn)
	system("DELETE /system/functions", g.builtIn)
	system("GET /system/function/{name}", g.describe)
	system("POST /system/scale-function/{name}", g.scale)
	system("GET /system/namespaces", g.namespaces)
	system("GET /system/secrets", g.listSecrets)
	system("POST /system/secrets", g.createSecret)
	system("PUT /system/secrets", g.updateSecret)
	system("DELETE /system/secrets", g.deleteSecret)
	system("GET /system/logs", g.logs)
	system("/system/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "this gateway has no such call")
	})
	mux.HandleFunc("GET /{$}", g.face)
	mux.HandleFunc("/", nothing)
	stream, err := g.newStreams()
	if err != nil {
		g.Log.Error("stream of the gateway", "error", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if path == "/function/"+console { // a page has the slash, or its links lead beside it
			g.face(w, r)
		} else if rest, ok := strings.CutPrefix(path, "/function/"); ok {
			g.invoke(w, r, rest)
		} else if rest, ok := strings.CutPrefix(path, "/async-function/"); ok {
			g.enqueue(w, r, rest)
		} else if path == streamPath && stream != nil {
			stream.ServeHTTP(w, r)
		} else {
			mux.ServeHTTP(w, r)
		}
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }

// find returns the function that rest begins with, and the path below it as it was sent, which begins with a slash.
// Paths that walk upwards are refused: nobody behind the gateway shall have to think of them.
func (g *Gateway) find(w http.ResponseWriter, rest string) (f *instance, path string) {
	name, path, _ := strings.Cut(rest, "/")
	path = "/" + path
	for word := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(path), "%2e", "."), "/") {
		if word == "." || word == ".." {
			problem(w, http.StatusBadRequest, "the path must not have '.' or '..' as a word")
			return nil, ""
		}
	}
	f = g.function(strings.TrimSuffix(name, "."+namespace))
	if f == nil {
		problem(w, http.StatusNotFound, "there is no such function")
	}
	return f, path
}
