package link

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
)

// needed is what a link asks of functions: the capability and the well-known name of who has it, which counts while the
// service directory cannot be reached or names nobody.
var needed = []struct{ capability, function string }{
	{"ingest", "twin-ingest"},
	{"credentials.resolve", "credentials"},
	{"provision", "twin-provision"},
	{"commands", "twin-command"},
	{"drivers", "drivers"},
}

// services are the functions found through the service directory (paper 4.2.2, NFR3).
type services struct {
	api *api.Client

	mu    sync.RWMutex
	names map[string]string // well-known name → found name
}

func newServices(c *api.Client) *services { return &services{api: c, names: make(map[string]string)} }

func (s *services) route(function string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return cmp.Or(s.names[function], function)
}

// run asks the directory until ctx ends.
func (s *services) run(ctx context.Context, log *slog.Logger) {
	repeat(ctx, 30*time.Second, func(ctx context.Context) error {
		for _, n := range needed {
			page, err := s.api.Discover(ctx, n.capability)
			if err != nil {
				return err
			}
			name := choose(page.Items, n.function)
			if old := s.route(n.function); name != old {
				log.Info("service directory names another function", "capability", n.capability, "function", name, "before", old)
			}
			s.mu.Lock()
			s.names[n.function] = name
			s.mu.Unlock()
		}
		return nil
	})
}

// choose takes the well-known function where it is listed, else the first by name.
func choose(found []api.Advertisement, otherwise string) string {
	names := make([]string, 0, len(found))
	for _, a := range found {
		if a.Kind == "function" && a.Name != "" {
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 || slices.Contains(names, otherwise) {
		return otherwise
	}
	return slices.Min(names)
}

// advertise tells the directory of this connector, and the gateway manager that its gateway is alive, until ctx ends.
func (l *Link) advertise(ctx context.Context) {
	g := l.config.Gateway
	// Each replica has an advertisement of its own, so that one that stops does not take out the others'.
	me := api.Advertisement{
		ID: g.Protocol + ":" + l.holder + ":" + g.ID, Kind: "connector", Name: g.Protocol, URL: g.URL, Region: g.Region, TTL: 60,
		Capabilities: []string{g.Protocol, g.Phase}, Interfaces: []string{g.Protocol},
	}
	var both sync.WaitGroup
	both.Go(func() {
		repeat(ctx, 20*time.Second, func(ctx context.Context) error {
			_, err := l.api.Register(ctx, me)
			return err
		})
	})
	both.Go(func() {
		failing := false
		repeat(ctx, l.limits.Heartbeat, func(ctx context.Context) error {
			g.Sessions, g.Replica = l.open.Load(), l.holder
			var err error
			if l.config.Alive != nil {
				err = l.config.Alive(ctx)
			}
			if err == nil {
				_, err = l.api.PutGateway(ctx, g)
			}
			if err != nil && !failing {
				l.log.Warn("gateway manager does not hear that the gateway is alive", "error", err)
			}
			failing = err != nil
			return err
		})
	})
	both.Wait()
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = l.api.Deregister(bye, me.ID) // else it expires
}

// repeat calls f at once and every interval until ctx ends, and soon again while it fails.
func repeat(ctx context.Context, interval time.Duration, f func(context.Context) error) {
	for tries := 0; ctx.Err() == nil; {
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := f(call)
		cancel()
		wait := interval
		switch {
		case err == nil:
			tries = 0
		case errors.Is(err, context.Canceled):
			return
		default:
			tries++
			wait = min(interval, backoff(tries, 5*time.Second))
		}
		pause.For(ctx, wait)
	}
}
