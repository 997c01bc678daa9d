package drivers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	callSize    = 20 // messages that a driver is asked for at a time,
	slowSize    = 4  // or so many, until it is known to be quick
	quick       = time.Second
	sendSize    = 4 << 20 // bytes of values handed over at a time, about
	graveOfTwin = 10      // grave failures of a chunk after which the rest of the twin's messages is left
	graveOfAll  = 50      // of a redrive, after which it ends
)

// readFor is after how long what was decoded of a chunk is handed over, and the rest left for the next step: a run has a lease, and
// of a chunk that a slow driver never gets through in that time nothing would ever be stored.
var readFor = 10 * time.Second

// An outcome is what came of a chunk.
type outcome struct {
	stored, left int64
	gone         int64    // were no longer parked
	reason       string   // why the last of left was not read
	grave        int64    // how often the driver misconducted itself
	rest         []string // of the chunk, for which there was no time
	over         bool     // the rest of the twin's messages are not to be tried
	stop         string   // why no message at all is to be tried any more; "" = go on
}

// leave notes that n messages stay parked.
func (o *outcome) leave(n int, reason string) { o.left, o.reason = o.left+int64(n), reason }

// read reads the planned messages again, and hands over what they have become. Those that are no longer parked were read before, if
// that may be; else they were removed meanwhile, or another redrive has read them.
func (r *redriver) read(ctx context.Context, j *redrive, asker access.Caller, d *decoder) (did outcome, err error) {
	id := j.Twins[0]
	t, err := r.f.twins.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && !t.Deleted.IsZero() {
		return outcome{over: true, gone: int64(len(j.Chunk))}, nil // what is parked of it goes with it
	}
	if err == nil {
		err = r.f.p.May(ctx, asker, access.Write, access.Twin(&t), "twin")
	}
	if errors.Is(err, access.ErrDenied) || errors.Is(err, api.ErrNotFound) {
		did.over = true
		if j.Twin != "" {
			did.stop = fmt.Sprintf("%s may not write twin %s any more", j.By, id)
		}
		return did, nil
	}
	if err != nil {
		return did, err
	}
	used, err := r.f.used(ctx, []twin.ID{id})
	if err != nil || len(used) == 0 {
		return outcome{over: err == nil}, err
	}
	u := &used[0]
	if why := unreadable(u, &t); why != "" {
		did.reason = why
		return did, r.leaveRest(ctx, j, &did)
	}
	messages, err := r.parked.GetMany(ctx, j.Chunk)
	if err != nil {
		return did, err
	}
	if missing := int64(len(j.Chunk) - len(messages)); d.again {
		did.stored = missing
	} else {
		did.gone = missing
	}
	items, err := d.decode(ctx, u, messages, &did)
	if err != nil {
		return did, err
	}
	if err := r.hand(ctx, id, items, &did); err != nil || did.grave < graveOfTwin {
		return did, err
	}
	if j.Grave+did.grave >= graveOfAll {
		did.stop = fmt.Sprintf("driver %s %s fails gravely with what is parked, the last time of twin %s: %s; publish a version that reads it", u.Name, u.Version, id, did.reason)
	}
	return did, r.leaveRest(ctx, j, &did)
}

// leaveRest notes that all stay parked that are parked of the twin yet.
func (r *redriver) leaveRest(ctx context.Context, j *redrive, did *outcome) error {
	n, err := r.parked.Count(ctx, store.And(store.Eq("twin", j.Twins[0]), store.Lte("received", j.Created)), "by-twin")
	did.left, did.over = int64(n)-j.LeftHere, true
	return err
}

// unreadable says why none of a twin's messages can be read now.
func unreadable(u *api.UsedDriver, t *twin.Twin) string {
	switch {
	case t.Definition.Phase == twin.Retired:
		return fmt.Sprintf("twin %s is retired", t.ID)
	case u.Parked != "":
		return u.Parked
	case u.Name == "" && u.Format == "":
		return fmt.Sprintf("type %s has neither a driver nor a format: what did not fit the wire contract cannot be read again", t.Definition.Type)
	}
	return ""
}

// hand gives twin-ingest what messages have become, in calls of bounded size.
func (r *redriver) hand(ctx context.Context, id twin.ID, items []api.RedrivenItem, did *outcome) error {
	for len(items) > 0 {
		n, messages, size := 0, 0, 0
		for n < len(items) {
			messages += len(items[n].Messages)
			if size += sizeOf(&items[n]); n > 0 && (messages > telemetry.MaxBatch || size > sendSize) {
				break
			}
			n++
		}
		err := r.f.p.API.Redriven(ctx, api.Redriven{Twin: id, Items: items[:n]})
		switch {
		case errors.Is(err, api.ErrNotFound): // it was deleted meanwhile
			did.over, did.gone = true, did.gone+int64(len(items))
			return nil
		case errors.Is(err, api.ErrConflict), errors.Is(err, twin.ErrInvalid):
			did.leave(n, err.Error())
		case err != nil:
			return err
		default:
			for _, item := range items[:n] {
				if len(item.Messages) > 0 {
					did.stored++
				} else {
					did.leave(1, item.Reason)
				}
			}
		}
		items = items[n:]
	}
	return nil
}

func sizeOf(item *api.RedrivenItem) int {
	size := 100
	for i := range item.Messages {
		for _, s := range item.Messages[i].Samples {
			size += 32 + len(s.Property)
			if text, ok := s.Value.(string); ok {
				size += len(text)
			}
		}
	}
	return size
}

// A decoder reads messages by drivers and formats.
type decoder struct {
	f *function

	// again: the chunk may have been read already, in part or whole, without a word of it, because of a crash or of something that
	// was away.
	again bool
}

// decode says what each message has become. A driver that misconducts itself again and again is not called any more: messages that
// were not tried are left out.
func (d *decoder) decode(ctx context.Context, u *api.UsedDriver, messages []api.ParkedMessage, did *outcome) (items []api.RedrivenItem, err error) {
	began, size := time.Now(), slowSize
	for len(messages) > 0 && did.grave < graveOfTwin {
		if len(items) > 0 && time.Since(began) >= readFor {
			for i := range messages {
				did.rest = append(did.rest, messages[i].ID)
			}
			break
		}
		some := messages[:min(size, len(messages))]
		messages = messages[len(some):]
		asked := time.Now()
		results, err := d.results(ctx, u, some)
		if err != nil {
			return nil, err
		}
		for i := range some {
			items = append(items, itemOf(&some[i], &results[i], u.Units))
			if results[i].Failure.Grave() {
				did.grave++
			}
		}
		if size = slowSize; time.Since(asked) < quick {
			size = callSize
		}
	}
	return items, nil
}

// itemOf is what a message has become by a result, in the units that are wanted.
func itemOf(m *api.ParkedMessage, result *driver.Result, units map[string]string) api.RedrivenItem {
	item := api.RedrivenItem{ID: m.ID}
	if m.Kind != telemetry.Undecoded || m.Was == "" {
		item.Reason = m.Reason // it was not parked because it could not be decoded
		return item
	}
	if result.Time.IsZero() {
		result.Time = m.Time // who brought it may have known when, if the driver does not
	}
	messages, err := result.Messages(m.Was, units)
	switch {
	case err != nil:
		item.Reason = err.Error()
	case len(messages) == 0:
		item.Reason = "the driver finds no values in it"
	}
	item.Messages = messages
	return item
}

// results are those of the driver, or of the type's format where it has none.
func (d *decoder) results(ctx context.Context, u *api.UsedDriver, messages []api.ParkedMessage) ([]driver.Result, error) {
	results := make([]driver.Result, len(messages))
	if u.Name == "" {
		for i := range messages {
			var err error
			if results[i], err = format.Decode(format.Name(u.Format), messages[i].Raw, format.Options{IDs: u.IDs, Received: messages[i].Received}); err != nil {
				results[i] = driver.Result{Errors: []string{err.Error()}}
			}
		}
		return results, nil
	}
	opened, err := d.f.opened(ctx, u)
	if errors.Is(err, api.ErrUnavailable) || ctx.Err() != nil {
		return nil, fmt.Errorf("driver %s %s: %w", u.Name, u.Version, err)
	}
	if err != nil { // trying again does not help
		for i := range results {
			results[i].Errors = []string{fmt.Sprintf("driver %s %s: %v", u.Name, u.Version, err)}
		}
		return results, nil
	}
	codec := driver.Codec(opened)
	if u.Normalised {
		codec = driver.Normalised(codec)
	}
	var calls []driver.Call
	var of []int
	for i := range messages {
		switch m := &messages[i]; m.Was {
		case "":
		case telemetry.State: // drivers read telemetry only
			results[i].Errors = []string{"what a device of a type with a driver says of its state is of the wire contract, and this does not fit it"}
		default:
			calls = append(calls, driver.Call{Op: driver.DecodeUplink, Bytes: m.Raw, Port: m.Port, Topic: m.Topic, Time: m.Received, Variables: u.Variables})
			of = append(of, i)
		}
	}
	if len(calls) == 0 {
		return results, nil
	}
	made, err := codec.Run(ctx, calls)
	if err != nil {
		return nil, fmt.Errorf("%w: driver %s %s: %w", api.ErrUnavailable, u.Name, u.Version, err)
	}
	for k, i := range of {
		results[i] = made[k]
	}
	return results, nil
}
