package twinprovision

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	maxWaiting = 10_000 // devices that wait; as many may be banned
	maxOfClaim = 20     // that wait with one claim
	waitingFor = 30 * 24 * time.Hour
	countedFor = 5 * time.Second
)

// A waiting is an unknown device as it is stored.
type waiting struct {
	api.Waiting `bson:",inline"`

	// Key is the SHA-256 of the device's key, of which the id is made; CSR or PublicKey is that key.
	Key       string `bson:"key"`
	CSR       string `bson:"csr,omitempty"`
	PublicKey string `bson:"publicKey,omitempty"`
	Kind      string `bson:"kind,omitempty"`

	// Register is set where its admission is to make its identity known, Settled once all is made that its admission needs.
	Register bool `bson:"register,omitempty"`
	Settled  bool `bson:"settled,omitempty"`

	// Asked is set where it asked with a claim: its admission needs none.
	Asked bool `bson:"asked,omitempty"`

	Outbox event.Outbox `bson:"outbox"`
}

var waitingIndexes = []store.Index{
	{Name: "by-state", Fields: []string{"state", "last"}},
	{Name: "by-last", Fields: []string{"last"}},
	{Name: "by-claim", Fields: []string{"claim", "state"}},
	{Name: "by-outbox", Fields: []string{"outbox.since"}},
}

// openWaiting opens the waiting list, and the serials that runs without a request of a device have taken.
func (f *function) openWaiting(ctx context.Context) (err error) {
	if f.list, err = store.Open[waiting](ctx, f.p.DB, store.Spec{Name: "waiting", Schema: 1, Indexes: waitingIndexes}); err != nil {
		return err
	}
	f.news = platform.Outbox[waiting]{P: f.p, C: f.list, Index: "by-outbox", Field: "outbox.since",
		Of: func(w *waiting) (string, *event.Outbox) { return w.ID, &w.Outbox }}
	f.serials, err = store.Open[taken](ctx, f.p.DB, store.Spec{Name: "run-serials", Schema: 1})
	return err
}

var waitingID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// likeliest is the type that the device is likeliest of; "" if there is no guess.
func (w *waiting) likeliest() twin.TypeID {
	if len(w.Guess) == 0 {
		return ""
	}
	return w.Guess[0].Type
}

// tell puts into the entry's outbox that it has begun to wait, or that people have decided about it. The newest says it all.
func (f *function) tell(ctx context.Context, w *waiting, now time.Time) {
	w.Outbox.Pending = nil
	w.Outbox.Add(w.ID, event.ProvisionWaiting, w.ID, now, f.summaryOf(ctx, w))
	w.Outbox.Mark(trace.Of(ctx))
}

func (f *function) summaryOf(ctx context.Context, w *waiting) api.WaitingChanged {
	counts, err := f.counts(ctx)
	if err != nil {
		f.p.Log.WarnContext(ctx, "waiting devices not counted", "error", err)
	}
	return api.WaitingChanged{ID: w.ID, State: w.State, Serial: w.Serial, Model: w.Model, Guess: w.likeliest(), Last: w.Last, Counts: counts}
}

// changeWaiting changes an entry by compare-and-swap, and tells of it.
func (f *function) changeWaiting(ctx context.Context, id string, do func(w *waiting, now time.Time) error) (waiting, error) {
	var no error
	w, err := f.list.Update(ctx, id, func(w *waiting) error {
		now, before := f.p.Time(), w.State
		if no = do(w, now); no != nil {
			return no
		}
		if w.State != before {
			f.tally.move(before, w.State)
		}
		f.tell(ctx, w, now)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return w, platform.NotFound("waiting device", id)
	}
	if err != nil && no != nil {
		return w, no // in its own words
	}
	if err == nil {
		f.flush(ctx, w)
	}
	return w, err
}

func (f *function) flush(ctx context.Context, w waiting) {
	if err := f.news.Flush(ctx, w); err != nil {
		f.p.Log.WarnContext(ctx, "news of a waiting device not published yet", "device", w.ID, "error", err)
	}
}

// A tally is how many devices are in each state. It is counted anew every few seconds, and kept in between: a flood of knocks must
// not make each of them a count.
type tally struct {
	mu sync.Mutex
	at time.Time
	n  map[string]int
}

func (t *tally) move(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n != nil {
		t.n[from], t.n[to] = max(t.n[from]-1, 0), t.n[to]+1
	}
}

func (f *function) counts(ctx context.Context) (api.WaitingCounts, error) {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	if now := f.p.Time(); f.tally.n == nil || now.Sub(f.tally.at) >= countedFor || now.Before(f.tally.at) {
		n, err := f.list.GroupCount(ctx, store.Filter{}, "by-state", "state")
		if err != nil {
			return api.WaitingCounts{}, err
		}
		f.tally.n, f.tally.at = n, now
	}
	n := f.tally.n
	return api.WaitingCounts{Waiting: n[api.WaitingNow], Admitted: n[api.WaitingAdmitted], Banned: n[api.WaitingBanned]}, nil
}

// makeRoom drops the device that was not seen for longest if as many wait as there is room for.
func (f *function) makeRoom(ctx context.Context) error {
	counts, err := f.counts(ctx)
	if err != nil || counts.Waiting < maxWaiting {
		return err
	}
	return f.drop(ctx, counts.Waiting-maxWaiting+1)
}

func (f *function) drop(ctx context.Context, n int) error {
	n, err := f.list.DeleteRange(ctx, store.Query{Index: "by-state", Filter: store.Eq("state", api.WaitingNow), Limit: min(n, store.MaxLimit)})
	metrics.GaveWay(n)
	for range n {
		f.tally.move(api.WaitingNow, "")
	}
	return err
}

// sweepWaiting publishes what was not, forgets devices that were not seen for long, and keeps the list within its bound.
func (f *function) sweepWaiting(ctx context.Context) (int, error) {
	now := f.p.Time()
	n, err := f.news.Sweep(ctx, now.Add(-sweepAfter))
	var old error
	for _, state := range []string{api.WaitingNow, api.WaitingAdmitted} {
		_, err := f.list.DeleteRange(ctx, store.Query{Index: "by-state", Filter: store.And(store.Eq("state", state), store.Lt("last", now.Add(-waitingFor)))})
		old = errors.Join(old, err)
	}
	waiting, countErr := f.list.Count(ctx, store.Eq("state", api.WaitingNow), "by-state")
	if countErr == nil && waiting > maxWaiting {
		countErr = f.drop(ctx, waiting-maxWaiting)
	}
	return n, errors.Join(err, old, countErr)
}

// listWaiting pages through the list, those seen last first.
func (f *function) listWaiting(ctx context.Context, c *faas.Call, _ faas.None) (api.WaitingPage, error) {
	out := api.WaitingPage{Items: []api.Waiting{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Index: "by-last", Reverse: true, Limit: limit, Cursor: c.Query.Get("cursor")}
	switch state := c.Query.Get("state"); state {
	case "":
	case api.WaitingNow, api.WaitingAdmitted, api.WaitingBanned:
		q.Index, q.Filter = "by-state", store.Eq("state", state)
	default:
		return out, api.Invalid("state %.40q must be waiting, admitted or banned", state)
	}
	page, err := f.list.Find(ctx, q)
	if err != nil {
		return out, err
	}
	for _, w := range page.Items {
		out.Items = append(out.Items, w.Waiting)
	}
	out.Next = page.Next
	out.Counts, err = f.counts(ctx)
	return out, err
}

func (f *function) getWaiting(ctx context.Context, c *faas.Call, _ faas.None) (api.Waiting, error) {
	id := c.Var("id")
	w, err := f.list.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return api.Waiting{}, platform.NotFound("waiting device", id)
	}
	return w.Waiting, err
}

// forget takes a device from the list. That is told at once or not at all: what would remember it is gone.
func (f *function) forget(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := c.Var("id")
	missing := platform.NotFound("waiting device", id)
	if !waitingID.MatchString(id) {
		return faas.None{}, missing
	}
	w, err := f.list.Get(ctx, id)
	if err == nil {
		err = f.list.Delete(ctx, id)
	}
	if errors.Is(err, store.ErrNotFound) {
		return faas.None{}, missing
	} else if err != nil {
		return faas.None{}, err
	}
	metrics.DecidedBy("forgotten", 1)
	f.tally.move(w.State, "")
	w.State = ""
	f.tell(ctx, &w, f.p.Time())
	if err := f.p.Bus.Publish(ctx, w.Outbox.Pending...); err != nil {
		f.p.Log.WarnContext(ctx, "news of a waiting device not published", "device", id, "error", err)
	}
	return faas.None{}, nil
}
