package platform

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/store"
	"golang.org/x/sync/errgroup"
)

// LeaseFor is how long a document is believed to be worked on without a word of it.
const LeaseFor = time.Minute

const (
	leaseRun   = 10 * time.Second // how long one run stays at one document; the next goes on
	leaseWork  = LeaseFor * 3 / 4 // after which what a run is at is cut off, because others may soon take the document
	leasePause = 30 * time.Second // at most, before what is away is asked for again
	leaseNote  = 5 * time.Second  // for the word that something is away, which may be why
	maxReason  = 300              // bytes
	waits      = "waits: "        // how the reason of what cannot go on for now begins
)

// ErrTaken: the document was believed to be left, and somebody else has taken it, or it has ended.
var ErrTaken = errors.New("somebody else works on it now, or it has ended")

// A Lease is the part of a document that says who works on what the document stands for, which takes longer than a call. Any
// instance goes on with it: it takes the lease, does some work, and notes that in the document, each by a compare-and-swap.
type Lease struct {
	// Due is when somebody is to take it on: in the future while somebody works on it, the zero time when it has ended.
	Due time.Time `bson:"due,omitempty"`

	// Holder is who took it last; nobody else's work counts.
	Holder string `bson:"holder,omitempty"`

	// Worked is when it last went on, the zero time when it has ended: the watchdog goes by it.
	Worked time.Time `bson:"worked,omitempty"`

	// Tries counts how often it was in vain since it last went on.
	Tries int `bson:"tries,omitempty"`
}

// NewLease is the lease of what is to begin at once.
func NewLease(now time.Time) Lease { return Lease{Due: now, Worked: now} }

// End notes that there is nothing to do any more, so that whoever holds the lease is stopped.
func (l *Lease) End() { *l = Lease{} }

// Leases are those of the documents of one collection.
type Leases[T any] struct {
	P    *Platform
	C    *store.Collection[T]
	Kind string // for the log, "job"

	// Of returns a document's id and lease, and where it says for what it waits.
	Of func(*T) (id string, l *Lease, reason *string)
}

// Work is what one run does with one document.
type Work[T any] struct {
	// Begin notes in the document that it is worked on. Of one that does not exist it makes it, or returns store.ErrNotFound.
	Begin func(doc *T, exists bool) error

	// Step does something, and notes it by Held.Note. It is called again until the document has ended. What it returns as an
	// error is waited for.
	Step func(ctx context.Context, h *Held[T]) error

	// Waits, if it is given, notes more of a document that waits, because of why.
	Waits func(doc *T, why error)
}

// Held is a document whose lease this run has.
type Held[T any] struct {
	Doc T // as it was noted last

	leases Leases[T]
	holder string
}

// Due finds at most n documents whose time has come, those that have waited longest first, and has all worked on at once. Index
// "by-due" is over field "due". It returns how many there were.
func (l Leases[T]) Due(ctx context.Context, n int, goOn func(ctx context.Context, id string) error) (int, error) {
	page, err := l.C.Find(ctx, store.Query{Index: "by-due", Limit: n, Fields: []string{"due"},
		Filter: store.And(store.Gt("due", time.UnixMilli(0)), store.Lte("due", l.P.Time()))})
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	errs := make([]error, len(page.Items))
	for i := range page.Items {
		id, _, _ := l.Of(&page.Items[i])
		g.Go(func() error { errs[i] = goOn(ctx, id); return nil })
	}
	_ = g.Wait()
	return len(page.Items), errors.Join(errs...)
}

// GoOn makes a document this run's, if it is due, and goes on with it until it ends, must wait, or time is up. It returns the
// document as this run left it, or as it is where it is not this run's.
func (l Leases[T]) GoOn(ctx context.Context, id string, w Work[T]) (T, error) {
	h := Held[T]{leases: l, holder: NewID("run")}
	if mine, err := h.take(ctx, id, w.Begin); err != nil || !mine {
		return h.Doc, err
	}
	// What a suspended process does after others have taken the document must end before it confuses them.
	working, cancel := context.WithTimeout(ctx, leaseWork)
	defer cancel()
	var err error
	for until := time.Now().Add(leaseRun); err == nil && h.holds(); {
		if time.Now().After(until) {
			err = h.write(ctx, func(_ *T, lease *Lease, now time.Time) { lease.Due, lease.Holder = now, "" })
			break
		}
		err = w.Step(working, &h)
	}
	if err != nil && !errors.Is(err, ErrTaken) {
		l.P.Log.WarnContext(ctx, l.Kind+" waits", "function", l.P.Part, l.Kind, id, "error", err)
		err = h.wait(ctx, err, w.Waits)
	}
	if errors.Is(err, ErrTaken) {
		err = nil
	}
	return h.Doc, err
}

// take makes the document this run's, if it is due; it tells whether it is.
func (h *Held[T]) take(ctx context.Context, id string, begin func(*T, bool) error) (bool, error) {
	var err error
	h.Doc, err = h.leases.C.Upsert(ctx, id, func(doc *T, exists bool) error {
		now := h.leases.P.Time()
		_, lease, _ := h.leases.Of(doc)
		if exists && (lease.Due.IsZero() || lease.Due.After(now)) {
			return store.Unchanged // it has ended, or somebody else was faster
		}
		if err := begin(doc, exists); err != nil {
			return err
		}
		lease.Holder, lease.Due = h.holder, now.Add(LeaseFor)
		return nil
	})
	return h.holds(), err
}

func (h *Held[T]) holds() bool {
	_, lease, _ := h.leases.Of(&h.Doc)
	return lease.Holder == h.holder
}

// Note notes that the document has gone on, and for nothing waits any more. It returns ErrTaken where it is not this run's any more.
func (h *Held[T]) Note(ctx context.Context, change func(doc *T, now time.Time)) error {
	return h.write(ctx, func(doc *T, lease *Lease, now time.Time) {
		_, _, reason := h.leases.Of(doc)
		if lease.Tries > 0 {
			*reason = ""
		}
		lease.Worked, lease.Tries = now, 0
		change(doc, now)
	})
}

// Prepare is Note of what brings the document no further yet: if nothing comes of it, the watchdog is to see that.
func (h *Held[T]) Prepare(ctx context.Context, change func(doc *T)) error {
	return h.write(ctx, func(doc *T, _ *Lease, _ time.Time) { change(doc) })
}

// wait leaves the document for a while, because something that it needs is away.
func (h *Held[T]) wait(ctx context.Context, why error, more func(*T, error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseNote)
	defer cancel()
	return h.write(ctx, func(doc *T, lease *Lease, now time.Time) {
		lease.Tries++
		lease.Due, lease.Holder = now.Add(min(time.Duration(lease.Tries)*time.Second, leasePause)), ""
		_, _, reason := h.leases.Of(doc)
		text := waits + h.leases.P.Problem(why).Error()
		*reason = strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
		if more != nil {
			more(doc, why)
		}
	})
}

// write is a write of whoever has the lease.
func (h *Held[T]) write(ctx context.Context, change func(doc *T, lease *Lease, now time.Time)) error {
	id, _, _ := h.leases.Of(&h.Doc)
	doc, err := h.leases.C.Update(ctx, id, func(doc *T) error {
		_, lease, _ := h.leases.Of(doc)
		if lease.Holder != h.holder {
			return ErrTaken
		}
		now := h.leases.P.Time()
		lease.Due = now.Add(LeaseFor)
		change(doc, lease, now)
		return nil
	})
	if err == nil {
		h.Doc = doc
	}
	return err
}
