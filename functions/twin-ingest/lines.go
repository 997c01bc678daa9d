package twiningest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// maxLines is how many lines one call may write.
const maxLines = 1000

// lines writes what a part of the platform has to say of twins to their logs. It changes no twin: the twin has said nothing. Lines of
// twins that are not there, or are retired, are passed over.
func (f *function) lines(ctx context.Context, _ *faas.Call, in api.LogLines) (faas.None, error) {
	if len(in.Lines) > maxLines {
		return faas.None{}, api.Invalid("lines has %d entries, at most %d are taken", len(in.Lines), maxLines)
	}
	var ids []string
	for _, l := range in.Lines {
		ids = append(ids, string(l.Twin))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	docs, err := f.twins.Load(ctx, ids)
	if err != nil {
		return faas.None{}, err
	}
	there := map[twin.ID]bool{}
	for _, d := range docs {
		if d != nil && d.Value.Kind == twin.Instance && d.Value.Deleted.IsZero() && d.Value.Definition.Phase != twin.Retired {
			there[d.Value.ID] = true
		}
	}
	var records []api.Record
	for _, l := range in.Lines {
		if !there[l.Twin] {
			continue
		}
		r, err := recordOf(l, f.p.Time())
		if err != nil {
			return faas.None{}, err
		}
		r.Trace = trace.Of(ctx)
		records = append(records, r)
	}
	errs, err := f.history.InsertMany(ctx, records)
	if err != nil {
		return faas.None{}, err
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, store.ErrExists) {
			return faas.None{}, err
		}
	}
	return faas.None{}, nil
}

// recordOf is a line as history keeps it, known by its content.
func recordOf(l api.LogLine, now time.Time) (api.Record, error) {
	at := cut(l.At)
	if at.IsZero() || at.After(now.Add(telemetry.Ahead)) {
		at = now
	}
	m := telemetry.Message{Twin: l.Twin, Kind: telemetry.Log, Time: at, Received: at, Order: twin.Order{Assigned: true},
		Samples: []telemetry.Sample{{Property: "app", Value: l.App}, {Property: "level", Value: l.Level}, {Property: "text", Value: l.Text}}}
	if err := telemetry.Normalise(m.Samples); err != nil {
		return api.Record{}, err
	}
	return record(&m, ""), nil
}
