package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/store"
)

// addShipped has the documents that come with the platform in the registry: as its own drivers, active. Any number of replicas do so
// at once, old and new ones; what people have made of a version (withdrawn it, say) stays.
func (f *function) addShipped(ctx context.Context) error {
	for _, name := range declarative.Shipped() {
		if err := f.addOne(ctx, name); err != nil {
			return fmt.Errorf("driver %s of the platform: %w", name, err)
		}
	}
	return nil
}

func (f *function) addOne(ctx context.Context, name string) error {
	in, err := shipped(name)
	if err != nil {
		return err
	}
	r, err := f.drivers.Get(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if len(r.All) > 0 && r.Owner != "" {
		f.p.Log.WarnContext(ctx, "a group has a driver under the name of one that comes with the platform, which is left out", "driver", name, "owner", r.Owner)
		return nil
	}
	now := f.p.Time()
	kept, err := contentOf(in.Driver, now)
	if err != nil {
		return err
	}
	if v := r.version(in.Version); v != nil {
		if v.Content != kept.ID {
			f.p.Log.WarnContext(ctx, "a document that comes with the platform was changed without a new version; the one before stays", "driver", name, "version", in.Version)
		}
		return nil
	}
	if err := f.keep(ctx, kept, in.Code); err != nil {
		return err
	}
	v, err := f.versionOf(&in, kept, "castor")
	if err != nil {
		return err
	}
	v.State = api.DriverActive
	if r, err = f.drivers.Upsert(ctx, name, func(r *record, _ bool) error { return r.ship(v, now) }); err != nil {
		return err
	}
	if err := f.named(ctx, kept, in.Code); err != nil {
		return err
	}
	f.told(ctx, r)
	return nil
}

// ship adds a version of the platform's own, unless it is there.
func (r *record) ship(v version, now time.Time) error {
	if len(r.All) == 0 {
		r.Driver = api.Driver{Name: v.Name, Created: now}
		r.Scope = scopeOf("")
	}
	if r.Owner != "" || r.version(v.Version) != nil {
		return store.Unchanged
	}
	r.put(v)
	return r.changed(r.version(v.Version), now)
}

// shipped is a document that comes with the platform, as a driver. Who changes one gives it a new version.
func shipped(name string) (in api.PublishDriver, err error) {
	document, ok := declarative.Document(name)
	if !ok {
		return in, fmt.Errorf("there is no document %s", name)
	}
	p, err := declarative.Parse(document)
	if err != nil {
		return in, err
	}
	in.Driver = driver.Driver{Name: name, Version: cmp.Or(p.Version, "1.0.0"), Kind: driver.Declarative, Title: p.Title, Maker: "Castor", Code: document}
	return in, wrong(driver.CheckVersion(in.Version))
}
