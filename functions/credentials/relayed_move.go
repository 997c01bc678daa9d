package credentials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// checkName refuses what nobody can call a device.
func checkName(name string, via any) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unseen) {
		return api.Invalid("name must be what %s calls the device: 1 to %d bytes of text that can be seen", via, maxName)
	}
	return nil
}

// called is the refusal of a name that via calls another device by. It names that one's twin to whom may know of it.
func (c *credentials) called(ctx context.Context, caller access.Caller, via *credential, name string) error {
	twin := ""
	if other, err := c.byRef(ctx, device.RelayedRef(via.Ref, name)); err == nil && c.may(ctx, caller, access.Read, other.Twin) == nil {
		twin = fmt.Sprintf(", twin %s,", other.Twin)
	}
	return fmt.Errorf("%w: name %q is another device's%s at twin %s", api.ErrExists, name, twin, via.Twin)
}

// unseen are characters that a name does not show: of control, and those that turn it around or take no room.
func unseen(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }

// moveRelayed has another device speak for a relayed one from now on, or the same by another name: it was paired with another bridge,
// or renamed there. Its twin, its history and its run stay; what the one before says of it counts no more.
func (c *credentials) moveRelayed(ctx context.Context, call *faas.Call, in api.MoveRelayed) (out api.CredentialFact, err error) {
	id := twin.ID(call.Var("twin"))
	if err := c.may(ctx, call.Caller, access.Write, id); err != nil {
		return out, err
	}
	v, err := c.creds.Get(ctx, string(id))
	if err == nil && v.Moving != "" { // a crash has left it so, or somebody else is at it
		v, _, err = c.arrive(ctx, call.Caller, v)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && v.Kind != device.Relayed {
		return out, fmt.Errorf("%w: no device speaks for twin %s; bring it in with castor device add", api.ErrConflict, id)
	}
	if err != nil {
		return out, err
	}
	in.Via, in.Name = cmp.Or(in.Via, v.ViaTwin), cmp.Or(in.Name, v.Name)
	if err := checkName(in.Name, in.Via); err != nil {
		return out, err
	}
	if err := c.may(ctx, call.Caller, access.Read, in.Via); errors.Is(err, api.ErrNotFound) {
		return out, api.Invalid("via: there is no twin %.64q", string(in.Via))
	} else if err != nil {
		return out, err
	}
	via, refused, err := c.destination(ctx, id, in.Via, in.Name)
	if err = cmp.Or(err, refused); err != nil {
		return out, err
	}
	v, err = c.creds.Update(ctx, string(id), func(v *credential) error {
		switch {
		case v.Kind != device.Relayed:
			return platform.NotFound("credential of twin", string(id)) // it has ended meanwhile
		case v.Moving != "":
			to, _ := v.moving()
			return fmt.Errorf("%w: twin %s is being moved to %s by somebody else; see where it is, and try again", api.ErrConflict, id, to)
		case v.Via == via.Ref && v.Name == in.Name:
			return store.Unchanged
		}
		v.Moving, v.MovingSince, v.MovingBy = string(in.Via)+"/"+in.Name, c.p.Time().Truncate(time.Millisecond), call.Caller.String()
		return nil
	})
	if errors.Is(err, store.ErrExists) {
		return out, c.called(ctx, call.Caller, &via, in.Name)
	}
	if err == nil && v.Moving != "" {
		v, refused, err = c.arrive(ctx, call.Caller, v)
		err = cmp.Or(err, refused)
	}
	if err != nil {
		return out, err
	}
	return v.fact(*v.newest()), nil
}

// destination is the credential of the device that a twin's is to move to, to be called name there; refused says why it cannot.
func (c *credentials) destination(ctx context.Context, id, to twin.ID, name string) (via credential, refused, err error) {
	t, err := c.twins.Get(ctx, string(id))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (!t.Deleted.IsZero() || t.Definition.Phase == twin.Retired):
		return via, fmt.Errorf("%w: twin %s is being decommissioned itself", api.ErrConflict, id), nil
	case err != nil:
		return via, nil, err
	}
	speaker, err := c.creds.Get(ctx, string(to))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && speaker.Ref == "":
		return via, fmt.Errorf("%w: the device of twin %s has no credential that is good; bring it in first", api.ErrConflict, to), nil
	case err != nil:
		return via, nil, err
	}
	via, err = c.checkVia(ctx, speaker.Ref, name, &t)
	if errors.Is(err, twin.ErrInvalid) {
		return via, err, nil
	}
	return via, nil, err
}

// arrive decides a move that was begun: the other device speaks from then on, or all is as it was, and refused says why. The other is looked
// at after the move was written; one that is decommissioned is retired before it looks who is on the way to it: so one of the two sees the
// other, whoever comes later. Anybody may decide, also after a crash; of several one does.
func (c *credentials) arrive(ctx context.Context, caller access.Caller, begun credential) (v credential, refused, err error) {
	id := begun.Twin
	to, name := begun.moving()
	via, refused, err := c.destination(ctx, id, to, name)
	if err != nil {
		return begun, nil, err
	}
	decide := func(v *credential) error {
		if v.Moving != begun.Moving || !v.MovingSince.Equal(begun.MovingSince) {
			return store.Unchanged // it is decided
		}
		by := v.MovingBy
		v.stay()
		if refused != nil {
			return nil
		}
		now := c.p.Time()
		v.depart(&via, name, by, now)
		return v.moved(&via, name, now)
	}
	v, err = c.creds.Update(ctx, string(id), decide)
	if errors.Is(err, store.ErrExists) {
		refused = c.called(ctx, caller, &via, name)
		v, err = c.creds.Update(ctx, string(id), decide)
	}
	if err != nil {
		return v, nil, err
	}
	c.flush(ctx, v)
	c.note(ctx, v)
	if refused == nil && (v.Kind != device.Relayed || v.ViaTwin != to || v.Name != name) {
		refused = fmt.Errorf("%w: somebody else has changed who speaks for twin %s meanwhile; see where it is, and try again", api.ErrConflict, id)
	}
	return v, refused, nil
}

// moving tells to which device's twin the device is on its way, and what it is to be called there.
func (v *credential) moving() (to twin.ID, name string) {
	before, name, _ := strings.Cut(v.Moving, "/")
	return twin.ID(before), name
}

// stay has the device move nowhere.
func (v *credential) stay() { v.Moving, v.MovingSince, v.MovingBy = "", time.Time{}, "" }

// depart keeps, among what has ended and for the twin's log, where the device was and who has it move where: people ask for that later. It is
// heard no less for it.
func (v *credential) depart(via *credential, name, by string, now time.Time) {
	from := cmp.Or(string(v.ViaTwin), string(v.Via))
	reason := fmt.Sprintf("moved to %s, which calls it %q; before %s spoke for it, as %q", via.Twin, name, from, v.Name)
	if v.ViaTwin == via.Twin {
		reason = fmt.Sprintf("renamed at %s: from %q to %q", from, v.Name, name)
	}
	v.happened(reason+"; by "+by, now)
	v.retire(v.Proofs, reason, by, now)
	v.newest().Issued = now
}

// arriveAll decides moves that were begun before a time and that nobody has decided.
func (c *credentials) arriveAll(ctx context.Context, before time.Time) (n int, err error) {
	page, err := c.creds.Find(ctx, store.Query{Index: "by-moving", Filter: store.Gt("moving", ""), Limit: 1000})
	faults := []error{err}
	for _, v := range page.Items {
		if v.MovingSince.Before(before) {
			n++
			_, _, err := c.arrive(ctx, self, v)
			faults = append(faults, err)
		}
	}
	return n, errors.Join(faults...)
}

// username tells whose a user name is, to who would bring in a device by it.
func (c *credentials) username(ctx context.Context, call *faas.Call, _ faas.None) (out api.CredentialFact, err error) {
	name := call.Var("username")
	if err := device.CheckUsername(name); err != nil {
		return out, err
	}
	v, err := c.creds.FindOne(ctx, store.Query{Index: "by-username", Filter: store.Eq("username", name)})
	if errors.Is(err, store.ErrNotFound) || err == nil && v.newest() == nil {
		return out, platform.NotFound("username", name)
	}
	if err != nil {
		return out, err
	}
	return v.fact(*v.newest()), nil
}
