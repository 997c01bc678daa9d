package drivers

import (
	"context"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxLooked is how many times 500 instances of a type are looked at for one that uses a version.
const maxLooked = 4

// sentence carries out a verdict. A version that nobody uses any more is left as it is.
func (f *function) sentence(ctx context.Context, name, number string, d verdict) error {
	if len(d.block) == 0 {
		return nil
	}
	if !d.quarantine {
		others, err := f.othersUse(ctx, name, number, d.block)
		if err != nil {
			return err
		}
		if !others {
			d.quarantine = true
			d.reason += ", and no other twin uses it"
		}
	}
	about, err := f.concerned(ctx, name, d.block)
	if err != nil {
		return err
	}
	_, v, err := f.change(ctx, name, func(r *record, now time.Time) (*version, error) {
		v := r.version(number)
		if v == nil || v.State != api.DriverActive && v.State != api.DriverCanary {
			return nil, store.Unchanged
		}
		if d.quarantine || len(v.Blocked)+len(d.block) > maxBlocked {
			v.WasActive, v.State, v.Reason, v.Last = v.State == api.DriverActive, api.DriverQuarantined, d.reason, d.last
			v.Canary, v.Blocked, v.Led = api.Canary{}, nil, d.failures
			r.alarm(v, about, now)
			return v, nil
		}
		before := len(v.Blocked)
		v.Blocked = append(v.Blocked, d.block...)
		slices.Sort(v.Blocked)
		if v.Blocked = slices.Compact(v.Blocked); len(v.Blocked) == before {
			return nil, store.Unchanged
		}
		v.Reason, v.Last, v.Led = d.reason, d.last, d.failures
		r.alarm(v, about, now)
		return v, nil
	})
	if err != nil || v == nil {
		return err
	}
	f.p.Log.WarnContext(ctx, "a driver misbehaves", "driver", name, "version", number, "state", v.State, "blocked", len(v.Blocked), "reason", v.Reason, "last", v.Last)
	if v.State == api.DriverQuarantined {
		metrics.DriverStopped(metrics.VersionQuarantined)
		return nil
	}
	metrics.DriverStopped(metrics.TwinsBlocked)
	// What the blocked twins did is settled: others' failures are counted from here on.
	_, err = f.failures.Update(ctx, failuresID(name, number), func(v *failures) error {
		for i := range v.Minutes {
			v.Minutes[i].Failed, v.Minutes[i].Grave = 0, 0
		}
		v.Suspects = nil
		return nil
	})
	return err
}

// othersUse tells whether the version goes on for somebody if these twins are blocked, too. Where that is nobody, it is in quarantine. The
// platform's drivers go on in any case: for those who do not use them yet.
func (f *function) othersUse(ctx context.Context, name, number string, these []twin.ID) (bool, error) {
	r, err := f.drivers.Get(ctx, name)
	if err != nil || r.Owner == "" {
		return true, err
	}
	types, err := f.naming(ctx, name, maxResolve)
	for i := range types {
		if others, err := f.instancesUse(ctx, types[i].ID, name, number, these); err != nil || others {
			return others, err
		}
	}
	return false, err
}

// instancesUse is othersUse for a type. A type with very many instances is believed to have one that does.
func (f *function) instancesUse(ctx context.Context, of twin.ID, name, number string, these []twin.ID) (bool, error) {
	q := store.Query{Index: "by-type", Filter: store.Eq("definition.type", of), Limit: maxResolve, Fields: []string{"kind"}}
	for range maxLooked {
		page, err := f.twins.Find(ctx, q)
		if err != nil {
			return false, err
		}
		ids := make([]twin.ID, 0, len(page.Items))
		for _, t := range page.Items {
			if !slices.Contains(these, t.ID) {
				ids = append(ids, t.ID)
			}
		}
		used, err := f.used(ctx, ids)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(used, func(u api.UsedDriver) bool { return u.Name == name && u.Version == number && u.Parked == "" }) {
			return true, nil
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return false, nil
		}
	}
	return true, nil
}
