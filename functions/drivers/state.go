package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

const maxReason = 500 // bytes

// decided changes the version of the path for a caller who may write its driver.
func (f *function) decided(ctx context.Context, c *faas.Call, decide func(*record, *version, time.Time) error) (api.DriverVersion, error) {
	name, number := c.Var("name"), c.Var("version")
	if _, _, err := f.findVersion(ctx, c.Caller, access.Write, name, number); err != nil {
		return api.DriverVersion{}, err
	}
	_, v, err := f.change(ctx, name, func(r *record, now time.Time) (*version, error) {
		v := r.version(number)
		if v == nil || !mayWrite(c.Caller, r.Owner) { // deleted, or made anew by another group
			return nil, fmt.Errorf("%w: version %s of driver %s was deleted meanwhile", api.ErrConflict, number, name)
		}
		return v, decide(r, v, now)
	})
	if err != nil {
		return api.DriverVersion{}, err
	}
	return v.DriverVersion, nil
}

// promote makes a version active for all devices whose firmware it is for. What was held against it is forgotten: the twins that it
// was blocked for are read by it again.
func (f *function) promote(ctx context.Context, c *faas.Call, _ faas.None) (api.DriverVersion, error) {
	return f.decided(ctx, c, func(_ *record, v *version, _ time.Time) error {
		return f.use(ctx, v, api.DriverActive, api.Canary{})
	})
}

// use begins a version's use anew. Its failures are counted from here on, so that those of before do not end it at once.
func (f *function) use(ctx context.Context, v *version, state api.DriverState, canary api.Canary) error {
	v.State, v.Canary, v.WasActive, v.Reason, v.Last, v.Blocked, v.Led = state, canary, false, "", "", nil, 0
	err := f.failures.Delete(ctx, failuresID(v.Name, v.Version))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// withdraw takes a version away from its devices; without one named, the newest that is used.
func (f *function) withdraw(ctx context.Context, c *faas.Call, in api.Because) (api.DriverVersion, error) {
	name, number := c.Var("name"), c.Query.Get("version")
	if len(in.Reason) > maxReason || !utf8.ValidString(in.Reason) {
		return api.DriverVersion{}, api.Invalid("reason must be at most %d bytes of UTF-8", maxReason)
	}
	if _, err := f.find(ctx, c.Caller, access.Write, name); err != nil {
		return api.DriverVersion{}, err
	}
	_, v, err := f.change(ctx, name, func(r *record, _ time.Time) (*version, error) {
		if !mayWrite(c.Caller, r.Owner) {
			return nil, fmt.Errorf("%w: driver %s was made anew by another group meanwhile", api.ErrConflict, name)
		}
		var v *version
		for i := range r.All {
			if number == "" && r.All[i].used() || number != "" && r.All[i].Version == number {
				v = &r.All[i]
				break
			}
		}
		switch {
		case v == nil && number != "":
			return nil, api.Invalid("version: driver %s has no version %.80q", name, number)
		case v == nil:
			return nil, fmt.Errorf("%w: no device uses a version of driver %s", api.ErrConflict, name)
		case v.State == api.DriverDraft:
			return nil, fmt.Errorf("%w: version %s is a draft, which no device uses; delete it if it is not wanted", api.ErrConflict, v.Version)
		}
		v.State, v.Canary, v.WasActive, v.Blocked, v.Reason, v.Last = api.DriverWithdrawn, api.Canary{}, false, nil, in.Reason, ""
		v.Led = 0
		return v, nil
	})
	if err != nil {
		return api.DriverVersion{}, err
	}
	return v.DriverVersion, nil
}

// deleteVersion deletes a version that no device uses; the last one takes the driver with it. Its name stays its owner's, and its key
// the one that it was signed with: types may name it yet, and must not get to use what others publish under it.
func (f *function) deleteVersion(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	name, number := c.Var("name"), c.Var("version")
	was, v, err := f.findVersion(ctx, c.Caller, access.Write, name, number)
	if err != nil {
		return faas.None{}, err
	}
	if err := f.unnamed(ctx, c.Caller, &was, number); err != nil {
		return faas.None{}, err
	}
	// From here on the sweep removes the content, unless the version turns out to stay.
	kept, err := f.contents.Update(ctx, v.Content, func(k *content) error { k.Pending = f.p.Time(); return nil })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return faas.None{}, err
	}
	there := err == nil
	r, err := f.drivers.Update(ctx, name, func(r *record) error {
		v := r.version(number)
		switch {
		case v == nil:
			return store.Unchanged
		case v.used():
			return fmt.Errorf("%w: version %s is %s; withdraw it first", api.ErrConflict, number, v.State)
		}
		r.All = slices.DeleteFunc(r.All, func(v version) bool { return v.Version == number })
		if len(r.All) > 0 {
			r.Title = r.All[0].Title
		} else {
			r.Scope = scopeOfGone
		}
		r.Updated = f.p.Time()
		r.clear(r.Updated)
		return nil
	})
	if err != nil {
		if there {
			err = errors.Join(err, f.named(ctx, kept, nil))
		}
		return faas.None{}, err
	}
	f.told(ctx, r)
	return faas.None{}, f.clean(ctx, kept, there)
}

func (f *function) clean(ctx context.Context, kept content, there bool) error {
	if !there {
		return nil
	}
	return f.drop(ctx, kept)
}
