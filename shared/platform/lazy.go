package platform

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/pause"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// lazies open the functions that Lazy made in this program: one, in a function's image. They are made before main runs.
var lazies []func() error

// Lazy makes the handler that OpenFaaS calls: it opens the platform from environment and secrets on the first call, or as soon
// as Serve runs, keeps it, and tries again when that failed (at most once a second).
func Lazy(part string, build func(*Platform) faas.Func) func(handler.Request) (handler.Response, error) {
	log := LogTo(os.Stderr, os.Getenv)
	var p *Platform
	o := &opener{part: part, open: func(ctx context.Context) (faas.Func, error) {
		b, err := Open(ctx, os.Getenv)
		if err != nil {
			return nil, err
		}
		if _, err := b.Secrets(PartSecret(part, "")); err != nil { // found now, not at the first call that needs it
			return nil, errors.Join(err, b.Bus.Close(), b.DB.Close())
		}
		p = New(b, part, "")
		return build(p), nil
	}, failed: func(err error) { log.Error("function not ready", "function", part, "error", err) }}
	lazies = append(lazies, func() error {
		if _, err := o.get(); err != nil {
			return err
		}
		return p.opened()
	})
	return o.call
}

// A readiness is why the functions of this program cannot answer yet.
type readiness struct{ why atomic.Pointer[error] }

func (r *readiness) err() error {
	if why := r.why.Load(); why != nil {
		return *why
	}
	return nil
}

// keepOpening opens the functions of this program ahead of their first call, so that it does not wait. It ends once they are
// open, or with ctx.
func (r *readiness) keepOpening(ctx context.Context) {
	for ctx.Err() == nil {
		var err error
		for _, open := range lazies {
			err = errors.Join(err, open())
		}
		r.set(err)
		if err == nil {
			return
		}
		pause.For(ctx, time.Second)
	}
}

func (r *readiness) set(err error) { r.why.Store(&err) }
