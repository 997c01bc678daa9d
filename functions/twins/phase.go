package twins

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxContent bounds a rendered configuration, in bytes.
const maxContent = 256 << 10

// setPhase moves an instance on in its life. Asking again for what is so already changes nothing.
func (f *function) setPhase(ctx context.Context, c *faas.Call, in api.PhaseChange) (faas.Reply, error) {
	if !in.Phase.Valid() {
		return faas.Reply{}, api.Invalid("phase %.40q must be onboarding, provisioning, operational, suspended or retired", in.Phase)
	}
	if in.Configuration != nil && len(in.Configuration.Content) > maxContent {
		return faas.Reply{}, api.Invalid("configuration.content has %d bytes, at most %d are taken", len(in.Configuration.Content), maxContent)
	}
	t, err := f.change(ctx, hand{caller: c.Caller}, twin.ID(c.Var("id")), event.TwinChanged, func(t *twin.Twin) error {
		d := &t.Definition
		if t.Kind != twin.Instance {
			return api.Invalid("%s is of kind %s; only instances have phases", t.ID, t.Kind)
		}
		// Who has suspended it alone resumes it: enrolling the device anew, or another one in its place, does not.
		to, suspended := in.Phase, d.Suspended || d.Phase == twin.Suspended
		if to == twin.Operational && suspended {
			to = twin.Suspended
		}
		if !d.Phase.To(to) {
			return fmt.Errorf("%w: twin %s is %s and cannot become %s", api.ErrConflict, t.ID, d.Phase, in.Phase)
		}
		if d.Phase == to && same(d.Configuration, in.Configuration) {
			return store.Unchanged
		}
		d.Phase, d.Suspended = to, suspended
		if k := in.Configuration; k != nil {
			k.Rendered = k.Rendered.UTC().Truncate(1e6)
			d.Configuration = k
		}
		t.Live.Due = f.p.Time() // rules and silence count in some phases only: twin-ingest is to look
		return nil
	})
	return faas.Versioned(t.Definition.Version, t), err
}

// same tells whether the configuration asked for is the one that is there; nil asks for none.
func same(has, asked *twin.Configuration) bool {
	return asked == nil || has != nil && has.Template == asked.Template && has.Version == asked.Version && has.Content == asked.Content
}

// move brings an instance into another phase at people's wish: operational ends what suspended began. All other moves are
// provisioning's.
func (f *function) move(ctx context.Context, h hand, id twin.ID, to twin.Phase) error {
	_, err := f.change(ctx, h, id, event.TwinChanged, func(t *twin.Twin) error {
		d := &t.Definition
		if t.Kind != twin.Instance {
			return api.Invalid("%s is of kind %s; only instances have phases", t.ID, t.Kind)
		}
		suspended := d.Suspended || d.Phase == twin.Suspended
		switch {
		case to == d.Phase && (to == twin.Suspended) == suspended, to == twin.Suspended && suspended:
			return store.Unchanged
		case to == twin.Suspended && d.Phase != twin.Retired: // whatever it is: people may keep a device out at any time
			d.Suspended = true
			if d.Phase == twin.Operational {
				d.Phase = to
			}
		case to == twin.Operational && suspended && d.Phase != twin.Retired:
			d.Suspended = false
			if d.Phase == twin.Suspended {
				d.Phase = to
			}
			t.Outbox.Add(string(t.ID), event.TwinResumed, string(t.ID), f.p.Time(), api.TwinChanged{Twin: t.ID, Kind: t.Kind, Phase: d.Phase, Part: "definition"})
		case to == twin.Retired && d.Phase != twin.Provisioning:
			if err := f.alone(ctx, h.caller, t); err != nil {
				return err
			}
			d.Phase = to
		default:
			return fmt.Errorf("%w: twin %s is %s and cannot become %s by people or jobs", api.ErrConflict, t.ID, d.Phase, to)
		}
		t.Live.Due = f.p.Time()
		return nil
	})
	return err
}
