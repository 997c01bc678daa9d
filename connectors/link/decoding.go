package link

import (
	"errors"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// called tells whether payloads are read by calling the driver.
func called(u *api.UsedDriver) bool { return u.Name != "" && u.Parked == "" }

// bring decodes a batch and puts what comes of it into the lane, in order. Who reads a payload is decided now: what was said of its
// twin when it came may no longer be so.
func (d *decoders) bring(c *decoder, batch []*entry) {
	d.prepare(batch)
	for tries := 0; len(batch) > 0; {
		first := batch[0]
		if first.items != nil {
			d.hand(first, first.items)
			batch = batch[1:]
			continue
		}
		u, ok := d.link.drivers.of(first.mapping.Twin, d.link.work.Done())
		if !ok {
			first.give()
			batch = batch[1:]
			continue
		}
		if !called(&u) {
			d.hand(first, first.without(&u))
			batch = batch[1:]
			continue
		}
		used := append([]api.UsedDriver{u}, d.alike(batch[1:min(len(batch), c.calls)], &u)...)
		if !d.decode(c, batch[:len(used)], used, tries) {
			tries++ // with what is said of their twins then
			continue
		}
		batch, tries = batch[len(used):], 0
	}
}

// prepare has all twins of a batch asked for at once, whose answers would come one after the other else.
func (d *decoders) prepare(batch []*entry) {
	ids := make([]twin.ID, 0, len(batch))
	for _, e := range batch {
		if e.items == nil {
			ids = append(ids, e.mapping.Twin)
		}
	}
	d.link.drivers.prepare(ids)
}

// alike are the drivers of the entries that can go into one call with one of u, from the first on.
func (d *decoders) alike(batch []*entry, u *api.UsedDriver) (all []api.UsedDriver) {
	for _, e := range batch {
		next, known, ok := d.link.drivers.peek(e.mapping.Twin)
		if e.items != nil || !ok || !known || !called(&next) || next.Digest != u.Digest || next.Kind != u.Kind || next.Normalised != u.Normalised || nameOf(&next) != nameOf(u) {
			break
		}
		all = append(all, next)
	}
	return all
}

// decode calls the driver that all these entries have. It is false when that could not be done now: they are to be tried again.
func (d *decoders) decode(c *decoder, batch []*entry, used []api.UsedDriver, tries int) bool {
	l, u := d.link, &used[0]
	calls := make([]driver.Call, len(batch))
	for i, e := range batch {
		calls[i] = driver.Call{Op: driver.DecodeUplink, Bytes: e.in.Payload, Port: e.in.Port, Topic: e.in.Topic, Time: e.in.Received, Variables: used[i].Variables}
	}
	results, err := d.link.drivers.call(l.work, u, calls)
	switch {
	case errors.Is(err, errBroken):
		for _, e := range batch {
			d.hand(e, e.with(u, &driver.Result{Failure: driver.Invalid, Reason: err.Error()}))
		}
	case err != nil && l.work.Err() != nil:
		for _, e := range batch {
			e.give()
		}
	case err != nil:
		if tries%10 == 0 {
			l.log.Warn("a driver cannot be called, messages wait", "driver", nameOf(u), "waiting", d.inside.Load(), "tries", tries+1, "error", err)
		}
		pause.For(l.work, backoff(tries+1, l.limits.Backoff))
		for _, e := range batch {
			l.drivers.forget(e.mapping.Twin)
		}
		return false
	default:
		c.calls = min(2*c.calls, decodeCalls)
		for i, e := range batch {
			if results[i].Failure.Grave() {
				c.calls = warilyCalls
			}
			d.hand(e, e.with(&used[i], &results[i]))
		}
	}
	return true
}

// hand puts what came of an entry into the lane, and settles its ticket if that is nothing.
func (d *decoders) hand(e *entry, items []*item) {
	lane := d.link.laneOf(string(e.mapping.Twin))
	for _, it := range items {
		if !lane.put(it, false, d.link.work.Done()) {
			d.link.count.lost.Add(1)
			it.ticket.finish(false)
		}
	}
	if len(items) == 0 {
		e.nothing()
	}
}

// nothing settles a payload of which no message has come.
func (e *entry) nothing() {
	e.ticket.finish(true)
	e.session.tell()
}

// give gives a payload up: the link ends.
func (e *entry) give() {
	e.session.link.count.lost.Add(1)
	e.ticket.finish(false)
}

// reserved is how many orders are set aside for a payload that a driver or a format reads: messages, of which a pack of SenML makes up to
// 2,000, and a line of the log.
const reserved = 2048

// orderAt is the nth of the orders set aside for the entry; n is the most there will be where none are yet.
func (e *entry) orderAt(i, n int) twin.Order {
	if !e.base.Assigned {
		e.base = e.session.block(n)
	}
	o := e.base
	o.Seq += int64(i)
	return o
}
