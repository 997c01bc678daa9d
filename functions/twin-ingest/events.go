package twiningest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// misfit says in what an event is other than its twin's type says; "" = in nothing, or the type says nothing of it, or it did not come as
// something that can be judged. It has happened all the same, and is kept as it came.
func (f *function) misfit(m *telemetry.Message, of *twin.Model) string {
	if m.Kind != telemetry.Event || of == nil || !json.Valid(m.Data) {
		return ""
	}
	name := eventName(m)
	for i := range of.Events {
		e := &of.Events[i]
		if e.Name != name || len(e.Data) == 0 {
			continue
		}
		s, err := f.schemas.Compile(e.Data)
		if err != nil { // it was good when it was written: the type's owner has to hear of it
			return fmt.Sprintf("what the type says of event %.128s cannot be used: %v", name, err)
		}
		if fault := unlike(s, m.Data); fault != nil {
			return fmt.Sprintf("event %.128s does not fit what the type says of it: %v", name, fault)
		}
	}
	return ""
}

// unlike is in what the data of an event do not fit a schema. The schema may speak of the event's name, which comes with the data, or not:
// they fit with it or without.
func unlike(s *schema.Schema, data json.RawMessage) error {
	whole := s.Check(data)
	var parts map[string]json.RawMessage
	if whole == nil || json.Unmarshal(data, &parts) != nil {
		return whole
	}
	delete(parts, "event")
	rest, err := json.Marshal(parts)
	if err != nil {
		return whole
	}
	fault := s.Check(rest)
	if fault != nil && len(whole.Error()) < len(fault.Error()) {
		return whole // the other one misses the name too
	}
	return fault
}

// lineOf is the line in the twin's log about an event: one a minute, however often it happens.
func lineOf(m *telemetry.Message, text string) api.Record {
	text = strings.ToValidUTF8(text[:min(len(text), 1000)], "")
	at := m.Received.Truncate(time.Minute)
	return api.Record{ID: api.RecordKey(m.Twin, at) + "|model|" + hash(&telemetry.Message{Kind: telemetry.Log, Samples: []telemetry.Sample{{Property: "event", Value: eventName(m)}}}),
		Twin: m.Twin, Kind: telemetry.Log, At: m.Received, Received: m.Received, Order: twin.Order{Assigned: true},
		Samples: []telemetry.Sample{{Property: "app", Value: "model"}, {Property: "level", Value: "warn"}, {Property: "text", Value: text}}}
}

// tellLog keeps lines of twins' logs. What it does not keep is only said once more when the event happens again.
func (b *batch) tellLog(ctx context.Context, lines []api.Record) {
	if len(lines) == 0 {
		return
	}
	for i := range lines {
		lines[i].Trace = b.trace
	}
	errs, err := b.f.history.InsertMany(ctx, lines)
	for _, e := range errs {
		if err == nil && e != nil && !errors.Is(e, store.ErrExists) {
			err = e
		}
	}
	if err != nil {
		b.f.p.Log.WarnContext(ctx, "lines of twins' logs were not kept", "function", b.f.p.Part, "lines", len(lines), "error", err)
	}
}
