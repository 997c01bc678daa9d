// Package gateway is the user gateway of a platform in one process: it serves functions at the addresses, and to the
// tools, that OpenFaaS has for them, so that what works here works there. A real deployment has the OpenFaaS gateway
// instead.
//
// It knows who may manage functions (/system/*), nothing more: whether a caller may do what it asks for is decided by
// the function that is called.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	handler "github.com/openfaas/templates-sdk/go-http"
	"golang.org/x/sync/semaphore"
)

const (
	maxBody   = 32 << 20  // of one request
	smallBody = 64 << 10  // of the beginning of a body, which is counted by itself
	maxSmall  = 64 << 20  // of the beginnings of all requests under way
	maxLarge  = 256 << 20 // of what follows them
	roomStep  = 16 << 10  // in which room is taken while a body comes; smallBody is a multiple
)

// A Function is what the gateway serves at /function/<Name>.
type Function struct {
	Name                string
	Image               string // shown in lists, as the image that a deployment would run
	Labels, Annotations map[string]string
	Invoke              func(handler.Request) (handler.Response, error)
}

// A Queue keeps asynchronous calls until somebody makes them; *bus.Bus is one.
type Queue interface {
	Enqueue(context.Context, bus.Call) error
}

// Config says what the gateway serves.
type Config struct {
	Functions []Function

	// Queue takes the calls of /async-function; without it they are refused.
	Queue Queue

	// Authenticate tells whether a user may manage functions, by /system/*. It is asked again after some seconds.
	Authenticate func(ctx context.Context, user, password string) bool

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
	invocations atomic.Uint64
}

type gateway struct {
	Config
	functions map[string]*instance
	small     *semaphore.Weighted
	large     *semaphore.Weighted
	auth      *authenticator
	started   time.Time
}

// New returns the gateway's handler.
func New(c Config) http.Handler {
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Minute
	}
	if c.Logs == nil {
		c.Logs = NewLogs()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	g := &gateway{
		Config:    c,
		functions: make(map[string]*instance, len(c.Functions)),
		small:     semaphore.NewWeighted(maxSmall),
		large:     semaphore.NewWeighted(maxLarge),
		auth:      newAuthenticator(c.Authenticate, c.Now),
		started:   c.Now().UTC().Truncate(time.Millisecond),
	}
	for _, f := range c.Functions {
		g.functions[f.Name] = &instance{Function: f}
	}
	return g.guard(g.routes())
}

// routes divides by hand where a name and a path follow, because http.ServeMux would redirect paths it finds unclean.
func (g *gateway) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /_/health", healthy)
	system := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, g.authenticated(h)) }
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
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "functions are at /function/<name>")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if rest, ok := strings.CutPrefix(path, "/function/"); ok {
			g.invoke(w, r, rest)
		} else if rest, ok := strings.CutPrefix(path, "/async-function/"); ok {
			g.enqueue(w, r, rest)
		} else {
			mux.ServeHTTP(w, r)
		}
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }

// find returns the function that rest begins with, and the path below it as it was sent, which begins with a slash.
// Paths that walk upwards are refused: nobody behind the gateway shall have to think of them.
func (g *gateway) find(w http.ResponseWriter, rest string) (f *instance, path string) {
	name, path, _ := strings.Cut(rest, "/")
	path = "/" + path
	for word := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(path), "%2e", "."), "/") {
		if word == "." || word == ".." {
			problem(w, http.StatusBadRequest, "the path must not have '.' or '..' as a word")
			return nil, ""
		}
	}
	f = g.functions[strings.TrimSuffix(name, "."+namespace)]
	if f == nil {
		problem(w, http.StatusNotFound, "there is no such function")
	}
	return f, path
}
