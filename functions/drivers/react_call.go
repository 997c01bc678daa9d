package drivers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	readAtOnce = 20               // records
	storeAfter = 10 * time.Second // of calls, before what has come of them is stored
	maxWanted  = 60               // commands of a twin in a minute: an answer may cause the next command
	clockAhead = 5 * time.Minute  // of a replica, so that others go on with the minute that it has begun
	maxGraves  = 3                // of a version in one call with events, after which those of the twins that it came of are passed, and others wait
)

// A deed is what came of a stretch, or of its beginning.
type deed struct {
	first  bool  // nothing was told of the twin before: what is kept is of an earlier twin
	number int64 // of the last message that is done
	missed int64 // messages before it that did not come

	driver, version string
	state           []byte
	called          bool // on_event has answered, so the state counts
	wanted          []wanted
	minute          time.Time
	inMinute        int
	dropped         int64
	failure         string
	took            time.Duration

	notes []note
}

// apply changes what is kept of the twin.
func (d *deed) apply(v *reaction, now time.Time) {
	v.Number, v.Missed, v.Gap = d.number, v.Missed+d.missed, time.Time{}
	if d.driver != "" {
		v.Driver, v.Version, v.State = d.driver, d.version, d.state
		v.Minute, v.InMinute = d.minute, d.inMinute
	}
	if d.called {
		v.Reacted = now
	}
	if d.failure != "" {
		v.Failure, v.Failed = clip(d.failure), now
	}
	v.Dropped += d.dropped
	if len(d.wanted) > 0 && len(v.Pending) == 0 {
		v.PendingSince = now
	}
	v.Pending = append(v.Pending, d.wanted...)
	for _, w := range d.wanted {
		v.Known = append(v.Known, named{api.CommandID(v.Twin, w.Key), w.Name})
	}
	v.Known = v.Known[max(0, len(v.Known)-maxNamed):]
}

// call calls on_event with a stretch's records, one after the other: the state that one answers is the next one's.
func (b *round) call(ctx context.Context, u *api.UsedDriver, was *reaction, s stretch) (*deed, error) {
	d := &deed{first: s.First && was.Number > 0, number: s.Number}
	if !u.Reacts || u.Kind != driver.WASM {
		return d, nil
	}
	if u.Parked != "" {
		d.failure = "it is not called: " + u.Parked
		return d, nil
	}
	d.driver, d.version = u.Name, u.Version
	if u.Name == was.Driver && !d.first { // another version goes on with the state
		d.state, d.minute, d.inMinute = was.State, was.Minute, was.InMinute
	}
	if misconducts, here := b.misconducts(u); misconducts && !here {
		return nil, errGrave
	} else if misconducts {
		d.fail(fmt.Sprintf("%s is not called for a moment: it has cost workers with other messages", versionOf(u)))
		return d, nil
	}
	if b.late(u) {
		return nil, errSlow
	}
	codec, err := b.r.f.opened(ctx, u)
	if errors.Is(err, api.ErrUnavailable) || ctx.Err() != nil {
		return nil, fmt.Errorf("%w: driver %s: %w", api.ErrUnavailable, versionOf(u), err)
	}
	if err != nil { // trying again does not help
		d.fail(fmt.Sprintf("driver %s: %v", versionOf(u), err))
		return d, nil
	}
	began := time.Now()
	defer func() { d.took = time.Since(began) }()
	for at := 0; at < len(s.Records) && !codec.lacks.Load(); at += readAtOnce {
		records, err := b.read(ctx, u.Twin, s.Records[at:min(at+readAtOnce, len(s.Records))])
		if err != nil {
			return nil, err
		}
		for i, record := range records {
			number := s.from() + int64(at+i)
			if at+i > 0 && (b.late(u) || time.Since(began) > storeAfter) {
				d.number = number // the others are a stretch of their own
				return d, nil
			}
			if record == nil {
				continue
			}
			over, err := b.one(ctx, u, codec, was, record, fmt.Sprintf("event-%d", number+1), d)
			if err != nil || over {
				return d, err
			}
		}
	}
	return d, nil
}

// read are records of a twin, as history has them; nil for those that it has no more.
func (b *round) read(ctx context.Context, id twin.ID, names []string) ([]*api.Record, error) {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = string(id) + "|" + name
	}
	docs, err := b.r.history.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make([]*api.Record, len(ids))
	for i, doc := range docs {
		if doc != nil && doc.Value.Twin == id {
			records[i] = &doc.Value
		}
	}
	return records, nil
}

// one calls on_event with a record. over = it is not to be called with the others.
func (b *round) one(ctx context.Context, u *api.UsedDriver, codec *codec, was *reaction, record *api.Record, key string, d *deed) (over bool, err error) {
	counted := b.r.pace.call(versionKey{u.Name, u.Version})
	results, err := codec.Run(ctx, []driver.Call{{Op: driver.OnEvent, Kind: record.Kind, Data: dataOf(record, was, d), State: d.state, Time: timeOf(record), Variables: u.Variables}})
	counted(err == nil && !results[0].Failure.Grave()) // what is grave counts otherwise
	if err != nil {
		return false, fmt.Errorf("%w: driver %s: %w", api.ErrUnavailable, versionOf(u), err)
	}
	result := &results[0]
	if len(result.Warnings) > 0 {
		d.notes = append(d.notes, note{"warned", "warn", versionOf(u) + " warns: " + strings.Join(result.Warnings, "; ")})
	}
	switch {
	case result.Failure == driver.Missing:
		codec.lacks.Store(true)
		return true, nil
	case result.Failure.Grave():
		b.count(u, metrics.ReactGrave, result.Reason)
		d.fail(fmt.Sprintf("on_event of %s failed with a message of kind %s: %s: %s", versionOf(u), record.Kind, result.Failure, result.Reason))
		over, _ = b.misconducts(u)
		return over, nil
	case result.Failure != "":
		b.count(u, metrics.ReactFailed, result.Reason)
		d.fail(fmt.Sprintf("on_event of %s failed with a message of kind %s: %s: %s", versionOf(u), record.Kind, result.Failure, result.Reason))
		return false, nil
	case len(result.Errors) > 0: // its own word about this message; what reads the twin's payloads is not at fault
		b.count(u, metrics.ReactRefused, "")
		d.fail(fmt.Sprintf("on_event of %s refuses a message of kind %s: %s", versionOf(u), record.Kind, strings.Join(result.Errors, "; ")))
		return false, nil
	}
	b.count(u, metrics.Reacted, "")
	d.called = true
	if result.State != nil {
		d.state = result.State
	}
	for i, said := range result.Commands {
		b.want(d, u, said, fmt.Sprintf("%s-%d", key, i))
	}
	return false, nil
}

// want notes a command that is to be sent, unless there were too many in this minute.
func (b *round) want(d *deed, u *api.UsedDriver, said any, key string) {
	c, err := driver.CommandOf(said)
	if err != nil { // the engine has looked already
		d.dropped++
		d.notes = append(d.notes, note{"command", "error", fmt.Sprintf("a command of %s is not sent: %v", versionOf(u), err)})
		return
	}
	if !d.may(b.r.f.p.Time()) {
		d.dropped++
		d.notes = append(d.notes, note{"many", "error", fmt.Sprintf("command %s of %s is not sent: it has wanted %d within a minute, which is what is sent", c.Name, versionOf(u), maxWanted)})
		return
	}
	d.wanted = append(d.wanted, wanted{Key: key, Name: c.Name, Input: c.Input, Timeout: c.Timeout, By: "driver:" + versionOf(u)})
}

// may counts a command, unless there were too many in this minute. It is that of the replica whose clock is ahead: one that is behind goes on
// with it, so that they do not count anew in turns.
func (d *deed) may(now time.Time) bool {
	if minute := now.Truncate(time.Minute); minute.After(d.minute) || d.minute.Sub(minute) > clockAhead {
		d.minute, d.inMinute = minute, 0
	}
	if d.inMinute >= maxWanted {
		return false
	}
	d.inMinute++
	return true
}

// dataOf is what on_event is told of a record: the values by their names. An answer has its output as it was said, and the command's name
// where the driver has wanted it.
func dataOf(record *api.Record, was *reaction, d *deed) map[string]any {
	data := make(map[string]any, len(record.Samples)+1)
	for _, s := range record.Samples {
		data[s.Property] = s.Value
	}
	if record.Kind != telemetry.Response {
		return data
	}
	a, ok := telemetry.AnswerOf(record.Samples)
	if !ok {
		return data
	}
	if name := was.name(a.Command); name != "" {
		data["name"] = name
	} else if i := slices.IndexFunc(d.wanted, func(w wanted) bool { return api.CommandID(record.Twin, w.Key) == a.Command }); i >= 0 {
		data["name"] = d.wanted[i].Name
	}
	var output any
	if len(a.Output) > 0 && json.Unmarshal(a.Output, &output) == nil {
		data["output"] = output
	}
	return data
}

// timeOf is when something was measured, as far as the device's clock can be believed, else when it was received.
func timeOf(record *api.Record) time.Time {
	if record.Flag == twin.ClockAhead || record.Flag == twin.ClockUnset {
		return record.Received
	}
	return record.At
}

func versionOf(u *api.UsedDriver) string { return u.Name + "@" + cmp.Or(u.Version, "?") }
