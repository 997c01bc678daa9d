package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A stop is why nothing is done of a run for now: people keep its device out.
type stop string

func (s stop) Error() string { return string(s) }

// stopped returns a stop while the run's twin is suspended. What is to be undone is undone all the same.
func (f *function) stopped(ctx context.Context, r *provision.Run) error {
	if r.Twin == "" || r.Outcome != "" || r.Undoing() {
		return nil
	}
	t, err := f.twins.Get(ctx, string(r.Twin))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	d := &t.Definition
	onItsWay := d.Phase == twin.Onboarding || d.Phase == twin.Provisioning
	its := t.Deleted.IsZero() && d.Type == r.Type && (r.Results.TwinReady || d.Owner == "" || d.Owner == r.Owner)
	if !d.Suspended || !onItsWay || !its {
		return nil
	}
	return stop(fmt.Sprintf("twin %s is suspended; the device comes in once it is resumed", t.ID))
}

// twinResumed takes the runs on that have stood still while their twin was suspended.
func (f *function) twinResumed(ctx context.Context, id twin.ID) error {
	page, err := f.runs.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id)})
	if err != nil {
		return err
	}
	for _, old := range page.Items {
		went := false
		_, err := f.change(ctx, old.ID, func(r *provision.Run, now time.Time) error {
			if went = r.Round == old.Round && r.Resumed("platform:twins", now); !went {
				return store.Unchanged
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !went {
			continue
		}
		if _, err := f.goOn(ctx, old.ID); err != nil {
			f.p.Log.WarnContext(ctx, "run not taken on yet", "run", old.ID, "error", err)
		}
	}
	return nil
}
