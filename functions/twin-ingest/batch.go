package twiningest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// A batch is one call's messages on their way.
type batch struct {
	f        *function
	now      time.Time
	trace    string
	messages []telemetry.Message
	outcomes []telemetry.Outcome
	fresh    []bool   // the message was not kept before
	ids      []string // of the records in history; "" where there is none
	subjects []*subject
	known    map[twin.ID]entry
	told     []news // of twins that were written
	busDown  bool   // the bus refused events of this batch; no use in trying again

	origin []*api.ParkedMessage // of messages that were parked: what each was; nil for what devices have just said
}

// ingest takes a batch. Whatever fails or crashes in it, the same batch can be sent again.
func (f *function) ingest(ctx context.Context, c *faas.Call, in telemetry.Batch) (faas.Reply, error) {
	if c.Caller.Gateway == "" || c.Caller.Gateway != in.Gateway {
		return faas.Reply{}, fmt.Errorf("%w: this connector may not speak for gateway %.80q", access.ErrDenied, in.Gateway)
	}
	if n := len(in.Messages); n > telemetry.MaxBatch {
		return faas.Reply{}, errors.Join(api.ErrTooLarge, api.Invalid("a batch may have %d messages, this one has %d", telemetry.MaxBatch, n))
	}
	began := time.Now()
	b := &batch{f: f, now: f.p.Time(), trace: trace.Of(ctx), messages: in.Messages, outcomes: make([]telemetry.Outcome, len(in.Messages)), fresh: make([]bool, len(in.Messages)),
		ids: make([]string, len(in.Messages))}
	for i := range b.messages {
		b.tidy(&b.messages[i], in.Gateway)
	}
	err := b.load(ctx)
	if err == nil {
		err = b.place(ctx, in.Gateway)
	}
	if err == nil {
		err = b.learn(ctx)
	}
	if err == nil {
		err = b.keep(ctx)
	}
	if err == nil {
		err = b.settle(ctx)
	}
	if err != nil {
		return faas.Reply{}, err
	}
	b.measure(time.Since(began))
	return faas.Reply{Value: telemetry.Result{Outcomes: b.outcomes, Commands: b.commands(in.Gateway)}, CBOR: true}, nil
}

// commands are what waits for the devices of the batch that are connected to the gateway.
func (b *batch) commands(gateway string) map[twin.ID][]string {
	var waiting map[twin.ID][]string
	for _, s := range b.subjects {
		t := &s.doc.Value
		p := &t.Live.Presence
		if len(t.Commands.Waiting) > 0 && p.Connected && p.Gateway == gateway && t.Definition.Phase == twin.Operational {
			if waiting == nil {
				waiting = map[twin.ID][]string{}
			}
			waiting[s.id] = t.Commands.Waiting
		}
	}
	return waiting
}

// load reads the twins that the batch is about.
func (b *batch) load(ctx context.Context) error {
	at := map[twin.ID]*subject{}
	var ids []string
	for i := range b.messages {
		m := &b.messages[i]
		if m.Twin == "" {
			continue
		}
		s := at[m.Twin]
		if s == nil {
			s = &subject{id: m.Twin}
			at[m.Twin] = s
			b.subjects, ids = append(b.subjects, s), append(ids, string(m.Twin))
		}
		s.messages = append(s.messages, i)
	}
	docs, err := b.f.twins.Load(ctx, ids)
	if err != nil {
		return err
	}
	there := b.subjects[:0:0]
	for i, s := range b.subjects {
		if d := docs[i]; d != nil && d.Value.Kind == twin.Instance {
			s.doc = d
			there = append(there, s)
		} else if d != nil && !d.Value.Deleted.IsZero() {
			b.refuse(s.messages)
		}
	}
	b.subjects = there
	return nil
}

// learn fills in what the subjects depend on.
func (b *batch) learn(ctx context.Context) (err error) {
	ids := map[twin.ID]bool{}
	for _, s := range b.subjects {
		d := &s.doc.Value.Definition
		ids[s.id], ids[d.Type] = true, true
		for _, a := range d.Aggregates {
			ids[a] = true
		}
	}
	delete(ids, "")
	b.known, err = b.f.known.Get(ctx, slices.Collect(maps.Keys(ids)))
	return err
}

// keep appends the batch to history, and what cannot be decoded or belongs to nobody to what is parked: one round trip each.
func (b *batch) keep(ctx context.Context) error {
	for _, s := range b.subjects {
		b.refuseOld(s)
	}
	owned := make([]*subject, len(b.messages))
	for _, s := range b.subjects {
		for _, i := range s.messages {
			owned[i] = s
		}
	}
	records, parked := make([]api.Record, 0, len(b.messages)), []api.ParkedMessage(nil)
	var recordAt, parkedAt []int
	var lines []api.Record
	for i := range b.messages {
		m, s := &b.messages[i], owned[i]
		switch {
		case b.outcomes[i] != "":
		case s == nil || m.Kind == telemetry.Undecoded:
			p := parkedOf(m)
			p.Trace = b.trace
			if s == nil {
				p.Generation = 0 // as the connector has said; nobody has looked at it, because place goes by twins
				if m.Twin != "" {
					p.Was = "" // a twin that gets the name later is another, and does not read it
				}
			} else {
				p.Type = s.doc.Value.Definition.Type
			}
			parked, parkedAt = append(parked, p), append(parkedAt, i)
		default:
			of := b.known[s.doc.Value.Definition.Type]
			r := record(m, flagOf(m, of.props))
			if fault := b.f.misfit(m, of.model); fault != "" {
				if lines = append(lines, lineOf(m, fault)); r.Flag == "" {
					r.Flag = twin.Unexpected
				}
			}
			r.Trace = b.trace
			if b.origin != nil {
				r.Trace = b.origin[i].Trace
			}
			records, recordAt = append(records, r), append(recordAt, i)
		}
	}
	if err := b.anchor(ctx, records, recordAt); err != nil {
		return err
	}
	for k, i := range recordAt {
		b.ids[i] = records[k].ID
	}
	errs, err := b.f.history.InsertMany(ctx, records)
	if err != nil {
		return err
	}
	b.kept(ctx, errs, recordAt, "")
	b.tellLog(ctx, lines)
	if len(parked) == 0 {
		return nil
	}
	if errs, err = b.f.parked.InsertMany(ctx, parked); err != nil {
		return err
	}
	b.kept(ctx, errs, parkedAt, telemetry.Parked)
	for i, err := range errs {
		if err == nil {
			b.f.strays.kept(&parked[i])
		}
	}
	b.bound(ctx)
	return nil
}

// kept notes what became of the messages at; outcome "" leaves it open until their twins are written.
func (b *batch) kept(ctx context.Context, errs []error, at []int, outcome telemetry.Outcome) {
	for k, i := range at {
		switch err := errs[k]; {
		case err == nil:
			b.fresh[i], b.outcomes[i] = true, outcome
		case errors.Is(err, store.ErrExists):
			b.outcomes[i] = outcome
		default:
			b.f.p.Log.WarnContext(ctx, "message not kept", "function", b.f.p.Part, "twin", b.messages[i].Twin, "error", err)
			b.outcomes[i] = telemetry.Retry
		}
	}
}

func (b *batch) refuse(messages []int) {
	for _, i := range messages {
		b.outcomes[i] = telemetry.Refused
	}
}

// refuseOld refuses what may not reach the twin: everything when it is retired, and what came by a mapping from device to
// twin that was replaced since.
func (b *batch) refuseOld(s *subject) {
	t := &s.doc.Value
	if !t.Deleted.IsZero() || t.Definition.Phase == twin.Retired {
		b.refuse(s.messages[s.next:])
		return
	}
	if s.again {
		return // when it came, it came by the mapping there was
	}
	newest := t.Live.Generation
	for _, i := range s.messages[s.next:] {
		switch g := b.messages[i].Generation; {
		case b.outcomes[i] == telemetry.Retry: // it does not count yet
		case g < newest:
			b.outcomes[i] = telemetry.Refused
		default:
			newest = g
		}
	}
}
