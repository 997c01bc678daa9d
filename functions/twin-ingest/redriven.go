package twiningest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one call of redriven.
const (
	maxItems  = 200
	maxOfItem = 500 // messages that one parked message has become
)

// A redriven item is a parked message and what it has become.
type redrivenItem struct {
	parked   *store.Doc[api.ParkedMessage]
	messages []telemetry.Message
	reason   string
}

// redriven takes messages that parked ones have become as a batch takes what devices say: history first, then the twin with all
// that follows, and the parked ones are deleted last. Whatever fails or crashes in it, the same call can be made again. What is no
// longer parked is passed over.
func (f *function) redriven(ctx context.Context, _ *faas.Call, in api.Redriven) (faas.None, error) {
	if err := checkRedriven(&in); err != nil {
		return faas.None{}, err
	}
	docs, err := f.twins.Load(ctx, []string{string(in.Twin)})
	if err != nil {
		return faas.None{}, err
	}
	doc := docs[0]
	switch {
	case doc == nil || doc.Value.Kind != twin.Instance || !doc.Value.Deleted.IsZero():
		return faas.None{}, platform.NotFound("twin", string(in.Twin))
	case doc.Value.Definition.Phase == twin.Retired:
		return faas.None{}, fmt.Errorf("%w: twin %s is retired; what is parked of it stays", api.ErrConflict, in.Twin)
	}
	items, err := f.stillParked(ctx, &in)
	if err != nil {
		return faas.None{}, err
	}
	b := &batch{f: f, now: f.p.Time(), trace: trace.Of(ctx)}
	s := &subject{id: in.Twin, doc: doc, again: true}
	read, failed := b.again(s, items)
	if err := f.giveReasons(ctx, failed); err != nil || len(read) == 0 {
		return faas.None{}, err
	}
	if s.left, err = f.leftOf(ctx, &doc.Value, len(read)); err != nil {
		return faas.None{}, err
	}
	b.subjects = []*subject{s}
	for _, do := range []func(context.Context) error{b.learn, b.keep, b.settle} {
		if err := do(ctx); err != nil {
			return faas.None{}, err
		}
	}
	if i := slices.IndexFunc(b.outcomes, func(o telemetry.Outcome) bool { return o != telemetry.Stored }); i >= 0 {
		return faas.None{}, fmt.Errorf("%w: %d messages of twin %s were not all taken, one is to be %s", api.ErrUnavailable, len(b.messages), in.Twin, b.outcomes[i])
	}
	metrics.Ingested("redriven", len(b.messages))
	_, err = f.parked.DeleteRange(ctx, store.Query{Filter: store.In("_id", read...), Limit: len(read)})
	return faas.None{}, err
}

func checkRedriven(in *api.Redriven) error {
	if err := in.Twin.Valid(); err != nil {
		return fmt.Errorf("twin: %w", err)
	}
	if n := len(in.Items); n == 0 || n > maxItems {
		return api.Invalid("items has %d entries, 1 to %d are taken", n, maxItems)
	}
	total := 0
	for i := range in.Items {
		n := len(in.Items[i].Messages)
		if total += n; n > maxOfItem || total > telemetry.MaxBatch {
			return api.Invalid("items[%d].messages has %d entries and all until there %d; at most %d and %d are taken: send fewer items", i, n, total, maxOfItem, telemetry.MaxBatch)
		}
	}
	return nil
}

// stillParked are the items whose messages are parked yet, in the order in which they came.
func (f *function) stillParked(ctx context.Context, in *api.Redriven) ([]redrivenItem, error) {
	ids := make([]string, len(in.Items))
	for i := range in.Items {
		ids[i] = in.Items[i].ID
	}
	parked, err := f.parked.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	var items []redrivenItem
	seen := map[string]bool{}
	for i, p := range parked {
		if p != nil && p.Value.Twin == in.Twin && !seen[ids[i]] {
			seen[ids[i]] = true
			items = append(items, redrivenItem{p, in.Items[i].Messages, in.Items[i].Reason})
		}
	}
	slices.SortStableFunc(items, func(a, b redrivenItem) int {
		x, y := &a.parked.Value, &b.parked.Value
		return cmp.Or(x.Received.Compare(y.Received), cmp.Compare(x.Order.Epoch, y.Order.Epoch), cmp.Compare(x.Order.Seq, y.Order.Seq))
	})
	return items, nil
}

// again makes the items' messages the batch's, as if they had been read when they came. It returns the ids of those that are, and the
// others with their new reasons.
func (b *batch) again(s *subject, items []redrivenItem) (read []string, failed []redrivenItem) {
	for _, item := range items {
		p := &item.parked.Value
		made := make([]telemetry.Message, len(item.messages))
		for k := range item.messages {
			m := &made[k]
			*m = telemetry.Message{Twin: p.Twin, Generation: p.Generation, Kind: item.messages[k].Kind, Time: cut(item.messages[k].Time), Received: p.Received,
				Order: p.Order, Session: p.Session, Gateway: p.Gateway, Samples: item.messages[k].Samples}
			if m.Order.Assigned {
				m.Order.Seq += int64(k) // the connector has left room for what one payload becomes
			}
			var err error
			switch {
			case !m.Order.Assigned && len(made) > 1:
				err = api.Invalid("its device has given it one number, and it became %d messages", len(made))
			case !readable(m.Kind):
				err = api.Invalid("kind %.40q of what it became must be telemetry or state", m.Kind)
			default:
				err = wellFormed(m)
			}
			if err != nil {
				item.messages, item.reason = nil, fmt.Sprintf("message %d of what it became cannot be taken: %v", k+1, err)
				break
			}
		}
		if len(item.messages) == 0 {
			failed = append(failed, item)
			continue
		}
		read = append(read, p.ID)
		for _, m := range made {
			s.messages = append(s.messages, len(b.messages))
			b.messages, b.origin = append(b.messages, m), append(b.origin, p)
		}
	}
	b.outcomes, b.fresh, b.ids = make([]telemetry.Outcome, len(b.messages)), make([]bool, len(b.messages)), make([]string, len(b.messages))
	return read, failed
}

// giveReasons writes why messages stay parked. One that somebody else has changed meanwhile keeps what it has.
func (f *function) giveReasons(ctx context.Context, items []redrivenItem) error {
	var changed []*store.Doc[api.ParkedMessage]
	for _, item := range items {
		reason := clip(item.reason, maxReason)
		if p := item.parked; reason != "" && p.Value.Reason != reason {
			p.Value.Reason = reason
			changed = append(changed, p)
		}
	}
	errs, err := f.parked.ReplaceMany(ctx, changed)
	if err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// maxCounted is how many parked messages of a twin are counted to put its own count right.
const maxCounted = 1000

// leftOf tells how many messages a twin's own count has parked once fewer of them are not any more. That count may have missed some in
// crashes, and this call may be a second one: where few are left they are counted.
func (f *function) leftOf(ctx context.Context, t *twin.Twin, fewer int) (func(held int64) int64, error) {
	if t.Live.Parked > maxCounted {
		return func(held int64) int64 { return max(held-int64(fewer), 0) }, nil
	}
	n, err := f.parked.Count(ctx, store.Eq("twin", t.ID), "by-twin")
	return func(int64) int64 { return int64(n - fewer) }, err
}
