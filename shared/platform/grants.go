package platform

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
)

// grantsFor is how long grants are believed. Events empty the cache at once; this is for events that get lost.
const grantsFor = 5 * time.Second

// maxCallers bounds the cache.
const maxCallers = 10_000

// grants keeps the grants of callers.
type grants struct {
	db  *store.DB
	bus *bus.Bus
	now func() time.Time

	once sync.Once
	err  error
	c    *store.Collection[access.Grant]

	mu  sync.Mutex
	has map[string]cachedGrants
}

type cachedGrants struct {
	at     time.Time
	grants []access.Grant
}

func (g *grants) open(ctx context.Context) error {
	g.once.Do(func() {
		g.has = map[string]cachedGrants{}
		if g.c, g.err = OpenGrants(context.WithoutCancel(ctx), g.db); g.err == nil {
			_, g.err = g.bus.Watch([]event.Topic{event.GrantChanged}, func(event.Event) { g.forget() }, g.forget)
		}
	})
	return g.err
}

func (g *grants) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.has)
}

func (g *grants) of(ctx context.Context, subjects []string) ([]access.Grant, error) {
	if err := g.open(ctx); err != nil {
		return nil, err
	}
	key := strings.Join(subjects, "\x00")
	now := g.now()
	g.mu.Lock()
	c, ok := g.has[key]
	g.mu.Unlock()
	if ok && now.Sub(c.at) < grantsFor {
		return c.grants, nil
	}
	var all []access.Grant
	err := g.c.Scan(ctx, store.Query{Index: "by-subject", Filter: store.In("subject", subjects...)}, func(x access.Grant) error {
		all = append(all, x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.has) >= maxCallers {
		clear(g.has)
	}
	g.has[key] = cachedGrants{now, all}
	return all, nil
}
