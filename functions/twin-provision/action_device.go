package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
)

// registerIdentity makes the device known as its request says, for the run's group only. One that is known already stays as it is:
// whether the device is that one is check-identity's to say.
func (f *function) registerIdentity(ctx context.Context, r *provision.Run) (result, error) {
	q := &r.Request
	if q.Serial == "" || r.Owner == "" {
		return result{}, refusal("the model registers an identity before serial and group are known")
	}
	in := device.Identity{Serial: q.Serial, MAC: q.MAC, Model: q.Model, Type: string(r.Type), Owner: r.Owner}
	i, err := f.p.API.CreateIdentity(ctx, in)
	note := "registered for group " + r.Owner
	if errors.Is(err, api.ErrExists) {
		note = "it is known already"
		i, err = f.p.API.FindIdentity(ctx, q.Serial)
		if errors.Is(err, api.ErrNotFound) {
			return result{}, f.inTheWay(ctx, r.Owner, in)
		}
	}
	if err != nil {
		return result{}, err
	}
	return result{note, func(r *provision.Run) {
		if i.Owner == "" || i.Owner == r.Owner {
			r.Known.Identity = knownIdentity(&i)
		}
	}}, nil
}

// inTheWay says what keeps a device from being registered for a group: which one has its id, if that one is the group's too. Of other
// groups' devices nothing is told.
func (f *function) inTheWay(ctx context.Context, group string, in device.Identity) error {
	if err := in.Normalise(); err != nil {
		return err
	}
	other, err := f.p.API.GetIdentity(ctx, in.ID)
	if err != nil && !errors.Is(err, api.ErrNotFound) {
		return err
	}
	theirs := err == nil && other.Owner == group
	if err == nil && !theirs {
		t, err := f.twins.Get(ctx, string(in.ID))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		theirs = err == nil && t.Deleted.IsZero() && t.Definition.Owner == group
	}
	switch {
	case theirs:
		return refusal(fmt.Sprintf("serial %q cannot be registered: its id would be %s, and that is the device with serial %q; if it is that one, write its serial so, else have a configurator register it with another id",
			in.Serial, in.ID, other.Serial))
	case in.MAC == "":
		return refusal(fmt.Sprintf("serial %q cannot be registered: what would be its id, %s, is another device's; check the serial, or have a configurator register it with another id", in.Serial, in.ID))
	}
	return refusal(fmt.Sprintf("serial %q cannot be registered: what would be its id, %s, or its mac, is another device's; check both, or have a configurator register it", in.Serial, in.ID))
}

// checkLocation refuses a device that is not said to be in a region.
func checkLocation(r *provision.Run, region string) (result, error) {
	at := ""
	if r.Location != nil {
		at = r.Location.Region
	}
	switch at {
	case region:
		return done("in region " + region), nil
	case "":
		return result{}, refusal("it is not known where the device is; it must be in region " + region)
	}
	return result{}, refusal(fmt.Sprintf("the device is in region %s, and must be in %s", at, region))
}

// toldGroup is how the log says that people were told.
const toldGroup = "told group "

// notifyAgain is how soon a state tells people again: a model may lead back to it as often as the device asks.
const notifyAgain = time.Minute

// notify has people told by their routes, the same state once in notifyAgain; what is undone tells always. Repeating an attempt tells nobody twice.
func (f *function) notify(ctx context.Context, r *provision.Run, with map[string]string) (result, error) {
	to := r.Owner
	if g, ok := strings.CutPrefix(with["to"], "group:"); ok {
		to = g
	}
	if to == "" {
		return done("there is no group to be told"), nil
	}
	since := f.p.Time().Add(-notifyAgain)
	if !r.Undoing() && slices.ContainsFunc(r.Steps, func(s provision.Step) bool {
		return s.State == r.State && s.Action == provision.Notify && s.At.After(since) && strings.HasPrefix(s.Reason, toldGroup)
	}) {
		return done("not told again within " + notifyAgain.String()), nil
	}
	n := api.Notification{Key: fmt.Sprintf("%s/%d/told", roundOf(r), r.Attempt), Owner: to, Title: short(r.Fill(with["text"]), 200), Link: "/runs/" + r.ID,
		Text: short(fmt.Sprintf("Serial    %s\nType      %s\nState     %s", r.Request.Serial, r.Type, r.State), 4000)}
	if _, err := f.p.API.Notify(ctx, n); err != nil {
		return result{}, err
	}
	return done(toldGroup + to), nil
}
