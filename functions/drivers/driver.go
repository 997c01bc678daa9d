package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A record is a driver as it is stored, with its versions: so what is used of it changes in one write.
type record struct {
	api.Driver `bson:",inline"`

	// Scope is the list that it is in: its owner's, or the platform's.
	Scope string `bson:"scope"`

	// All are the versions, newest first. A record without any keeps the name of a driver that was for its owner, and its key.
	All []version `bson:"versions"`

	// Alarms are those that stand because of versions that misbehaved.
	Alarms []raised `bson:"alarms,omitempty"`

	Outbox event.Outbox `bson:"outbox"`
}

// A version is one of a driver as it is stored.
type version struct {
	api.DriverVersion `bson:",inline"`

	// Content is the id of the document that has its tests, and of what it was published with: the same content has the same id.
	Content string `bson:"content"`

	// WasActive tells of a version in quarantine that it was active before: it goes on counting.
	WasActive bool `bson:"was,omitempty"`

	// Last is the failure that ended Reason, for those who write the driver: there may be something of a device's message in it.
	Last string `bson:"last,omitempty"`

	// Led is how many failures led to the quarantine, or to the last block.
	Led int64 `bson:"led,omitempty"`
}

// A content is what never changes of a version: what was published, without the code, which is in the object store.
type content struct {
	ID      string `bson:"_id"` // name@version@digest of all
	Name    string `bson:"name"`
	Version string `bson:"version"`
	Code    string `bson:"code"`   // digest
	Driver  []byte `bson:"driver"` // driver.Driver as JSON

	// Pending is set while no driver may name it: since when. The sweep removes what nobody came to name.
	Pending time.Time `bson:"pending,omitempty"`
}

const (
	scopeOfPlatform = "platform"
	scopeOfGone     = "gone" // of what is left of a driver without versions
)

func scopeOf(owner string) string {
	if owner == "" {
		return scopeOfPlatform
	}
	return "group:" + owner
}

// used tells whether devices may use the version, or their messages are parked because of it.
func (v *version) used() bool {
	return v.State == api.DriverActive || v.State == api.DriverCanary || v.State == api.DriverQuarantined && v.WasActive
}

// shown is the version as its people see it.
func (v *version) shown() api.DriverVersion {
	out := v.DriverVersion
	if v.State == api.DriverQuarantined {
		out.Was = api.DriverCanary
		if v.WasActive {
			out.Was = api.DriverActive
		}
	}
	return out
}

func (r *record) version(name string) *version {
	for i := range r.All {
		if r.All[i].Version == name {
			return &r.All[i]
		}
	}
	return nil
}

// changed notes, in the same write as the change, that another version may be for a device than before.
func (r *record) changed(v *version, now time.Time) error {
	if r.Outbox.Full() {
		return fmt.Errorf("%w: %d changes of driver %s are not told to the connectors yet; repeat this later", api.ErrUnavailable, len(r.Outbox.Pending), r.Name)
	}
	v.Changed, r.Updated = now, now
	r.clear(now)
	r.Outbox.Coalesce("driver:"+r.Name, event.DriverChanged, r.Name, now, api.DriverChanged{Name: r.Name, Version: v.Version, State: v.State, Reason: v.Reason})
	return nil
}

func object(r *record) access.Object {
	return access.Object{Name: "driver:" + r.Name, Owner: r.Owner, Shared: r.Owner == ""}
}

// may returns nil if the caller may use right on the driver. Configurators and developers write their groups' drivers, and
// maintainers all; everybody reads those of the platform.
func (f *function) may(ctx context.Context, c access.Caller, right access.Right, r *record) error {
	if err := f.p.May(ctx, c, access.Read, object(r), "driver"); err != nil || right == access.Read || mayWrite(c, r.Owner) {
		return err
	}
	if r.Owner == "" {
		return fmt.Errorf("%w: driver %s is the platform's, which maintainers change; publish yours under another name", access.ErrDenied, r.Name)
	}
	return fmt.Errorf("%w: driver %s belongs to group %s, whose configurators and developers change it", access.ErrDenied, r.Name, r.Owner)
}

func mayWrite(c access.Caller, owner string) bool {
	if c.For != nil {
		c = *c.For
	}
	return c.Is(access.Maintainer) || owner != "" && c.Is(access.Configurator, access.Developer) && slices.Contains(c.Groups, owner)
}

// find returns the driver if the caller may use right on it.
func (f *function) find(ctx context.Context, c access.Caller, right access.Right, name string) (record, error) {
	r, err := f.drivers.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && len(r.All) == 0 {
		return record{}, platform.NotFound("driver", name)
	}
	if err == nil {
		err = f.may(ctx, c, right, &r)
	}
	if err != nil {
		return record{}, err
	}
	return r, nil
}

// findVersion is find for one version.
func (f *function) findVersion(ctx context.Context, c access.Caller, right access.Right, name, number string) (record, *version, error) {
	r, err := f.find(ctx, c, right, name)
	if err != nil {
		return r, nil, err
	}
	v := r.version(number)
	if v == nil {
		return r, nil, platform.NotFound("version of driver "+name, number)
	}
	return r, v, nil
}

// change changes a version of a driver and tells the connectors. What decide returns as an error ends it.
func (f *function) change(ctx context.Context, name string, decide func(*record, time.Time) (*version, error)) (record, *version, error) {
	var which string
	now := f.p.Time()
	r, err := f.drivers.Update(ctx, name, func(r *record) error {
		which = ""
		v, err := decide(r, now)
		if err != nil {
			return err
		}
		which = v.Version
		return r.changed(v, now)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = platform.NotFound("driver", name)
	}
	if err != nil {
		return record{}, nil, err
	}
	f.told(ctx, r)
	return r, r.version(which), nil
}

// told publishes what the driver holds back. What cannot be is left to the sweep.
func (f *function) told(ctx context.Context, r record) {
	f.known.forget()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := f.outbox.Flush(ctx, r); err != nil {
		f.p.Log.WarnContext(ctx, "connectors do not know of a driver's change yet", "driver", r.Name, "error", err)
	}
}
