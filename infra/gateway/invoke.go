package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
	handler "github.com/openfaas/templates-sdk/go-http"
)

const (
	headerPath     = "X-Castor-Path"
	headerCallback = "X-Callback-Url"
)

// invoke calls a function and answers with what it returns.
func (g *Gateway) invoke(w http.ResponseWriter, r *http.Request, rest string) {
	f, path := g.find(w, rest)
	if f == nil {
		return
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		problem(w, http.StatusMethodNotAllowed, r.Method+" is not for functions")
		return
	}
	body, release, ok := g.body(w, r)
	if !ok {
		return
	}
	defer release()
	ctx, cancel := context.WithTimeout(r.Context(), g.Timeout)
	defer cancel()
	f.invocations.Add(1)
	f.calls.Begin()
	begin, seen := time.Now(), &status{ResponseWriter: w}
	defer f.calls.End()
	defer func() { f.calls.Count(seen.code, time.Since(begin)) }()
	if f.replicas != nil {
		g.forward(ctx, seen, r, f, path, body)
	} else {
		g.inProcess(ctx, seen, r, f, path, body)
	}
}

// A status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (g *Gateway) inProcess(ctx context.Context, w http.ResponseWriter, r *http.Request, f *instance, path string, body []byte) {
	request := handler.Request{Body: body, Header: r.Header.Clone(), QueryString: r.URL.RawQuery, Method: r.Method, Host: r.Host}
	request.Header.Set(headerPath, path)
	request.WithContext(ctx)

	response, err := g.call(f, request)
	switch {
	case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		problem(w, http.StatusGatewayTimeout, "the function took too long")
	case err != nil:
		problem(w, http.StatusInternalServerError, "")
	default:
		write(w, response)
	}
}

var errPanicked = errors.New("function panicked")

// call runs a function. Its panics and errors are logged here and told to nobody outside.
func (g *Gateway) call(f *instance, request handler.Request) (response handler.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.Log.ErrorContext(request.Context(), "function panicked", "function", f.Name, "panic", p, "stack", string(debug.Stack()))
			response, err = handler.Response{}, errPanicked
		}
	}()
	if response, err = f.Invoke(request); err != nil {
		g.Log.ErrorContext(request.Context(), "function failed", "function", f.Name, "error", err)
	}
	return response, err
}

func write(w http.ResponseWriter, response handler.Response) {
	header := w.Header()
	for name, values := range response.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	for _, name := range append(hopByHop, "Content-Length") {
		header.Del(name)
	}
	status := response.StatusCode
	switch {
	case status == 0:
		status = http.StatusOK
	case status < 200 || status > 599: // net/http would panic, or take it for an interim answer
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(response.Body) // fails only when the client has gone
}

// enqueue accepts a call that is made later.
func (g *Gateway) enqueue(w http.ResponseWriter, r *http.Request, rest string) {
	f, path := g.find(w, rest)
	if f == nil {
		return
	}
	if g.Queue == nil {
		problem(w, http.StatusNotImplemented, "this gateway has no queue for asynchronous calls")
		return
	}
	callback := r.Header.Get(headerCallback)
	if !validCallback(callback) {
		problem(w, http.StatusBadRequest, headerCallback+" must be an absolute http or https URL without user and fragment, 2048 bytes at most")
		return
	}
	if callback != "" && r.Header.Get("Authorization") == "" { // a stranger could have us send what he likes to whom he likes
		problem(w, http.StatusUnauthorized, "a call with "+headerCallback+" needs an Authorization header; sign in, or call without a callback")
		return
	}
	body, release, ok := g.body(w, r)
	if !ok {
		return
	}
	defer release()
	header := r.Header.Clone()
	header.Del(headerCallback)
	header.Del("Content-Length")
	err := g.Queue.Enqueue(r.Context(), bus.Call{
		ID: r.Header.Get(trace.CallID), Function: f.Name, Method: r.Method, Path: path, Query: r.URL.RawQuery,
		Header: header, Body: body, Callback: callback, At: g.Now().UTC().Truncate(time.Millisecond),
	})
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, bus.ErrTooLarge):
		problem(w, http.StatusRequestEntityTooLarge, "an asynchronous call may have 7 MiB at most, and 64 KiB of headers and query")
	case errors.Is(err, bus.ErrInvalid):
		problem(w, http.StatusBadRequest, "the call cannot be queued as it is")
	default:
		g.Log.WarnContext(r.Context(), "call not queued", "function", f.Name, "error", err)
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "the queue cannot take calls now; try again")
	}
}

func validCallback(callback string) bool {
	if callback == "" {
		return true
	}
	u, err := url.Parse(callback)
	return err == nil && len(callback) <= 2048 && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Fragment == ""
}
