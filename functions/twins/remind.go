package twins

import (
	"context"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// remindIn is when instances are looked at after a change of their type: when no cache holds the type as it was.
const remindIn = 6 * time.Second

// remind has the instances of a type looked at, also those that nothing comes from. One that is written meanwhile is looked
// at by whoever writes it; one that a crash leaves out, at its next message.
func (f *function) remind(ctx context.Context, id twin.TypeID) {
	due := f.p.Time().Add(remindIn)
	find := store.Query{Index: "by-type", Filter: store.Eq("definition.type", id), Limit: 500, Fields: []string{"kind"}}
	for {
		page, err := f.twins.Find(ctx, find)
		ids := make([]string, len(page.Items))
		for i := range page.Items {
			ids[i] = string(page.Items[i].ID)
		}
		var docs []*store.Doc[twin.Twin]
		if err == nil {
			docs, err = f.twins.Load(ctx, ids)
		}
		docs = slices.DeleteFunc(docs, func(d *store.Doc[twin.Twin]) bool { return d == nil || !d.Value.Deleted.IsZero() })
		for _, d := range docs {
			if l := &d.Value.Live; l.Due.IsZero() || l.Due.After(due) {
				l.Due = due
			}
		}
		if err == nil {
			_, err = f.twins.ReplaceMany(ctx, docs)
		}
		if err != nil {
			f.p.Log.WarnContext(ctx, "instances not reminded of their type's change", "function", f.p.Part, "type", id, "error", err)
			return
		}
		if find.Cursor = page.Next; find.Cursor == "" {
			return
		}
	}
}
