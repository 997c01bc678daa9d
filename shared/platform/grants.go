package platform

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
)

// maxSubjects is how many subjects' grants are kept.
const maxSubjects = 10_000

// grants keeps the grants of subjects: callers and their groups.
type grants struct {
	db    *store.DB
	bus   *bus.Bus
	known *Cache[string, []access.Grant]

	opening sync.Mutex
	c       *store.Collection[access.Grant] // nil until opened
}

func newGrants(db *store.DB, b *bus.Bus, now func() time.Time) *grants {
	g := &grants{db: db, bus: b}
	g.known = NewCache(now, maxSubjects, g.read)
	return g
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
		_, err = g.bus.Watch([]event.Topic{event.GrantChanged}, func(event.Event) { g.known.Clear() }, g.known.Clear)
	}
	if err == nil {
		g.c = c
	}
	return g.c, err
}

func (g *grants) read(ctx context.Context, subjects []string) (map[string][]access.Grant, error) {
	grants, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string][]access.Grant{}
	filter := store.And(store.In("subject", subjects...), store.Exists("deleted", false))
	return found, grants.Scan(ctx, store.Query{Index: "by-subject", Filter: filter}, func(x access.Grant) error {
		found[x.Subject] = append(found[x.Subject], x)
		return nil
	})
}

func (g *grants) of(ctx context.Context, subjects []string) ([]access.Grant, error) {
	slices.Sort(subjects)
	subjects = slices.Compact(subjects)
	known, err := g.known.Get(ctx, subjects)
	var all []access.Grant
	for _, s := range subjects {
		all = append(all, known[s]...)
	}
	return all, err
}
