package twincommand

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// nudgeFor bounds how long a connector is waited for to take a nudge. It decides nothing: nudges are repeated.
const nudgeFor = 2 * time.Second

// settle does what has to follow a change of a command: the twin's list, the event, and the nudge where the device is
// there. Failures are logged only: when the command is due it is done again.
func (f *function) settle(ctx context.Context, n command) {
	t, ok := f.file(ctx, n.Twin, n.ID)
	if n.State.Ended() && ok {
		filed, err := f.commands.Update(ctx, n.ID, func(n *command) error {
			if n.Filed || !n.State.Ended() {
				return store.Unchanged
			}
			n.Filed = true
			n.Due = n.due(f.p.Time())
			return nil
		})
		if err == nil {
			n = filed
		}
	}
	if err := f.outbox.Flush(ctx, n); err != nil {
		f.p.Log.WarnContext(ctx, "event of a command left for the sweep", "function", f.p.Part, "command", n.ID, "error", err)
	}
	if ok && n.State == api.CommandQueued {
		f.nudge(ctx, t)
	}
}

// file has the twin list a command where it belongs. The command is read after the twin, within the swap: of those who file
// at once, the last sees the newest state.
func (f *function) file(ctx context.Context, id twin.ID, commands ...string) (t twin.Twin, ok bool) {
	t, err := f.twins.Update(ctx, string(id), func(t *twin.Twin) error {
		if !t.Deleted.IsZero() {
			return store.Unchanged
		}
		docs, err := f.commands.Load(ctx, commands)
		if err != nil {
			return err
		}
		changed := false
		for i, d := range docs {
			in := twin.Nowhere
			if d != nil && d.Value.Twin == id && !d.Value.Created.Before(t.Created) {
				in = d.Value.place()
			}
			changed = t.Commands.Put(commands[i], in) || changed
		}
		if !changed {
			return store.Unchanged
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.p.Log.WarnContext(ctx, "twin does not list its commands yet", "function", f.p.Part, "twin", id, "error", err)
		return t, false
	}
	return t, true
}

// tidy has the twin's list agree with its commands.
func (f *function) tidy(ctx context.Context, t *twin.Twin) error {
	now, ok := f.file(ctx, t.ID, append(append([]string(nil), t.Commands.Waiting...), t.Commands.Sent...)...)
	if !ok {
		return api.ErrUnavailable
	}
	t.Commands = now.Commands
	return nil
}

// nudge tells the connectors of the gateway where the device is connected that commands wait.
func (f *function) nudge(ctx context.Context, t twin.Twin) {
	p := &t.Live.Presence
	if !p.Connected || p.Gateway == "" || len(t.Commands.Waiting) == 0 || t.Definition.Phase != twin.Operational {
		return // what waits goes out when the device is heard of
	}
	ctx, cancel := context.WithTimeout(ctx, nudgeFor)
	defer cancel()
	err := f.send(ctx, bus.Downlink{Gateway: p.Gateway, Twin: string(t.ID), Commands: t.Commands.Waiting})
	if err != nil && !errors.Is(err, bus.ErrNoListener) {
		f.p.Log.InfoContext(ctx, "connector not told that commands wait", "function", f.p.Part, "twin", t.ID, "gateway", p.Gateway, "error", err)
	}
}
