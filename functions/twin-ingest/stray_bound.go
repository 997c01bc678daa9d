package twiningest

import (
	"cmp"
	"context"
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
	t.size += len(m.Raw)
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

// trim deletes what is more than the bounds, the oldest first, and tells how many messages that were.
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
	err = t.parked.Scan(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", twin.ID("")), Fields: []string{"ref", "via", "raw"}}, func(m api.ParkedMessage) error {
		speaker, size := cmp.Or(m.Via, m.Ref), len(m.Raw)
		if all.with(size).in(whole) && by[speaker].with(size).in(part) && (m.Ref == "" || of[m.Ref] < t.bounds.of) {
			all, by[speaker] = all.with(size), by[speaker].with(size)
			of[m.Ref]++
			return nil
		}
		if over = append(over, m.ID); len(over) == deleteSize {
			return remove()
		}
		return nil
	})
	if err == nil && len(over) > 0 {
		err = remove()
	}
	return deleted, err
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
