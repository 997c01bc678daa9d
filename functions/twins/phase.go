package twins

import (
	"context"
	"fmt"
	"slices"

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
		if !d.Phase.To(in.Phase) {
			return fmt.Errorf("%w: twin %s is %s and cannot become %s", api.ErrConflict, t.ID, d.Phase, in.Phase)
		}
		if d.Phase == in.Phase && same(d.Configuration, in.Configuration) {
			return store.Unchanged
		}
		d.Phase = in.Phase
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

// moves are the phases that people may bring many twins into at once, and from where. All other moves are provisioning's.
var moves = map[twin.Phase][]twin.Phase{
	twin.Suspended:   {twin.Operational},
	twin.Operational: {twin.Suspended},
	twin.Retired:     {twin.Onboarding, twin.Operational, twin.Suspended},
}

// move brings an instance into another phase at people's wish.
func (f *function) move(ctx context.Context, h hand, id twin.ID, to twin.Phase) error {
	_, err := f.change(ctx, h, id, event.TwinChanged, func(t *twin.Twin) error {
		d := &t.Definition
		switch {
		case t.Kind != twin.Instance:
			return api.Invalid("%s is of kind %s; only instances have phases", t.ID, t.Kind)
		case d.Phase == to:
			return store.Unchanged
		case !slices.Contains(moves[to], d.Phase):
			return fmt.Errorf("%w: twin %s is %s and cannot become %s by a job", api.ErrConflict, t.ID, d.Phase, to)
		}
		d.Phase = to
		t.Live.Due = f.p.Time()
		return nil
	})
	return err
}
