package alerts

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mrand "math/rand/v2"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"golang.org/x/sync/errgroup"
)

const (
	// maxRun is how long one scheduled run begins new attempts.
	maxRun = 20 * time.Second

	// attemptFor bounds one attempt; leaseFor, how long it belongs to who began it, is longer, so that two never overlap.
	attemptFor = 10 * time.Second
	leaseFor   = time.Minute

	// After a failure the next attempt waits firstWait, then twice as long each time up to longestWait, for giveUpAfter in all.
	firstWait   = 5 * time.Second
	longestWait = 15 * time.Minute
	giveUpAfter = 24 * time.Hour

	maxDue      = 1000 // deliveries of one run
	maxAtOnce   = 16   // routes served at once
	maxReason   = 300  // characters
	afterRaised = time.Second
)

// errForGood marks a failure that trying again will not mend.
var errForGood = errors.New("refused for good")

// schedule sends what is due. Leases keep two runs, or a run that is fired twice, from sending the same.
func (f *function) schedule(ctx context.Context, _ time.Time) error {
	page, err := f.deliveries.Find(ctx, store.Query{Index: "by-next", Limit: maxDue, Fields: []string{"route", "raised", "created"},
		Filter: store.And(store.Gt("next", time.UnixMilli(0)), store.Lte("next", f.p.Time()))})
	if err != nil {
		return err
	}
	begin := time.Now()
	var g errgroup.Group
	g.SetLimit(maxAtOnce)
	for _, ds := range byRoute(page.Items) {
		g.Go(func() error {
			// One after the other for one receiver, oldest first; one that does not answer keeps only its own waiting.
			for _, d := range ds {
				ok, err := f.send(ctx, d.ID)
				if err != nil {
					return err
				}
				if !ok || time.Since(begin) > maxRun {
					break
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// byRoute groups what is due by receiver, in the order in which it came up.
func byRoute(due []delivery) map[string][]delivery {
	slices.SortStableFunc(due, func(a, b delivery) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return cmp.Compare(rank(b), rank(a))
	})
	groups := map[string][]delivery{}
	for _, d := range due {
		groups[d.Route] = append(groups[d.Route], d)
	}
	return groups
}

// rank puts an alarm's beginning before its end.
func rank(d delivery) int {
	if d.Raised {
		return 1
	}
	return 0
}

// send makes one attempt, if it is time and nobody else does. It tells whether the receiver may get the next one.
func (f *function) send(ctx context.Context, id string) (ok bool, err error) {
	lease, mine := rand.Text(), false
	d, err := f.deliveries.Update(ctx, id, func(d *delivery) error {
		now := f.p.Time()
		mine = d.State == pending && !d.Next.After(now)
		if !mine {
			return store.Unchanged
		}
		d.Lease, d.Next = lease, now.Add(leaseFor)
		return nil
	})
	if err != nil || !mine {
		return true, err
	}
	ctx = trace.With(ctx, d.Trace)
	wait, failure := f.afterBeginning(ctx, &d)
	if failure == nil && wait.IsZero() {
		failure = f.attempt(ctx, &d)
		f.log(ctx, &d, failure)
	}
	// Whether it went out must be kept even if the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, err = f.deliveries.Update(ctx, id, func(v *delivery) error {
		if v.Lease != lease {
			return store.Unchanged // the lease ran out; it is another's
		}
		v.Lease = ""
		if !wait.IsZero() {
			v.Next = wait
			return nil
		}
		v.settle(failure, f.p.Time())
		return nil
	})
	return failure == nil, err
}

// log tells of an attempt. Who was told is in the delivery; an address does not belong into a log.
func (f *function) log(ctx context.Context, d *delivery, failure error) {
	if failure != nil {
		f.p.Log.WarnContext(ctx, "people not told", "function", f.p.Part, "delivery", d.ID, "attempt", d.Attempts+1, "error", line(failure.Error(), maxReason))
		return
	}
	f.p.Log.InfoContext(ctx, "people told", "function", f.p.Part, "delivery", d.ID, "attempt", d.Attempts+1)
}

// afterBeginning is when to try again, because people are to hear of an alarm's beginning before they hear of its end.
func (f *function) afterBeginning(ctx context.Context, d *delivery) (wait time.Time, err error) {
	if d.Raised {
		return wait, nil
	}
	first, err := f.deliveries.Get(ctx, d.raisedID())
	if errors.Is(err, store.ErrNotFound) || err == nil && first.State != pending {
		return wait, nil
	}
	return first.Next.Add(afterRaised), err
}

// attempt sends d once.
func (f *function) attempt(ctx context.Context, d *delivery) error {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	r, err := f.routes.Get(ctx, d.Route)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: the route was deleted", errForGood)
	case err != nil:
		return err
	case d.To != "":
		return f.mail(ctx, d)
	}
	return f.call(ctx, d, &r)
}

// settle records how an attempt ended.
func (d *delivery) settle(failure error, now time.Time) {
	d.Attempts++
	switch {
	case failure == nil:
		d.State, d.Reason, d.Sent, d.Next = sent, "", now, time.Time{}
	case errors.Is(failure, errForGood) || now.Sub(d.Created) >= giveUpAfter:
		d.State, d.Reason, d.Next = failed, line(failure.Error(), maxReason), time.Time{}
	default:
		d.Reason, d.Next = line(failure.Error(), maxReason), now.Add(backoff(d.Attempts))
	}
	if d.State != pending {
		d.Subject, d.Text, d.Body = "", "", nil
	}
}

// backoff is how long to wait after so many attempts, spread so that what failed together does not come back together.
func backoff(attempts int) time.Duration {
	wait := min(float64(longestWait), float64(firstWait)*math.Pow(2, float64(attempts-1)))
	return time.Duration(wait * (0.75 + mrand.Float64()/2)).Truncate(time.Millisecond)
}
