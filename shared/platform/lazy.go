package platform

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/faas"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Lazy makes the handler that OpenFaaS calls: it opens the platform from environment and secrets on the first call, keeps
// it, and tries again at the next call when that failed (at most once a second).
func Lazy(part string, build func(*Platform) faas.Func) func(handler.Request) (handler.Response, error) {
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
		b, err := Open(ctx, os.Getenv)
		at, failed = time.Now(), err
		if err != nil {
			return nil, err
		}
		f = build(New(b, part, ""))
		return f, nil
	}
	return func(req handler.Request) (handler.Response, error) {
		f, err := open()
		if err != nil {
			os.Stderr.WriteString("function " + part + ": " + err.Error() + "\n")
			return unavailable(part, req), nil
		}
		return f(req)
	}
}
