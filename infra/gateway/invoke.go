package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	handler "github.com/openfaas/templates-sdk/go-http"
)

const (
	headerPath     = "X-Castor-Path"
	headerCallback = "X-Callback-Url"
)

// invoke calls a function and answers with what it returns.
func (g *gateway) invoke(w http.ResponseWriter, r *http.Request, rest string) {
	f, path := g.find(w, rest)
	if f == nil {
		return
	}
	body, release, ok := g.body(w, r)
	if !ok {
		return
	}
	defer release()
	ctx, cancel := context.WithTimeout(r.Context(), g.Timeout)
	defer cancel()
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
func (g *gateway) call(f *instance, request handler.Request) (response handler.Response, err error) {
	f.invocations.Add(1)
	id := request.Header.Get(headerCallID)
	defer func() {
		if p := recover(); p != nil {
			g.Log.Error("function panicked", "function", f.Name, "call", id, "panic", p, "stack", string(debug.Stack()))
			response, err = handler.Response{}, errPanicked
		}
	}()
	if response, err = f.Invoke(request); err != nil {
		g.Log.Error("function failed", "function", f.Name, "call", id, "error", err)
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
func (g *gateway) enqueue(w http.ResponseWriter, r *http.Request, rest string) {
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
	body, release, ok := g.body(w, r)
	if !ok {
		return
	}
	defer release()
	header := r.Header.Clone()
	header.Del(headerCallback)
	header.Del("Content-Length")
	err := g.Queue.Enqueue(r.Context(), bus.Call{
		ID: r.Header.Get(headerCallID), Function: f.Name, Method: r.Method, Path: path, Query: r.URL.RawQuery,
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
		g.Log.Warn("call not queued", "function", f.Name, "call", r.Header.Get(headerCallID), "error", err)
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
