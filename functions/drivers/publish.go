package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// publish takes a new version as a draft, if it passes its own tests. The same once more is the same answer; something else under a
// version that there is, is refused. Code and content are stored before the driver names them: what a crash leaves of them is taken
// up by publishing again, or removed by the sweep.
func (f *function) publish(ctx context.Context, c *faas.Call, in api.PublishDriver) (faas.Reply, error) {
	if name := c.Var("name"); in.Name == "" {
		in.Name = name
	} else if in.Name != name {
		return faas.Reply{}, api.Invalid("name: the path says %.80q, the body %.80q", name, in.Name)
	}
	err := wrong(driver.Check(&in.Driver))
	if err == nil {
		err = checkSignature(&in)
	}
	if err != nil {
		return faas.Reply{}, err
	}
	r, err := f.place(ctx, c.Caller, &in)
	if err != nil {
		return faas.Reply{}, err
	}
	kept, err := contentOf(in.Driver, f.p.Time())
	if err != nil {
		return faas.Reply{}, err
	}
	if v, err := same(&r, in.Version, kept.ID); v != nil || err != nil {
		if err == nil {
			err = f.named(ctx, kept, in.Code)
		}
		return reply(v, 200), err
	}
	leave, err := f.publications.enter(c.Caller.String())
	if err != nil {
		return faas.Reply{}, err
	}
	err = f.passes(ctx, &in.Driver)
	leave()
	if err != nil {
		return faas.Reply{}, err
	}
	if err := f.keep(ctx, kept, in.Code); err != nil {
		return faas.Reply{}, err
	}
	v, err := f.add(ctx, &in, &r, kept, c.Caller.String())
	if err != nil {
		return faas.Reply{}, err
	}
	return reply(v, 201), f.named(ctx, kept, in.Code)
}

func reply(v *version, status int) faas.Reply {
	if v == nil {
		return faas.Reply{}
	}
	r := faas.Created("/drivers/"+v.Name+"/versions/"+v.Version, v.shown())
	r.Status = status
	return r
}

// place finds the driver that gets the version, and says whether the caller may add it. From here on in.Owner is whose it is, of a new
// driver whose it will be: add holds to that.
func (f *function) place(ctx context.Context, c access.Caller, in *api.PublishDriver) (record, error) {
	r, err := f.drivers.Get(ctx, in.Name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return record{}, f.checkOwner(ctx, c, &in.Owner)
	case err != nil:
		return r, err
	case len(r.All) == 0 && in.Owner != "" && in.Owner != r.Owner && mayWrite(c, ""):
		return r, f.checkOwner(ctx, c, &in.Owner) // a maintainer gives the name to others
	}
	err = f.may(ctx, c, access.Write, &r)
	if errors.Is(err, api.ErrNotFound) { // a name is one on the whole platform
		err = fmt.Errorf("%w: name %s is, or was, a driver's that you may not see; take another name", api.ErrConflict, in.Name)
	}
	if err == nil && in.Owner != "" && in.Owner != r.Owner {
		err = api.Invalid("owner: driver %s belongs to %s already; leave it out", in.Name, orPlatform(r.Owner))
	}
	if err == nil {
		err = checkKey(&r, in.Key)
	}
	in.Owner = r.Owner
	return r, err
}

func orPlatform(owner string) string {
	if owner == "" {
		return "the platform"
	}
	return "group " + owner
}

// checkKey holds a driver to the key that it was first signed by.
func checkKey(r *record, key string) error {
	switch {
	case r.Key == "" || r.Key == key:
		return nil
	case key == "":
		return api.Invalid("signature is missing: versions of driver %s are signed with the key %s; sign with its file, castor driver publish --key FILE", r.Name, r.Key)
	}
	return api.Invalid("key is not the one that versions of driver %s are signed with, which is %s", r.Name, r.Key)
}

// same is the version if it is there with this content; with another, it is a conflict.
func same(r *record, number, id string) (*version, error) {
	v := r.version(number)
	if v == nil || v.Content == id {
		return v, nil
	}
	return nil, fmt.Errorf("%w: version %s of driver %s is there with other content; give the changed driver a new version", api.ErrConflict, number, r.Name)
}

// add has the driver name the version. The tests took their time: whose driver it is, and whether there is one, must be as it was
// placed, else a driver that was deleted meanwhile would come back as somebody else's.
func (f *function) add(ctx context.Context, in *api.PublishDriver, placed *record, kept content, by string) (*version, error) {
	made, err := f.versionOf(in, kept, by)
	if err != nil {
		return nil, err
	}
	r, err := f.drivers.Upsert(ctx, in.Name, func(r *record, _ bool) error {
		switch was, is := len(placed.All) > 0, len(r.All) > 0; {
		case was && !is:
			return fmt.Errorf("%w: driver %s was deleted meanwhile; publish it again if it is still wanted", api.ErrConflict, in.Name)
		case is && r.Owner != in.Owner:
			return fmt.Errorf("%w: driver %s was made by %s meanwhile", api.ErrConflict, in.Name, orPlatform(r.Owner))
		case was && !r.Created.Equal(placed.Created):
			return fmt.Errorf("%w: driver %s was made anew meanwhile; publish again", api.ErrConflict, in.Name)
		case !is && !r.Updated.Equal(placed.Updated):
			return fmt.Errorf("%w: driver %s was made and deleted meanwhile; publish again", api.ErrConflict, in.Name)
		case !is:
			key := r.Key
			if r.Owner != in.Owner {
				key = ""
			}
			r.Driver = api.Driver{Name: in.Name, Owner: in.Owner, Key: key, Created: made.Published}
			r.Scope = scopeOf(in.Owner)
		}
		if v, err := same(r, in.Version, kept.ID); err != nil {
			return err
		} else if v != nil {
			return store.Unchanged
		}
		if len(r.All) >= maxVersions {
			return fmt.Errorf("%w: driver %s has %d versions; delete old ones that no device uses", api.ErrConflict, r.Name, len(r.All))
		}
		if err := checkKey(r, in.Key); err != nil {
			return err
		}
		r.put(made)
		if in.Key != "" {
			r.Key = in.Key
		}
		r.Updated = made.Published
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.known.forget()
	return r.version(in.Version), nil
}

func (f *function) versionOf(in *api.PublishDriver, kept content, by string) (version, error) {
	now := f.p.Time()
	v := version{Content: kept.ID, DriverVersion: api.DriverVersion{Name: in.Name, Version: in.Version, Kind: in.Kind, State: api.DriverDraft,
		Title: in.Title, Maker: in.Maker, License: in.License, Note: in.Note, Firmware: in.Firmware, Size: int64(len(in.Code)), Digest: kept.Code,
		Signed: in.Signature != "", Limit: twin.Duration(in.Limit), Port: in.Port, Tests: len(in.Tests), By: by, Published: now, Changed: now}}
	if in.Kind == driver.Declarative {
		p, err := declarative.Parse(in.Code)
		if err != nil {
			return v, err
		}
		v.Topics, v.Downlinks = p.Patterns()
	}
	return v, nil
}

// put adds a version in its place: newest first.
func (r *record) put(v version) {
	at, _ := slices.BinarySearchFunc(r.All, v, func(a, b version) int { return compare(b.Version, a.Version) })
	r.All = slices.Insert(r.All, at, v)
	r.Title = r.All[0].Title
}

// compare orders versions, which were checked before.
func compare(a, b string) int {
	x, err := semver.StrictNewVersion(a)
	y, other := semver.StrictNewVersion(b)
	if err != nil || other != nil {
		return 0
	}
	return x.Compare(y)
}
