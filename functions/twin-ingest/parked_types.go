package twiningest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// typer gives the type of their twin to messages that were parked before it was kept with them, so that they are listed with those of the
// type. Each sweep looks at some; once it is done nobody looks again.
type typer struct {
	parked *store.Collection[api.ParkedMessage]
	twins  *store.Collection[twin.Twin]
	looks  *store.Collection[look]
	done   atomic.Bool
}

// A look is how far the messages were looked through.
type look struct {
	ID    string `bson:"_id"`
	After string `bson:"after,omitempty"` // the last message
	Done  bool   `bson:"done,omitempty"`
}

const (
	untyped    = "untyped"
	lookAtOnce = 500 // messages of one sweep
)

func openTyper(ctx context.Context, db *store.DB, f *function) (*typer, error) {
	t := &typer{parked: f.parked, twins: f.twins}
	var err error
	t.looks, err = store.Open[look](ctx, db, store.Spec{Name: "parked-looks", Schema: 1})
	return t, err
}

// next looks at the next messages, and tells how many have a type now that had none.
func (t *typer) next(ctx context.Context) (typed int, err error) {
	if t.done.Load() {
		return 0, nil
	}
	at, err := t.looks.Get(ctx, untyped)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	page, err := t.parked.Find(ctx, store.Query{Filter: store.Gt("_id", at.After), Limit: lookAtOnce, Fields: []string{"twin", "type"}})
	if err != nil {
		return 0, err
	}
	var ids []string
	for _, m := range page.Items {
		if id := string(m.Twin); id != "" && m.Type == "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	twins, err := t.twins.GetMany(ctx, ids)
	if err != nil {
		return 0, err
	}
	types := map[twin.ID]twin.TypeID{}
	for i := range twins {
		types[twins[i].ID] = twins[i].Definition.Type
	}
	for _, m := range page.Items {
		if m.Type != "" || types[m.Twin] == "" {
			continue
		}
		_, err := t.parked.Update(ctx, m.ID, func(m *api.ParkedMessage) error { m.Type = types[m.Twin]; return nil })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return typed, err
		}
		typed++
	}
	at, err = t.looks.Upsert(ctx, untyped, func(l *look, _ bool) error {
		if n := len(page.Items); n > 0 {
			l.After = max(l.After, page.Items[n-1].ID)
		}
		l.Done = l.Done || page.Next == ""
		return nil
	})
	t.done.Store(at.Done)
	return typed, err
}
