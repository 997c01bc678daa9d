package twins

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// An entry is what lists find and sort a twin by, apart from its document, because that is written with each message of its
// device. It is written after the definition; what a crash or an outage leaves out, the sweep adds. It decides nothing: a list
// looks at each twin it finds by it.
type entry struct {
	ID      twin.ID   `bson:"_id"`
	Version int64     `bson:"version"` // the definition's that it was made of
	Created time.Time `bson:"created"` // the twin's
	Name    string    `bson:"name"`    // folded; the id where there is no name
	Words   []string  `bson:"words"`   // beginnings of words
}

func openCatalog(ctx context.Context, db *store.DB) (*store.Collection[entry], error) {
	return store.Open[entry](ctx, db, store.Spec{Name: "twin-catalog", Schema: 1, Indexes: []store.Index{
		{Name: "by-word", Fields: []string{"words"}},
		{Name: "by-name", Fields: []string{"name"}},
		{Name: "by-created", Fields: []string{"created"}},
	}})
}

func entryOf(t *twin.Twin) entry {
	return entry{ID: t.ID, Version: t.Definition.Version, Created: t.Created, Name: sortName(t), Words: beginnings(wordsOf(t))}
}

// sortName is what a twin is sorted by under its name.
func sortName(t *twin.Twin) string {
	if t.Definition.Name == "" {
		return fold(string(t.ID))
	}
	return fold(t.Definition.Name)
}

// after tells whether e was made of a newer definition than old, of the same twin or of one that took its id later.
func (e *entry) after(old *entry) bool {
	return e.Created.After(old.Created) || e.Created.Equal(old.Created) && e.Version > old.Version
}

// enter keeps the entry of a twin that was just written, or removes it if the twin was deleted.
func (f *function) enter(ctx context.Context, t *twin.Twin) {
	var err error
	if t.Deleted.IsZero() {
		e := entryOf(t)
		_, err = f.catalog.Upsert(ctx, string(t.ID), func(old *entry, exists bool) error {
			if exists && !e.after(old) {
				return store.Unchanged
			}
			*old = e
			return nil
		})
	} else {
		err = f.catalog.Delete(ctx, string(t.ID))
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.p.Log.WarnContext(ctx, "catalog left for the sweep", "function", f.p.Part, "twin", t.ID, "error", err)
	}
}

// Bounds of one sweep of the catalog: how many twins are looked at, and for how long while it may lack many.
const (
	catalogPage = 1000
	catalogFor  = 5 * time.Second
)

// mend goes on comparing the catalog with the twins where the sweep before ended, and begins again at the end: quickly the
// first time, because the twins may be older than the catalog, then a page at each sweep.
func (f *function) mend(ctx context.Context) (mended int, err error) {
	f.mending.Lock()
	defer f.mending.Unlock()
	for until := time.Now().Add(catalogFor); ; {
		page, err := f.twins.Find(ctx, store.Query{Filter: store.Gt("_id", f.mendedTo), Limit: catalogPage,
			Fields: []string{"definition.version", "definition.name", "definition.tags", "definition.location", "created", "deleted"}})
		if err != nil {
			return mended, err
		}
		n, err := f.mendPage(ctx, page.Items)
		if mended += n; err != nil {
			return mended, err
		}
		if page.Next == "" {
			f.mendedTo, f.mendedOnce = "", true
			return mended, nil
		}
		f.mendedTo = string(page.Items[len(page.Items)-1].ID)
		if f.mendedOnce || time.Now().After(until) {
			return mended, nil
		}
	}
}

func (f *function) mendPage(ctx context.Context, twins []twin.Twin) (int, error) {
	twins = slices.DeleteFunc(twins, func(t twin.Twin) bool { return !t.Deleted.IsZero() })
	ids := make([]string, len(twins))
	for i := range twins {
		ids[i] = string(twins[i].ID)
	}
	docs, err := f.catalog.Load(ctx, ids)
	if err != nil {
		return 0, err
	}
	var missing []entry
	var stale []*store.Doc[entry]
	for i, d := range docs {
		e := entryOf(&twins[i])
		switch {
		case d == nil:
			missing = append(missing, e)
		case e.after(&d.Value) || e.Version == d.Value.Version && (e.Name != d.Value.Name || !slices.Equal(e.Words, d.Value.Words)):
			d.Value = e
			stale = append(stale, d)
		}
	}
	if len(missing) > 0 {
		if _, err := f.catalog.InsertMany(ctx, missing); err != nil {
			return 0, err
		}
	}
	if len(stale) > 0 { // who was faster knows better
		if _, err := f.catalog.ReplaceMany(ctx, stale); err != nil {
			return 0, err
		}
	}
	return len(missing) + len(stale), nil
}
