package twiningest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// strayBounds are on what is kept of no twin: a network server tells of any device that is in reach, under any name. The newest count.
type strayBounds struct {
	messages int
	of       int // messages of one reference, so that one device does not take the room of all others
	size     int // bytes of payloads

	// share is how many may speak before they take each other's room: who speaks for others, under names of its own choice, has one part
	// of so many of messages and size, and so has who speaks for itself.
	share int

	// after is how many messages a process keeps of no twin before it looks whether they are too many, afterSize how many bytes.
	after, afterSize int
}

const (
	trimSize    = 500 // messages of which the sizes are read at once
	measureSize = 50  // messages that are read at once for want of a size
)

var strayKept = strayBounds{messages: 10_000, of: 1_000, size: 64 << 20, share: 4, after: 500, afterSize: 4 << 20}

// A trimmer sees to it that the messages that are kept of no twin stay within bounds.
type trimmer struct {
	parked *store.Collection[api.ParkedMessage]
	bounds *strayBounds

	mu       sync.Mutex
	looked   bool // since the process has begun
	messages int
	size     int
}

// kept notes a message that is kept now.
func (t *trimmer) kept(m *api.ParkedMessage) {
	if m.Twin != "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.messages++
	t.size += m.Size
}

// due tells whether it is time to look, and if so begins to count anew.
func (t *trimmer) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.messages == 0 || t.looked && t.messages < t.bounds.after && t.size < t.bounds.afterSize {
		return false
	}
	t.looked, t.messages, t.size = true, 0, 0
	return true
}

// room is what messages take.
type room struct{ messages, size int }

// with is the room with one message more.
func (r room) with(size int) room { return room{r.messages + 1, r.size + size} }

func (r room) in(most room) bool { return r.messages <= most.messages && r.size <= most.size }

// trim deletes what is more than the bounds, the oldest first, and tells how many messages that were. It asks the store for sizes, not for
// payloads.
func (t *trimmer) trim(ctx context.Context) (deleted int, err error) {
	var all room
	of, by := map[device.Ref]int{}, map[device.Ref]room{} // by who speaks
	whole := room{t.bounds.messages, t.bounds.size}
	part := room{whole.messages / t.bounds.share, whole.size / t.bounds.share}
	var over []string
	remove := func() error {
		n, err := t.parked.DeleteRange(ctx, store.Query{Filter: store.In("_id", over...), Limit: len(over)})
		deleted, over = deleted+n, over[:0]
		return err
	}
	keep := func(m *api.ParkedMessage) bool {
		speaker := cmp.Or(m.Via, m.Ref)
		if !all.with(m.Size).in(whole) || !by[speaker].with(m.Size).in(part) || m.Ref != "" && of[m.Ref] >= t.bounds.of {
			return false
		}
		all, by[speaker] = all.with(m.Size), by[speaker].with(m.Size)
		of[m.Ref]++
		return true
	}
	q := store.Query{Index: "by-twin", Filter: store.Eq("twin", twin.ID("")), Fields: []string{"ref", "via", "size"}, Limit: trimSize}
	for {
		page, err := t.parked.Find(ctx, q)
		if err == nil {
			err = t.measureOld(ctx, page.Items)
		}
		if err != nil {
			return deleted, err
		}
		for i := range page.Items {
			if !keep(&page.Items[i]) {
				over = append(over, page.Items[i].ID)
			}
		}
		q.Cursor = page.Next
		if len(over) > 0 && (q.Cursor == "" || len(over)+trimSize > deleteSize) {
			if err := remove(); err != nil {
				return deleted, err
			}
		}
		if q.Cursor == "" {
			return deleted, nil
		}
	}
}

// measureOld finds out the sizes of messages that were kept without, and keeps them so that this is done once. One that somebody else
// changes or deletes meanwhile is measured another time. A payload of nothing has no size to be kept, and is read for nothing.
func (t *trimmer) measureOld(ctx context.Context, messages []api.ParkedMessage) error {
	var ids []string
	at := map[string]*api.ParkedMessage{}
	for i := range messages {
		if m := &messages[i]; m.Size == 0 {
			ids, at[m.ID] = append(ids, m.ID), m
		}
	}
	for batch := range slices.Chunk(ids, measureSize) {
		docs, err := t.parked.Load(ctx, batch)
		if err != nil {
			return err
		}
		docs = slices.DeleteFunc(docs, func(d *store.Doc[api.ParkedMessage]) bool { return d == nil || len(d.Value.Raw) == 0 })
		for _, d := range docs {
			d.Value.Size = len(d.Value.Raw)
			at[d.Value.ID].Size = d.Value.Size
		}
		if _, err := t.parked.ReplaceMany(ctx, docs); err != nil {
			return err
		}
	}
	return nil
}

// bound keeps within bounds what is kept of no twin. That it cannot be done now fails no batch: it is done later.
func (b *batch) bound(ctx context.Context) {
	if !b.f.strays.due() {
		return
	}
	n, err := b.f.strays.trim(ctx)
	if err != nil || n > 0 {
		b.f.p.Log.WarnContext(ctx, "of the messages that belong to no twin the oldest were deleted: more came than are kept", "function", b.f.p.Part, "deleted", n, "error", err)
	}
}
