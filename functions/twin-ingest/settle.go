package twiningest

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// maxTries is how often other writers may come first before a twin's messages are to be sent again.
const maxTries = 5

// publishFor bounds how long a batch waits for the bus. What is not published by then is swept up later.
const publishFor = 2 * time.Second

// settle writes what the messages and the time make of the subjects: in one round trip, unless other writers come between,
// or a twin makes more events than its outbox holds; then as often as it takes. What is left is to be sent again.
func (b *batch) settle(ctx context.Context) error {
	defer func() { b.f.live.add(b.told) }()
	for open := b.subjects; len(open) > 0; {
		b.makeRoom(ctx, open)
		var write []*subject
		for _, s := range open {
			if b.apply(s); s.changed {
				write = append(write, s)
			} else {
				b.written(s)
			}
		}
		errs, err := b.f.twins.ReplaceMany(ctx, docs(write))
		if err != nil {
			return err
		}
		var done, raced []*subject
		for i, s := range write {
			switch err := errs[i]; {
			case err == nil:
				b.written(s)
				done = append(done, s)
			case errors.Is(err, store.ErrConflict) && s.tries < maxTries:
				s.tries++
				raced = append(raced, s)
			case !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound):
				b.f.p.Log.WarnContext(ctx, "twin not written", "function", b.f.p.Part, "twin", s.id, "error", err)
			}
		}
		b.tellOf(done)
		b.flush(ctx, done)
		if err := b.reload(ctx, raced); err != nil {
			return err
		}
		open = raced
		for _, s := range done {
			if s.next < len(s.messages) {
				open = append(open, s)
			}
		}
	}
	for i, o := range b.outcomes {
		if o == "" {
			b.outcomes[i] = telemetry.Retry
		}
	}
	return nil
}

// written tells that the subject's messages are stored as far as they were applied.
func (b *batch) written(s *subject) {
	for _, i := range s.messages[s.next:s.upto] {
		if b.outcomes[i] == "" {
			b.outcomes[i] = telemetry.Stored
		}
	}
	s.next = s.upto
}

// reload reads the subjects that others have changed anew; one that is gone is left out, its messages come again.
func (b *batch) reload(ctx context.Context, raced []*subject) error {
	ids := make([]string, len(raced))
	for i, s := range raced {
		ids[i] = string(s.id)
	}
	fresh, err := b.f.twins.Load(ctx, ids)
	if err != nil {
		return err
	}
	for i, s := range raced {
		if s.doc = fresh[i]; s.doc == nil {
			s.doc = &store.Doc[twin.Twin]{Value: twin.Twin{ID: s.id, Deleted: b.now}}
		}
	}
	return nil
}

// makeRoom publishes what full outboxes hold.
func (b *batch) makeRoom(ctx context.Context, open []*subject) {
	var full []*subject
	for _, s := range open {
		if s.doc.Value.Outbox.Full() {
			full = append(full, s)
		}
	}
	b.flush(ctx, full)
}

// flush publishes what the subjects hold back and then clears it. That it does not succeed is no failure of the batch: the
// events are stored with the twins and swept up later, and one that is published twice is known by its id.
func (b *batch) flush(ctx context.Context, subjects []*subject) {
	var events []event.Event
	var held []*subject
	for _, s := range subjects {
		if box := &s.doc.Value.Outbox; len(box.Pending) > 0 {
			events, held = append(events, box.Pending...), append(held, s)
		}
	}
	if len(events) == 0 || b.busDown {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, publishFor)
	defer cancel()
	if err := b.f.publish(bounded, events...); err != nil {
		b.busDown = true
		b.f.p.Log.WarnContext(ctx, "events left for the sweep", "function", b.f.p.Part, "events", len(events), "error", err)
		return
	}
	for _, s := range held {
		s.doc.Value.Outbox.Clear(s.doc.Value.Outbox.Pending)
	}
	if _, err := b.f.twins.ReplaceMany(ctx, docs(held)); err != nil {
		b.f.p.Log.WarnContext(ctx, "events left for the sweep", "function", b.f.p.Part, "events", len(events), "error", err)
	}
}

func docs(subjects []*subject) []*store.Doc[twin.Twin] {
	out := make([]*store.Doc[twin.Twin], len(subjects))
	for i, s := range subjects {
		out[i] = s.doc
	}
	return out
}
