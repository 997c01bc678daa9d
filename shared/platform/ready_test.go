package platform_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A store that is away when the function starts must not keep it away for ever.
func TestReadyTriesAgain(t *testing.T) {
	ctx := context.Background()
	tries := 0
	w := functiontest.New(t, functiontest.Functions{"late": func(p *platform.Platform) faas.Func {
		return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("opening may take for ever")
			}
			if tries++; tries < 2 {
				return nil, store.ErrUnavailable
			}
			return faas.Routes{"GET /": faas.Op(p, access.Allow{Public: true}, func(context.Context, *faas.Call, faas.None) (string, error) { return "ready", nil })}, nil
		})
	}})
	for range 20 {
		if err := w.Nobody().Call(ctx, "GET", "late", "/", nil, nil); !errors.Is(err, api.ErrUnavailable) {
			t.Fatalf("before it is ready: %v", err)
		}
	}
	if tries != 1 {
		t.Errorf("tried %d times within a second", tries)
	}
	var answer string
	functiontest.Eventually(t, "the function is ready", func() bool { return w.Nobody().Call(ctx, "GET", "late", "/", nil, &answer) == nil })
	if answer != "ready" || tries != 2 {
		t.Errorf("%q after %d tries", answer, tries)
	}
}

func TestProblem(t *testing.T) {
	p := platform.New(platform.Base{}, "twins", "")
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"a store's not found":       {fmt.Errorf("twins %q: %w", "x", store.ErrNotFound), 404},
		"a store's exists":          {store.ErrExists, 409},
		"a store's conflict":        {store.ErrConflict, 409},
		"a bad cursor":              {store.ErrInvalid, 400},
		"a query too broad":         {store.ErrTooBroad, 400},
		"a document too large":      {store.ErrTooLarge, 413},
		"a store away":              {store.ErrUnavailable, 503},
		"a bus away":                {bus.ErrUnavailable, 503},
		"a deadline":                {context.DeadlineExceeded, 503},
		"a caller gone":             {context.Canceled, 503},
		"an index that is missing":  {store.ErrNoIndex, 500},
		"a document of newer code":  {store.ErrSchema, 500},
		"invalid":                   {twin.ErrInvalid, 400},
		"stale":                     {api.ErrStale, 412},
		"denied":                    {access.ErrDenied, 403},
		"not signed in":             {access.ErrUnauthenticated, 401},
		"a problem as it is":        {platform.NotFound("twin", "x"), 404},
		"a problem inside an error": {fmt.Errorf("asking: %w", &api.Problem{Status: http.StatusTeapot}), http.StatusTeapot},
		"an error that is unknown":  {errors.New("x"), 500},
	} {
		if got := p.Problem(c.err); got.Status != c.status || got.Title == "" && c.status != http.StatusTeapot {
			t.Errorf("%s: %+v, want %d", name, got, c.status)
		}
	}
}

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		id := platform.NewID("run")
		if seen[id] || len(id) != 20 {
			t.Fatalf("id %s", id)
		}
		seen[id] = true
	}
}
