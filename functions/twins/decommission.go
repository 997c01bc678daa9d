package twins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A decommission is the proof as it is stored, and how far it is: any instance goes on with it. The order is the point: the
// twin is retired, which no provisioning undoes; then the device's access goes; its data go last.
type decommission struct {
	api.Decommission `bson:",inline"`

	Due  time.Time `bson:"due,omitempty"`  // when somebody is to go on with it; the zero time when it is done
	Past twin.ID   `bson:"past,omitempty"` // of the devices that go along, the last that was looked at; "" = the next is the first one
}

// A doorway is what is read of function gateways' assignments.
type doorway struct {
	Ref     device.Ref `bson:"_id"`
	Twin    twin.ID    `bson:"twin"`
	Gateway string     `bson:"gateway"`
	Removed bool       `bson:"removed,omitempty"`

	RemovedAt    time.Time `bson:"removedAt,omitempty"`
	PendingSince time.Time `bson:"pendingSince,omitempty"`
	StayUntil    time.Time `bson:"stayUntil,omitempty"`

	GoneAt       time.Time `bson:"goneAt,omitempty"`
	GoneRevision uint64    `bson:"goneRevision,omitempty"`
}

// confirmFor is how long a gateway is waited for to say that the device is out. One that is dead never does; it lets nobody in.
const confirmFor = time.Minute

func openDecommissions(ctx context.Context, p *platform.Platform) (*store.Collection[decommission], error) {
	return store.Open[decommission](ctx, p.DB, store.Spec{Name: "decommissions", Schema: 1, Indexes: []store.Index{
		{Name: "by-twin", Fields: []string{"twin", "-asked"}},
		{Name: "by-due", Fields: []string{"due"}},
	}})
}

func (f *function) decommission(ctx context.Context, c *faas.Call, in api.NewDecommission) (api.Decommission, error) {
	id := twin.ID(c.Var("id"))
	if err := errors.Join(checkData("data", in.Data), checkReason(&in.Reason)); err != nil {
		return api.Decommission{}, err
	}
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Write, id)
	if err != nil {
		return api.Decommission{}, err
	}
	if in.WithDevices {
		_, err = f.mayAll(ctx, c.Caller, id)
	} else if t.Definition.Phase != twin.Retired { // asked again, it goes on
		err = f.alone(ctx, c.Caller, &t)
	}
	if err != nil {
		return api.Decommission{}, err
	}
	if t, err = f.retire(ctx, hand{caller: c.Caller}, id); err != nil {
		return api.Decommission{}, err
	}
	devices := 0
	if in.WithDevices {
		// None comes any more, now that it is retired; one that has just come may be another's. It is not taken along then: the proof says
		// what is to be done.
		devices, err = f.mayAll(ctx, c.Caller, id)
		if errors.Is(err, access.ErrDenied) {
			in.WithDevices, devices = false, 0
		} else if err != nil {
			return api.Decommission{}, err
		}
	}
	v, err := f.newest(ctx, id)
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		return v.Decommission, err
	}
	if err != nil || v.State == api.DecommissionDone {
		v = proofOf(&t, f.p.Time())
		v.By, v.Reason, v.Data, v.WithDevices, v.Devices = c.Caller.String(), in.Reason, in.Data, in.WithDevices, devices
		if err := f.ended.Insert(ctx, v); err != nil && !errors.Is(err, store.ErrExists) {
			return api.Decommission{}, err
		}
	} else if in.WithDevices && !v.WithDevices {
		_, err := f.ended.Update(ctx, v.ID, func(v *decommission) error {
			v.WithDevices, v.Devices = true, devices
			return nil
		})
		if err != nil {
			return api.Decommission{}, err
		}
	}
	return f.goOnEnding(ctx, v.ID)
}

// retire begins the end of a device's twin: no provisioning undoes it.
func (f *function) retire(ctx context.Context, h hand, id twin.ID) (twin.Twin, error) {
	return f.change(ctx, h, id, event.TwinChanged, func(t *twin.Twin) error {
		switch d := &t.Definition; {
		case t.Kind != twin.Instance:
			return api.Invalid("%s is of kind %s; only instances have devices", t.ID, t.Kind)
		case d.Phase == twin.Retired:
			return store.Unchanged
		default:
			d.Phase = twin.Retired
			t.Live.Due = f.p.Time()
			return nil
		}
	})
}

// proofOf is the proof of what was asked for at a time, with which nothing was done yet.
func proofOf(t *twin.Twin, asked time.Time) decommission {
	return decommission{Due: asked, Decommission: api.Decommission{ID: string(t.ID) + "@" + asked.Format("20060102T150405.000Z"), Twin: t.ID, Type: t.Definition.Type,
		Name: t.Definition.Name, Owner: t.Definition.Owner, Asked: asked, State: api.DecommissionAccess, Messages: t.Live.Messages}}
}

// newest is the last proof of a twin.
func (f *function) newest(ctx context.Context, id twin.ID) (decommission, error) {
	page, err := f.ended.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Limit: 1})
	if err == nil && len(page.Items) == 0 {
		return decommission{}, platform.NotFound("decommissioning of twin", string(id))
	}
	if err != nil {
		return decommission{}, err
	}
	return page.Items[0], nil
}

func (f *function) getDecommission(ctx context.Context, c *faas.Call, _ faas.None) (api.Decommission, error) {
	id := twin.ID(c.Var("twin"))
	if id.Valid() != nil {
		return api.Decommission{}, platform.NotFound("decommissioning of twin", string(id))
	}
	v, err := f.newest(ctx, id)
	if err != nil {
		return api.Decommission{}, err
	}
	err = f.p.May(ctx, c.Caller, access.Read, access.Object{Name: "decommission:" + string(id), Owner: v.Owner}, "decommissioning of twin")
	if err != nil {
		return api.Decommission{}, err
	}
	return v.Decommission, nil
}

// goOnEnding takes the next steps until something has to be waited for. Each may be repeated, by any instance.
func (f *function) goOnEnding(ctx context.Context, id string) (api.Decommission, error) {
	for {
		v, err := f.ended.Get(ctx, id)
		if err != nil || v.State == api.DecommissionDone {
			return v.Decommission, err
		}
		before, next := v.State, v
		next.Due = time.Time{}
		if v.State == api.DecommissionAccess {
			err = f.endAccess(ctx, &next)
		} else {
			err = f.endData(ctx, &next)
		}
		if err != nil {
			next.Waits = "something that is away for now"
			if errors.Is(err, twin.ErrInvalid) { // which does not pass by itself
				next.Waits = "somebody to mend this: " + cut(err.Error(), maxWhy)
			}
			f.p.Log.WarnContext(ctx, "decommissioning waits", "function", f.p.Part, "twin", v.Twin, "error", err)
		}
		now, err := f.ended.Update(ctx, id, func(v *decommission) error {
			if v.State != before {
				return store.Unchanged // another instance is ahead
			}
			if next.Due.IsZero() && next.State != api.DecommissionDone {
				next.Due = v.after(f.p.Time())
			}
			if v.WithDevices { // which somebody may have said meanwhile
				next.WithDevices, next.Devices = true, v.Devices
			}
			v.Decommission, v.Due, v.Past = next.Decommission, next.Due, next.Past
			return nil
		})
		if err != nil || now.State == before {
			return now.Decommission, err
		}
	}
}

// endAccess has the device refused where it asks to come in, revokes what the device has and waits for its gateway to say that it is out.
// Those that it speaks for go first.
func (f *function) endAccess(ctx context.Context, v *decommission) error {
	if left, err := f.endDevices(ctx, v); err != nil || left {
		return err
	}
	if _, err := f.p.API.RetireIdentity(ctx, v.Twin, v.Reason); err != nil && !errors.Is(err, api.ErrNotFound) { // people make twins without one
		return err
	}
	facts, err := f.p.API.ListCredentials(ctx, v.Twin)
	for _, c := range facts.Items {
		if err == nil && c.State != api.CredentialEnded {
			err = f.p.API.RevokeCredential(ctx, c.Ref, cut("decommissioned: "+v.Reason, maxWhy))
			if errors.Is(err, api.ErrNotFound) { // one of two that are good at a time has gone with the other
				err = nil
			}
		}
	}
	if err == nil {
		facts, err = f.p.API.ListCredentials(ctx, v.Twin)
	}
	if err != nil {
		return err
	}
	v.Credentials, v.Places, v.Waits = facts.Items, nil, ""
	places, err := f.places.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", v.Twin), Partial: true})
	if err != nil {
		return err
	}
	for _, p := range places.Items {
		if p.Gateway == "" {
			continue
		}
		if !p.Removed || p.GoneAt.IsZero() && f.p.Time().Sub(v.Asked) < confirmFor {
			v.Waits = fmt.Sprintf("gateway %s to let device %s out", p.Gateway, p.Ref)
			return nil
		}
		v.Places = append(v.Places, api.EndedPlace{Ref: p.Ref, Gateway: p.Gateway, Removed: p.RemovedAt, Revision: p.GoneRevision, Applied: p.GoneAt})
	}
	v.State = api.DecommissionData
	return nil
}

// endData deletes the twin and waits until its data are archived, or erased.
func (f *function) endData(ctx context.Context, v *decommission) error {
	v.Waits = ""
	t, err := f.twins.Get(ctx, string(v.Twin))
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case err == nil && t.Deleted.IsZero() && t.Definition.Phase == twin.Retired:
		h := hand{caller: access.Caller{Kind: access.Part, ID: f.p.Part}, why: gone("decommissioned", v.By, v.Asked) + ": " + v.Reason}
		if err := f.bury(ctx, h, v.Twin, v.Data); err != nil {
			return err
		}
		if t, err = f.twins.Get(ctx, string(v.Twin)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if err == nil && !t.Deleted.IsZero() { // the tombstone is there
		if v.Data = twin.Erase; archives(&t) {
			v.Data, v.Archive = twin.Archive, archiveID(&t)
		}
		v.Waits = "the data to be " + map[string]string{twin.Erase: "erased", twin.Archive: "archived"}[v.Data]
		return nil
	}
	if v.Archive != "" {
		a, err := f.kept.Get(ctx, v.Archive)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			v.SHA256, v.Records, v.Parked = a.SHA256, a.Records, a.Parked
		}
	}
	v.Removed, v.State = f.p.Time(), api.DecommissionDone
	return f.p.Audit(ctx, access.Record{ID: fmt.Sprintf("%013x-decommissioned-%s", v.Asked.UnixMilli(), v.Twin), At: v.Removed, Caller: v.By,
		Function: "twins", Method: "DECOMMISSION", Status: http.StatusOK,
		Path: fmt.Sprintf("/decommissions/%s: %d credentials, %d places, data %s, archive %s, sha256 %s", v.Twin, len(v.Credentials), len(v.Places), v.Data, v.Archive, v.SHA256)})
}
