package credentials

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver/topic"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxName bounds what a device is called by the one that speaks for it, in bytes.
const maxName = 256

// checkWays checks what devices have that do not come in by themselves, or not by the platform's topics.
func checkWays(in *api.NewCredential) error {
	relayed := in.Kind == device.Relayed
	switch {
	case !relayed && (in.Via != "" || in.Name != ""):
		return api.Invalid("via and name are for kind relayed, not %s", in.Kind)
	case relayed && in.Via.Valid() != nil:
		return fmt.Errorf("via: %w", in.Via.Valid())
	case relayed && checkName(in.Name, in.Via) != nil:
		return checkName(in.Name, in.Via)
	case in.Topics != nil && in.Kind != device.Password && in.Kind != device.Token:
		return api.Invalid("topics are for kinds password and token, not %s", in.Kind)
	}
	return in.Topics.Check()
}

// checkVia returns the credential of the device that is to speak for t's as name. It refuses one that there is not, that cannot speak for
// others, or that is another group's: who brings the device in could not have it speak.
func (c *credentials) checkVia(ctx context.Context, via device.Ref, name string, t *twin.Twin) (credential, error) {
	none := api.Invalid("via: there is no device %s that could speak for one of group %q", via, t.Definition.Owner)
	v, err := c.byRef(ctx, via)
	if errors.Is(err, api.ErrNotFound) {
		return v, none
	}
	if err != nil {
		return v, err
	}
	of, err := c.twins.Get(ctx, string(v.Twin))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (!of.Deleted.IsZero() || of.Definition.Owner != t.Definition.Owner):
		return v, none
	case err != nil:
		return v, err
	case of.Definition.Phase == twin.Retired:
		return v, api.Invalid("via: %s is being decommissioned; name another", v.Twin)
	}
	return v, v.speaksFor(name)
}

// speaksFor refuses a name that the device cannot speak for anybody by.
func (v *credential) speaksFor(name string) error {
	switch {
	case v.Kind == device.Relayed:
		return api.Invalid("via: %s is relayed itself, by %s; name that one", v.Twin, v.ViaTwin)
	case v.Topics == nil:
		return api.SpeaksAlone(v.Twin, v.Protocol)
	case v.Topics.Device != "":
		return api.Invalid("via: %s logs in for itself alone, as %s in its topics; bring it in as a bridge (castor run start --bridge) to have it speak for others", v.Twin, v.Topics.Device)
	}
	if err := topic.Carries(v.Topics.Up, name); err != nil {
		return api.Invalid("name: %s cannot speak for a device called %.80q, because %w; call the device otherwise there, and say that name", v.Twin, name, err)
	}
	return nil
}

// relayedBy makes the credential that of a device which via speaks for.
func (v *credential) relayedBy(via *credential, name string) {
	v.Via, v.ViaTwin, v.Name, v.Ref = via.Ref, via.Twin, name, device.RelayedRef(via.Ref, name)
}

// silenced tells whether who speaks for a device has gone, or goes.
func (c *credentials) silenced(ctx context.Context, v *credential) (bool, error) {
	of, err := c.twins.Get(ctx, string(v.ViaTwin))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	return err != nil || !of.Deleted.IsZero() || of.Definition.Phase == twin.Retired, nil
}

// stillSpeaks looks once more, after the device's credential was written, whether there is who speaks for it, and by which reference: one that
// is decommissioned meanwhile is retired before its devices are looked for, and one that is enrolled anew has its reference before they follow,
// so one of the two sees the other.
func (c *credentials) stillSpeaks(ctx context.Context, v credential) (credential, error) {
	gone, err := c.silenced(ctx, &v)
	if err != nil {
		return v, err
	}
	if !gone {
		via, refused, err := c.destination(ctx, v.Twin, v.ViaTwin, v.Name)
		if err != nil || refused != nil || via.Ref == v.Via { // who is no more to speak for it is not followed
			return v, err
		}
		v, err = c.goAlong(ctx, &via, v)
		if err == nil && v.Ref == "" {
			err = fmt.Errorf("%w: the credential of twin %s was ended meanwhile; try again", api.ErrConflict, v.Twin)
		}
		return v, err
	}
	ended, err := c.creds.Update(ctx, string(v.Twin), func(of *credential) error {
		if of.Ref != v.Ref {
			return store.Unchanged
		}
		return of.end(of.Run, "who was to speak for it has gone", "platform:credentials", c.p.Time())
	})
	if err != nil {
		return v, err
	}
	c.flush(ctx, ended)
	return v, api.Invalid("via: %s was decommissioned meanwhile; name another", v.ViaTwin)
}

// placed is the reference by whose place the device's is known: its own, or that of who speaks for it.
func (v *credential) placed() device.Ref {
	if v.Kind == device.Relayed {
		return v.Via
	}
	return v.Ref
}

// follow gives a device that was enrolled anew what it relayed before: references are made of its own, which is another now. The
// caller asks again for a credential of which it has not heard, so what a crash has left is done then. Devices of another group than
// its own stay behind: the twin may be another's by now. What is on the way to it is decided first: whoever else decides that may
// have seen the reference before, and then it is among its devices.
func (c *credentials) follow(ctx context.Context, v credential, owner string) error {
	if v.Kind == device.Relayed {
		return nil
	}
	err := c.creds.Scan(ctx, store.Query{Index: "by-moving", Filter: store.Prefix("moving", string(v.Twin)+"/")}, func(of credential) error {
		_, _, err := c.arrive(ctx, self, of)
		return err
	})
	if err != nil {
		return err
	}
	return c.creds.Scan(ctx, store.Query{Index: "by-via", Filter: store.Eq("viaTwin", v.Twin)}, func(of credential) error {
		t, err := c.twins.Get(ctx, string(of.Twin))
		if errors.Is(err, store.ErrNotFound) || err == nil && t.Definition.Owner != owner || of.Via == v.Ref {
			return nil
		}
		if err == nil {
			_, err = c.goAlong(ctx, &v, of)
		}
		return err
	})
}

// goAlong gives a relayed device the reference by which who speaks for it is known now.
func (c *credentials) goAlong(ctx context.Context, via *credential, of credential) (credential, error) {
	of, err := c.creds.Update(ctx, string(of.Twin), func(of *credential) error {
		if of.ViaTwin != via.Twin || of.Via == via.Ref {
			return store.Unchanged
		}
		return of.moved(via, of.Name, c.p.Time())
	})
	if err == nil {
		c.flush(ctx, of)
	}
	return of, err
}

// moved gives a relayed device another that speaks for it, or another name there. Connectors forget what they knew by both.
func (v *credential) moved(via *credential, name string, now time.Time) error {
	was := v.Ref
	v.relayedBy(via, name)
	v.Generation++
	v.Version++
	return errors.Join(v.changed(was, now), v.changed(v.Ref, now))
}

// speaking leaves out relayed devices whose twins people have suspended, or that are retired: no gateway keeps these out.
func (c *credentials) speaking(ctx context.Context, all []credential) ([]credential, error) {
	var ids []string
	for _, v := range all {
		if v.Kind == device.Relayed {
			ids = append(ids, string(v.Twin))
		}
	}
	if len(ids) == 0 {
		return all, nil
	}
	found, err := c.twins.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	in := make(map[twin.ID]bool, len(found))
	for _, t := range found {
		in[t.ID] = t.Deleted.IsZero() && !t.Definition.Out()
	}
	return slices.DeleteFunc(all, func(v credential) bool { return v.Kind == device.Relayed && !in[v.Twin] }), nil
}

// twinChanged has connectors ask anew for a relayed device whose twin has changed: it may have been suspended, or resumed.
func (c *credentials) twinChanged(ctx context.Context, d api.TwinChanged) error {
	if d.Kind != twin.Instance || d.Part == "live" {
		return nil
	}
	v, err := c.creds.Get(ctx, string(d.Twin))
	if errors.Is(err, store.ErrNotFound) || err == nil && v.Kind != device.Relayed {
		return nil
	}
	if err != nil {
		return err
	}
	v, err = c.creds.Update(ctx, string(d.Twin), func(v *credential) error {
		if v.Kind != device.Relayed {
			return store.Unchanged
		}
		return v.changed(v.Ref, c.p.Time())
	})
	if err == nil {
		c.flush(ctx, v)
	}
	return err
}

// listRelayed pages through the credentials of the devices that a twin's device speaks for, as far as the caller may see their twins.
// They are its devices also while it has no credential itself.
func (c *credentials) listRelayed(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[api.CredentialFact], error) {
	out := api.Page[api.CredentialFact]{Items: []api.CredentialFact{}}
	limit, err := call.Limit()
	if err != nil {
		return out, err
	}
	id := twin.ID(call.Query.Get("via"))
	if err := c.may(ctx, call.Caller, access.Read, id); err != nil {
		return out, err
	}
	page, err := c.creds.Find(ctx, store.Query{Index: "by-via", Filter: store.Eq("viaTwin", id), Limit: limit, Cursor: call.Query.Get("cursor"), Partial: true})
	if err != nil {
		return out, err
	}
	seen, err := c.seen(ctx, call.Caller, page.Items)
	for _, v := range page.Items {
		if seen[v.Twin] && v.newest() != nil {
			out.Items = append(out.Items, v.fact(*v.newest()))
		}
	}
	out.Next = page.Next
	return out, err
}

// seen are the twins of credentials that the caller may read.
func (c *credentials) seen(ctx context.Context, caller access.Caller, all []credential) (map[twin.ID]bool, error) {
	scope, err := c.p.Visible(ctx, caller)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, v := range all {
		ids[i] = string(v.Twin)
	}
	twins, err := c.twins.GetMany(ctx, ids)
	seen := make(map[twin.ID]bool, len(twins))
	for _, t := range twins {
		seen[t.ID] = t.Deleted.IsZero() && (scope.All || scope.Allows(access.Twin(&t)))
	}
	return seen, err
}
