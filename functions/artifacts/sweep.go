package artifacts

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	objects "github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

const (
	sweepFor     = 15 * time.Second // one sweep; what is left is the next one's
	atOnce       = 100              // of each kind
	reserveFor   = time.Minute      // an artifact that has no room after that was given up by a crash
	verifyAfter  = 20 * time.Second // without progress, its content is nobody's work
	recountEvery = 10 * time.Minute
	walkEvery    = time.Minute
	walkStep     = 1000           // objects
	orphanAfter  = 24 * time.Hour // an object that no artifact names is nobody's after that
)

// sweep takes up what a crash or an outage left, ends uploads that nobody completes, removes what nobody needs, and counts
// the quotas anew. One that does not work out does not hold up the others.
func (f *function) sweep(ctx context.Context, _ *faas.Call, _ faas.None) (out api.Swept, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepFor)
	defer cancel()
	now := f.p.Time()
	var faults []error
	each := func(index string, filter store.Filter, do func(artifact) error) {
		page, err := f.artifacts.Find(ctx, store.Query{Index: index, Filter: filter, Limit: atOnce})
		faults = append(faults, err)
		for _, v := range page.Items {
			if ctx.Err() != nil {
				return
			}
			faults = append(faults, do(v))
			out.Repaired++
		}
	}
	in := func(state api.ArtifactState, since time.Duration) store.Filter {
		return store.And(store.Eq("state", state), store.Lte("since", now.Add(-since)))
	}
	each("by-state", in(reserving, reserveFor), func(v artifact) error {
		_, err := f.end(ctx, v.ID, deleted, "", func(v *artifact) bool { return v.State == reserving })
		if err == nil { // whether it took room is not known
			err = f.recount(ctx, v.Owner)
		}
		return err
	})
	each("by-state", in(api.ArtifactUploading, uploadFor), func(v artifact) error {
		return f.giveUp(ctx, v.ID)
	})
	each("by-state", in(api.ArtifactVerifying, verifyAfter), func(v artifact) error {
		_, err := f.verify(ctx, v)
		return err
	})
	// Objects of what was deleted are not due yet, but their room is.
	each("by-debt", store.Eq("owed", true), func(v artifact) error { return f.pay(ctx, v) })
	each("by-tidy", store.And(store.Gt("tidy", time.UnixMilli(0)), store.Lte("tidy", now)), func(v artifact) error { return f.tidy(ctx, v) })
	faults = append(faults, f.recounts(ctx), f.walk(ctx))
	return out, errors.Join(faults...)
}

// giveUp ends an upload that nobody completes.
func (f *function) giveUp(ctx context.Context, id string) error {
	_, err := f.end(ctx, id, api.ArtifactRefused, "it was not completed within "+uploadFor.String()+" and was given up; announce and upload it again",
		func(v *artifact) bool { return v.State == api.ArtifactUploading })
	return err
}

// overdueAfter is how late an upload may be ended, or its verification gone on with: the sweep has had its turns by then.
const overdueAfter = 2 * time.Minute

// operation is what function twin-watchdog watches: uploads until they are completed, and then until their content is verified.
func (f *function) operation() platform.Operation {
	return platform.Operations[artifact]{Kind: "artifact", C: f.artifacts, Index: "by-due", Field: "due", Grace: overdueAfter,
		Of: func(v *artifact) api.Overdue {
			return api.Overdue{ID: v.ID, Owner: v.Owner, Since: v.Due, Reason: "it is " + string(v.State)}
		}, Retry: f.goOnWith}
}

// goOnWith goes on with one artifact.
func (f *function) goOnWith(ctx context.Context, id string) error {
	v, err := f.artifacts.Get(ctx, id)
	if err != nil {
		return err
	}
	switch v.State {
	case api.ArtifactUploading:
		return f.giveUp(ctx, id)
	case api.ArtifactVerifying:
		_, err = f.verify(ctx, v)
	}
	return err
}

// recounts counts for the groups whose last count is longest ago.
func (f *function) recounts(ctx context.Context) error {
	page, err := f.quotas.Find(ctx, store.Query{Index: "by-recounted", Limit: 5, Filter: store.Lte("recounted", f.p.Time().Add(-recountEvery))})
	for _, q := range page.Items {
		err = errors.Join(err, f.recount(ctx, q.Group))
	}
	return err
}

// A walk is how far the search for objects that no artifact names has come. It is slow on purpose: what it finds was left by
// a crash in the moment between two calls of the object store.
type walk struct {
	ID    string    `bson:"_id"`
	After string    `bson:"after"` // key of the last object looked at; "" = from the beginning
	At    time.Time `bson:"at"`
}

// walk looks at the next objects, and removes those that are old and named by no artifact. An object is made after the
// document that names it, so an old one without a name will never have one.
func (f *function) walk(ctx context.Context) error {
	now := f.p.Time()
	mine := false
	w, err := f.walks.Upsert(ctx, "orphans", func(w *walk, _ bool) error {
		if mine = now.Sub(w.At) >= walkEvery || now.Before(w.At); !mine {
			return store.Unchanged
		}
		w.ID, w.At = "orphans", now
		return nil
	})
	if err != nil || !mine {
		return err
	}
	var old []string
	n, last := 0, ""
	err = f.p.Objects.ListAfter(ctx, root, w.After, func(o objects.Object) bool {
		if n++; now.Sub(o.Modified) > orphanAfter {
			old = append(old, o.Key)
		}
		last = o.Key
		return n < walkStep
	})
	if err != nil {
		return err
	}
	for _, key := range old {
		if err := f.remove(ctx, key); err != nil {
			return err
		}
	}
	if n < walkStep {
		last = ""
	}
	_, err = f.walks.Update(ctx, "orphans", func(w *walk) error {
		w.After = last
		return nil
	})
	return err
}
