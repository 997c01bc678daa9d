package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
)

// A taken is a serial that a run has which did not know it when it began: its own id is not made of it.
type taken struct {
	ID  string    `bson:"_id"` // runID of type and serial
	Run string    `bson:"run"`
	At  time.Time `bson:"at"`
}

// takenFor is how long a serial is a run's that has not noted it: whoever took it for that died.
const takenFor = time.Minute

// take makes a serial a run's, unless it is another's. Both look after they have written: of two that begin at once at most one goes
// on.
func (f *function) take(ctx context.Context, r *provision.Run, serial string) error {
	id := runID(r.Type, serial)
	if id == r.ID {
		return nil
	}
	var no error
	_, err := f.serials.Upsert(ctx, id, func(t *taken, exists bool) error {
		no = nil
		if exists && t.Run != r.ID {
			if no = f.holds(ctx, t, serial); no != nil {
				return no
			}
		}
		t.Run, t.At = r.ID, f.p.Time()
		return nil
	})
	if err != nil && no != nil {
		err = no // in its own words
	}
	if err != nil {
		return err
	}
	own, err := f.runs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && own.Outcome == provision.Rejected {
		return nil
	}
	if err == nil {
		err = taking(&own)
		_ = f.serials.DeleteIf(ctx, id, store.Eq("run", r.ID)) // it ends by itself otherwise
	}
	return err
}

// free returns nil if no other run than r has the serial that id is made of.
func (f *function) free(ctx context.Context, id, run, serial string) error {
	t, err := f.serials.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Run == run {
		return nil
	} else if err != nil {
		return err
	}
	return f.holds(ctx, &t, serial)
}

// holds returns why a serial that a run took is still that run's; nil if it is not.
func (f *function) holds(ctx context.Context, t *taken, serial string) error {
	r, err := f.runs.Get(ctx, t.Run)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case f.idle(t, &r):
		return nil
	}
	r.Request.Serial = serial
	return taking(&r)
}

// idle tells whether a serial that run r took is not that run's any more, or never came to be.
func (f *function) idle(t *taken, r *provision.Run) bool {
	return r.Outcome == provision.Rejected || runID(r.Type, r.Request.Serial) != t.ID && f.p.Time().Sub(t.At) > takenFor
}

// release gives a serial back that a decision took which was refused then, unless the run has noted it by another one.
func (f *function) release(ctx context.Context, run, serial string) {
	r, err := f.runs.Get(ctx, run)
	if err != nil || serial == "" || r.Request.Serial == serial {
		return
	}
	_ = f.serials.DeleteIf(ctx, runID(r.Type, serial), store.Eq("run", run)) // it ends by itself otherwise
}

// maxSwept is how many serials one sweep looks at; the next one goes on there.
const maxSwept = 500

// sweepSerials forgets serials that are no run's any more.
func (f *function) sweepSerials(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	page, err := f.serials.Find(ctx, store.Query{Limit: maxSwept, Cursor: f.swept})
	if f.swept = page.Next; err != nil {
		return err
	}
	for _, t := range page.Items {
		r, err := f.runs.Get(ctx, t.Run)
		gone := errors.Is(err, store.ErrNotFound)
		if err != nil && !gone {
			return err
		}
		if !gone && !f.idle(&t, &r) {
			continue
		}
		if err := f.serials.DeleteIf(ctx, t.ID, store.And(store.Eq("run", t.Run), store.Lte("at", t.At))); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// A takenError says that a run has the serial. Which one only those are told who may see it.
type takenError struct{ run provision.Run }

func taking(r *provision.Run) error { return &takenError{*r} }

func (e *takenError) Unwrap() error { return api.ErrConflict }

func (e *takenError) Error() string {
	if e.run.Outcome == provision.Completed {
		return fmt.Sprintf("%v: serial %s is provisioned already; its run must be reset to enrol the device anew (castor run reset RUN)", api.ErrConflict, e.run.Request.Serial)
	}
	return fmt.Sprintf("%v: serial %s is being provisioned already, by another run", api.ErrConflict, e.run.Request.Serial)
}

// named adds to a takenError which run it is, if the caller may see that.
func (f *function) named(ctx context.Context, c access.Caller, err error) error {
	var t *takenError
	if !errors.As(err, &t) {
		return err
	}
	if _, no := f.find(ctx, c, access.Read, t.run.ID); no != nil {
		return err
	}
	return fmt.Errorf("%w: run %s", err, t.run.ID)
}
