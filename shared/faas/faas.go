// Package faas is the glue between OpenFaaS and an operation in Go: it routes, authenticates, authorises by the operation's
// declaration, reads the input strictly, answers errors as problem+json (RFC 9457), writes one log line per call and one
// audit record per write. It knows no platform: what it needs of it is the interface Guard.
package faas

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// HeaderPath carries the path below the function's URL. The gateway or the template's main sets it, never a caller.
const HeaderPath = "X-Castor-Path"

// Func is a function as OpenFaaS calls it.
type Func func(handler.Request) (handler.Response, error)

// A Guard is what an operation needs of the platform it runs on.
type Guard interface {
	// Name is the function's.
	Name() string

	// Authenticate tells who calls, from the request's header. No token at all is a Caller with Kind ""; a bad one is
	// access.ErrUnauthenticated.
	Authenticator

	// MayCall tells whether a service account was granted this function.
	MayCall(ctx context.Context, c access.Caller, r access.Right) bool

	// Audit keeps who changed what.
	Audit(ctx context.Context, r access.Record) error

	// Problem turns an error into the answer it stands for.
	Problem(err error) *api.Problem

	Logger() *slog.Logger
	Time() time.Time
}

// A Call is one call of an operation.
type Call struct {
	// Caller is who calls. An operation that finds out itself, as signing in does, sets it for the log and the audit.
	Caller access.Caller
	Header http.Header
	Query  url.Values
	Body   []byte

	// ID is the trace the call belongs to (see package trace): the same in every function it goes through.
	ID string

	// Token is the bearer token of the user who calls, for calls made on the user's behalf; "" if no user does.
	Token string

	vars map[string]string
}

// Var is the value of a {name} in the operation's path.
func (c *Call) Var(name string) string { return c.vars[name] }

// Handler is an operation made ready to be routed to by Op, Events or Schedule.
type Handler struct {
	allow access.Allow
	quiet bool           // not audited
	calls *metrics.Calls // set when it is routed
	do    func(ctx context.Context, c *Call) (Reply, error)
	guard Guard
}

// Quiet makes an operation leave no audit record: for the device path, whose writes history itself records, and for
// calculations that are asked for by POST.
func (h Handler) Quiet() Handler {
	h.quiet = true
	return h
}

// Routes maps "METHOD /path/{var}" to operations, in the notation of http.ServeMux.
type Routes map[string]Handler

// Func makes the function that serves the routes.
func (r Routes) Func() Func {
	mux, g := http.NewServeMux(), r.guard()
	for pattern, h := range r {
		vars := varsOf(pattern)
		h.calls = metrics.Operation(g.Name(), pattern)
		mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			in := req.Context().Value(requestKey{}).(*request)
			in.vars = make(map[string]string, len(vars))
			for _, v := range vars {
				in.vars[v] = req.PathValue(v)
			}
			in.found = h
		}))
	}
	unrouted := metrics.Operation(g.Name(), "")
	return func(req handler.Request) (handler.Response, error) {
		ctx := req.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		return serve(ctx, mux, req, g, unrouted), nil
	}
}

// guard is that of any of the routes: they belong to one function.
func (r Routes) guard() Guard {
	for _, h := range r {
		return h.guard
	}
	return nil
}

func varsOf(pattern string) (names []string) {
	for _, part := range strings.Split(pattern, "/") {
		if strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}") {
			names = append(names, strings.TrimSuffix(strings.Trim(part, "{}"), "..."))
		}
	}
	return names
}

type requestKey struct{}

// request is what the mux finds for one call.
type request struct {
	found Handler
	vars  map[string]string
}

func serve(ctx context.Context, mux *http.ServeMux, req handler.Request, g Guard, calls *metrics.Calls) (resp handler.Response) {
	begin := time.Now()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	path := req.Header.Get(HeaderPath)
	if path == "" {
		path = "/"
	}
	c := &Call{Header: req.Header, Body: req.Body, ID: trace.FromHeader(req.Header)}
	if c.ID == "" {
		c.ID = trace.New()
	}
	ctx = trace.With(ctx, c.ID)
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			resp = problemReply(g.Problem(errors.New("panic")), c.ID)
		}
		took := time.Since(begin)
		log(ctx, g, c, req.Method, path, resp.StatusCode, took, err)
		calls.Count(resp.StatusCode, took)
	}()

	in := &request{}
	if c.Query, err = url.ParseQuery(req.QueryString); err != nil {
		err = api.Invalid("the query is not well formed: %v", err)
		return problemReply(g.Problem(err), c.ID)
	}
	u, perr := url.ParseRequestURI(path)
	if perr != nil {
		err = api.Invalid("the path is not well formed")
		return problemReply(g.Problem(err), c.ID)
	}
	hr := (&http.Request{Method: req.Method, URL: u, Host: "castor"}).WithContext(context.WithValue(ctx, requestKey{}, in))
	rec := &refusal{header: http.Header{}}
	mux.ServeHTTP(rec, hr)
	if in.found.do == nil {
		return notRouted(rec, g, req.Method, path, c.ID)
	}
	c.vars, calls = in.vars, in.found.calls
	calls.Begin()
	defer calls.End()
	var reply Reply
	reply, err = run(ctx, g, in.found, c, req.Method, path)
	if err != nil {
		return problemReply(g.Problem(err), c.ID)
	}
	return reply.response()
}

// A refusal is what the mux says of a call that it has no operation for.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }

func notRouted(rec *refusal, g Guard, method, path, id string) handler.Response {
	if rec.status == http.StatusMethodNotAllowed {
		r := problemReply(&api.Problem{Title: "Method not allowed", Status: rec.status,
			Detail: fmt.Sprintf("%s is not for %s; allowed are %s", method, path, rec.header.Get("Allow"))}, id)
		r.Header.Set("Allow", rec.header.Get("Allow"))
		return r
	}
	return problemReply(&api.Problem{Title: "Not found", Status: http.StatusNotFound,
		Detail: fmt.Sprintf("function %s has nothing at %.200q", g.Name(), path)}, id)
}

// run is the one door: who calls, may they, do it, record it.
func run(ctx context.Context, g Guard, h Handler, c *Call, method, path string) (Reply, error) {
	caller, token, err := Authenticate(ctx, g, c.Header)
	if err != nil && !h.allow.Public { // who signs in anew may still send a token that has ended
		return Reply{}, err
	}
	c.Caller = caller
	if caller.Kind != access.Part && caller.Kind != "" {
		c.Token = token
	} else if caller.For != nil {
		c.Token = c.Header.Get(api.HeaderFor)
	}
	if err := permit(ctx, g, h.allow, caller, method); err != nil {
		return Reply{}, err
	}
	reply, err := h.do(ctx, c)
	if err != nil || h.quiet || method == http.MethodGet || method == http.MethodHead {
		return reply, err
	}
	// The id sorts by time. The rest is random: one call goes through several functions, and its id is the caller's to choose.
	rec := access.Record{ID: fmt.Sprintf("%013x-%s", g.Time().UnixMilli(), rand.Text()), At: g.Time(), Caller: c.Caller.String(),
		Function: g.Name(), Method: method, Path: path, Status: reply.status(), CallID: c.ID}
	if err := g.Audit(ctx, rec); err != nil {
		g.Logger().ErrorContext(ctx, "audit record not kept", "function", g.Name(), "caller", rec.Caller, "method", method, "path", path, "error", err)
	}
	return reply, nil
}

func permit(ctx context.Context, g Guard, allow access.Allow, c access.Caller, method string) error {
	if allow.Permits(c) {
		return nil
	}
	if c.Kind == "" {
		return fmt.Errorf("%w: send a token as \"Authorization: Bearer …\"; POST /function/users/login gives one", access.ErrUnauthenticated)
	}
	right := access.Write
	if method == http.MethodGet || method == http.MethodHead {
		right = access.Read
	}
	if c.Kind == access.Service && len(allow.Roles) == len(access.Roles) && g.MayCall(ctx, c, right) {
		return nil
	}
	return denied(allow, c)
}

// denied tells a person which roles would do and which the person has; whom to ask follows from that.
func denied(allow access.Allow, c access.Caller) error {
	if c.Kind == access.Part || len(allow.Roles) == 0 {
		return fmt.Errorf("%w: this is not for %s", access.ErrDenied, c)
	}
	roles := []string{string(access.Maintainer) + "s"} // may whatever any user may
	for _, r := range allow.Roles {
		if r != access.Maintainer {
			roles = append(roles, string(r)+"s")
		}
	}
	has := "has no role"
	if len(c.Roles) > 0 {
		names := make([]string, len(c.Roles))
		for i, r := range c.Roles {
			names[i] = string(r)
		}
		has = "is " + listed(names)
	}
	return fmt.Errorf("%w: this is for %s; %s %s", access.ErrDenied, listed(roles), c, has)
}

// listed is "a", "a and b" or "a, b and c".
func listed(names []string) string {
	n := len(names) - 1
	if n <= 0 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:n], ", ") + " and " + names[n]
}

// log writes the call's one line. The logger adds the trace.
func log(ctx context.Context, g Guard, c *Call, method, path string, status int, took time.Duration, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("function", g.Name()), slog.String("method", method),
		slog.String("path", path), slog.Int("status", status), slog.Duration("took", took)}
	if c.Caller.Kind != "" {
		attrs = append(attrs, slog.String("caller", c.Caller.String()))
	}
	if err != nil && status >= 500 {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	g.Logger().LogAttrs(ctx, level, "call", attrs...)
}
