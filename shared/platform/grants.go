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

	opening sync.Mutex
	c       *store.Collection[access.Grant] // nil until opened

	mu      sync.Mutex
	has     map[string]cachedGrants
	forgets int // how often has was emptied: what was read before that is not kept
}

type cachedGrants struct {
	at     time.Time
	grants []access.Grant
}

// open opens the collection at the first use, and tries again at the next one when that fails.
func (g *grants) open(ctx context.Context) (*store.Collection[access.Grant], error) {
	g.opening.Lock()
	defer g.opening.Unlock()
	if g.c != nil {
		return g.c, nil
	}
	c, err := OpenGrants(ctx, g.db)
	if err == nil {
		_, err = g.bus.Watch([]event.Topic{event.GrantChanged}, func(event.Event) { g.forget() }, g.forget)
	}
	if err == nil {
		g.c = c
	}
	return g.c, err
}

func (g *grants) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.has)
	g.forgets++
}

func (g *grants) of(ctx context.Context, subjects []string) ([]access.Grant, error) {
	grants, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	key := strings.Join(subjects, "\x00")
	now := g.now()
	g.mu.Lock()
	c, ok := g.has[key]
	forgets := g.forgets
	g.mu.Unlock()
	if age := now.Sub(c.at); ok && age >= 0 && age < grantsFor {
		return c.grants, nil
	}
	var all []access.Grant
	filter := store.And(store.In("subject", subjects...), store.Exists("deleted", false))
	err = grants.Scan(ctx, store.Query{Index: "by-subject", Filter: filter}, func(x access.Grant) error {
		all = append(all, x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.forgets != forgets {
		return all, nil // changed while it was read
	}
	if g.has == nil || len(g.has) >= maxCallers {
		g.has = map[string]cachedGrants{}
	}
	g.has[key] = cachedGrants{now, all}
	return all, nil
}
