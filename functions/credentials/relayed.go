package credentials

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
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
	case relayed && (in.Name == "" || len(in.Name) > maxName || !utf8.ValidString(in.Name) || strings.ContainsFunc(in.Name, unicode.IsControl)):
		return api.Invalid("name must be what %s calls the device: 1 to %d bytes of text", in.Via, maxName)
	case in.Topics != nil && in.Kind != device.Password && in.Kind != device.Token:
		return api.Invalid("topics are for kinds password and token, not %s", in.Kind)
	}
	return in.Topics.Check()
}

// checkVia refuses a via that is none, or another group's than the device's twin: who brings the device in could not have it speak.
func (c *credentials) checkVia(ctx context.Context, via device.Ref, t *twin.Twin) error {
	none := api.Invalid("via: there is no device %s that could speak for one of group %q", via, t.Definition.Owner)
	v, err := c.byRef(ctx, via)
	if errors.Is(err, api.ErrNotFound) {
		return none
	}
	if err != nil {
		return err
	}
	of, err := c.twins.Get(ctx, string(v.Twin))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (!of.Deleted.IsZero() || of.Definition.Owner != t.Definition.Owner):
		return none
	case err != nil:
		return err
	case v.Kind == device.Relayed:
		return api.Invalid("via: %s is relayed itself, by %s; name that one", v.Twin, v.Via)
	}
	return nil
}

// relayedBy makes the credential that of a device which via speaks for.
func (v *credential) relayedBy(via device.Ref, name string) {
	v.Via, v.Name, v.Ref = via, name, device.RelayedRef(via, name)
}

// placed is the reference by whose place the device's is known: its own, or that of who speaks for it.
func (v *credential) placed() device.Ref {
	if v.Kind == device.Relayed {
		return v.Via
	}
	return v.Ref
}

// follow gives a device that was enrolled anew what it relayed before: references are made of its own, which is another now. The
// caller asks again for a credential of which it has not heard, so what a crash has left is done then.
func (c *credentials) follow(ctx context.Context, v credential) error {
	var faults []error
	for _, old := range v.Past {
		if old.Kind == device.Relayed || old.Ref == v.Ref {
			continue
		}
		err := c.creds.Scan(ctx, store.Query{Index: "by-via", Filter: store.Eq("via", old.Ref)}, func(of credential) error {
			of, err := c.creds.Update(ctx, string(of.Twin), func(of *credential) error {
				if of.Via != old.Ref {
					return store.Unchanged
				}
				now, was := c.p.Time(), of.Ref
				of.relayedBy(v.Ref, of.Name)
				of.Generation++
				of.Version++
				return errors.Join(of.changed(was, now), of.changed(of.Ref, now))
			})
			if err == nil {
				c.flush(ctx, of)
			}
			return err
		})
		faults = append(faults, err)
	}
	return errors.Join(faults...)
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
	via, err := c.creds.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && via.Ref == "" {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	page, err := c.creds.Find(ctx, store.Query{Index: "by-via", Filter: store.Eq("via", via.Ref), Limit: limit, Cursor: call.Query.Get("cursor"), Partial: true})
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
