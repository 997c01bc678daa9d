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
	var mu sync.Mutex
	var f faas.Func
	var failed error
	var at time.Time
	open := func() (faas.Func, error) {
		mu.Lock()
		defer mu.Unlock()
		if f != nil || failed != nil && time.Since(at) < time.Second {
			return f, failed
		}
		ctx, cancel := context.WithTimeout(context.Background(), openFor)
		defer cancel()
		var r faas.Routes
		r, failed = routes(ctx)
		at = time.Now()
		if failed != nil {
			p.Log.Error("function not ready", "function", p.Part, "error", failed)
			return nil, failed
		}
		f = r.Func()
		return f, nil
	}
	open()
	return func(req handler.Request) (handler.Response, error) {
		f, err := open()
		if err != nil {
			return unavailable(p.Part, req), nil
		}
		return f(req)
	}
}

// unavailable is the answer of a function that could not open its stores.
func unavailable(part string, req handler.Request) handler.Response {
	return faas.ProblemResponse(&api.Problem{Title: "Unavailable for now", Status: http.StatusServiceUnavailable,
		Detail: "function " + part + " could not open its stores; its log says why", CallID: req.Header.Get("X-Call-Id")})
}
