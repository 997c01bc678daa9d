package platform

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// openFor bounds how long a function may take to open what it needs.
const openFor = 20 * time.Second

// Ready makes a function of routes, which opens the function's collections and returns its routes. It is called at once;
// when it fails, calls are answered 503 and routes is tried again, at most once a second.
func Ready(p *Platform, routes func(ctx context.Context) (faas.Routes, error)) faas.Func {
	o := &opener{part: p.Part, open: func(ctx context.Context) (faas.Func, error) {
		r, err := routes(ctx)
		if err != nil {
			return nil, err
		}
		return r.Func(), nil
	}, failed: func(err error) { p.Log.Error("function not ready", "function", p.Part, "error", err) }}
	_, _ = o.get() // an error was told; the next call tries again
	p.collections = append(p.collections, func() error { _, err := o.get(); return err })
	return o.call
}

// opened opens the collections that Ready could not open yet and returns nil once all are open.
func (p *Platform) opened() error {
	for _, open := range p.collections {
		if err := open(); err != nil {
			return err
		}
	}
	return nil
}

// An opener keeps a function that has to be opened first, and opens it again while that fails, at most once a second.
type opener struct {
	part   string
	open   func(context.Context) (faas.Func, error)
	failed func(error)

	mu  sync.Mutex
	f   faas.Func
	err error
	at  time.Time

	told string // the last error that was told
}

func (o *opener) get() (faas.Func, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.f != nil || o.err != nil && time.Since(o.at) < time.Second {
		return o.f, o.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openFor)
	defer cancel()
	o.f, o.err = o.open(ctx)
	o.at = time.Now()
	if o.err != nil && o.err.Error() != o.told {
		o.told = o.err.Error() // once, not every second
		o.failed(o.err)
	}
	return o.f, o.err
}

func (o *opener) call(req handler.Request) (handler.Response, error) {
	f, err := o.get()
	if err != nil {
		return unavailable(o.part, req), nil
	}
	return f(req)
}

// unavailable is the answer of a function that could not open its stores.
func unavailable(part string, req handler.Request) handler.Response {
	return faas.ProblemResponse(&api.Problem{Title: "Unavailable for now", Status: http.StatusServiceUnavailable,
		Detail: "function " + part + " could not open its stores; its log says why", CallID: req.Header.Get("X-Call-Id")})
}
