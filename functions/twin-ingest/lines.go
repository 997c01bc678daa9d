package twiningest

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// lines writes what a part of the platform has to say of twins to their logs. It changes a twin only where something happened to it that
// its recent occurrences are to have: the twin has said nothing. Lines of twins that are not there, or are retired, are passed over.
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
	happened := map[twin.ID][]twin.Occurrence{}
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
		if l.Happened {
			happened[l.Twin] = append(happened[l.Twin], twin.Occurrence{At: r.At, What: l.Text})
		}
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
	return faas.None{}, f.happened(ctx, docs, happened)
}

// happened puts occurrences among those that twins keep. Those that a call before this one has put there are left as they are.
func (f *function) happened(ctx context.Context, docs []*store.Doc[twin.Twin], all map[twin.ID][]twin.Occurrence) error {
	b := &batch{f: f, now: f.p.Time(), trace: trace.Of(ctx)}
	for _, d := range docs {
		if d != nil && len(all[d.Value.ID]) > 0 {
			b.subjects = append(b.subjects, &subject{id: d.Value.ID, doc: d, befell: all[d.Value.ID]})
		}
	}
	if len(b.subjects) == 0 {
		return nil
	}
	if err := b.learn(ctx); err != nil {
		return err
	}
	return b.settle(ctx)
}

// befall notes what the platform says has happened to the twin: what it knows already, or has forgotten for what is newer, it does not
// note again.
func (s *subject) befall() {
	live := &s.doc.Value.Live
	for _, o := range s.befell {
		known := len(live.Recent) == twin.MaxRecent && o.At.Before(live.Recent[0].At)
		for _, r := range live.Recent {
			known = known || r.At.Equal(o.At) && strings.HasPrefix(o.What, r.What) // which may be cut
		}
		if !known {
			s.happened(o.At, o.What)
		}
	}
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
