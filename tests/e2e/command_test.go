package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// A valve is a device that counts how often it was opened.
type valve struct {
	*device.Device
	opened atomic.Int64
	hold   chan struct{} // closed to let it open
}

func (w *World) valve(serial, owner string) *valve {
	w.Helper()
	w.Identity(serial)
	v := &valve{hold: make(chan struct{})}
	close(v.hold)
	d, err := device.Start(device.Config{Claim: w.Claim("valve", owner), Serial: serial, Dir: w.TempDir(), AnswerTimeout: 5 * time.Second,
		Commands: map[string]agent.Handler{"open": func(ctx context.Context, c agent.Command) (any, error) {
			n := v.opened.Add(1)
			select {
			case <-v.hold:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return map[string]any{"opened": n, "asked": c.Input}, nil
		}}})
	w.must(err, "valve")
	w.Cleanup(func() { d.Close() })
	v.Device = d
	w.Ready(d)
	return v
}

// Ended waits until a command is over.
func (w *World) Ended(c *api.Client, id string) (n api.Command) {
	w.Helper()
	w.Eventually("command "+id+" is over", func() bool {
		var err error
		n, err = c.GetCommand(w.Context(), id)
		w.must(err, "command")
		return n.State.Ended()
	})
	return n
}

// An owner tells a device to do something: at once where it is there, as soon as it is back where it is not; and is told the
// truth of what became of it.
func TestCommands(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("valve")
		owner, stranger := w.Owner("plant"), w.Owner("others")
		v := w.valve("V-1", "plant")
		send := func(in api.NewCommand) api.Command {
			t.Helper()
			in.Twin = v.Twin()
			n, err := owner.SendCommand(w.Context(), in)
			w.must(err, "send")
			return n
		}

		// It is connected and silent.
		w.Eventually("the twin is online", func() bool { t := w.Twin(v.Twin()); return t.Live.Presence.Connected })
		n := w.Ended(owner, send(api.NewCommand{Name: "open", Input: json.RawMessage(`{"percent":40}`)}).ID)
		if n.State != api.CommandSucceeded || n.Attempts != 1 || n.Late || n.By != "user:plant-owner" || !strings.Contains(string(n.Output), `"percent":40`) {
			t.Errorf("the command to a silent device ended as %+v with output %s", n, n.Output)
		}
		if n := w.Ended(owner, send(api.NewCommand{Name: "close"}).ID); n.State != api.CommandFailed || !strings.Contains(n.Reason, `knows no command "close"`) {
			t.Errorf("a command the device does not know ended as %+v", n)
		}
		if _, err := stranger.GetCommand(w.Context(), n.ID); api.ProblemOf(err).Status != http.StatusNotFound {
			t.Errorf("a stranger who reads the command gets %v", err)
		}

		// It is cut off: one command waits until it is back, another is over before.
		v.CutOff()
		w.Eventually("the twin is offline", func() bool { t := w.Twin(v.Twin()); return !t.Live.Presence.Connected })
		waiting := send(api.NewCommand{Name: "open", Timeout: twin.Duration(time.Hour), Key: "shift-2"})
		if again := send(api.NewCommand{Name: "open", Timeout: twin.Duration(time.Hour), Key: "shift-2"}); again.ID != waiting.ID {
			t.Errorf("the same key made a second command, %s beside %s", again.ID, waiting.ID)
		}
		short := w.Ended(owner, send(api.NewCommand{Name: "open", Timeout: twin.Duration(time.Second)}).ID)
		if short.State != api.CommandTimedOut || short.Attempts != 0 || !strings.Contains(short.Reason, "not had") {
			t.Errorf("the command whose time was over before the device was back ended as %+v", short)
		}
		taken := send(api.NewCommand{Name: "open", Timeout: twin.Duration(time.Hour)})
		if n, err := owner.CancelCommand(w.Context(), taken.ID); err != nil || n.State != api.CommandCancelled {
			t.Errorf("cancelled before it was sent: %+v, %v", n, err)
		}
		v.Reconnect()
		if n := w.Ended(owner, waiting.ID); n.State != api.CommandSucceeded {
			t.Errorf("the command that waited for the device ended as %+v", n)
		}
		if got := v.opened.Load(); got != 2 {
			t.Errorf("the valve was opened %d times, want 2", got)
		}

		// The connection breaks while it is at it: a command that may not be repeated is not, and a late answer counts.
		v.hold = make(chan struct{})
		n = send(api.NewCommand{Name: "open", Timeout: twin.Duration(10 * time.Second)})
		w.Eventually("the valve is opening", func() bool { return v.opened.Load() == 3 })
		v.CutOff()
		close(v.hold)
		if n = w.Ended(owner, n.ID); n.State != api.CommandTimedOut && n.State != api.CommandUnknown || n.Attempts != 1 {
			t.Errorf("the command whose answer cannot come ended as %+v", n)
		}
		v.Reconnect()
		w.Eventually("the late answer counts", func() bool {
			n, err := owner.GetCommand(w.Context(), n.ID)
			w.must(err, "command")
			return n.State == api.CommandSucceeded && n.Late
		})
		if got := v.opened.Load(); got != 3 {
			t.Errorf("the valve was opened %d times, want 3", got)
		}
		if list, err := owner.ListCommands(w.Context(), api.CommandQuery{Twin: v.Twin()}); err != nil || len(list.Items) != 6 {
			t.Errorf("%d commands are listed, %v", len(list.Items), err)
		}
	})
}

// A command that may be repeated is delivered again when its answer does not come; the device does it once all the same.
func TestACommandDeliveredTwiceIsDoneOnce(t *testing.T) {
	w := NewWorld(t)
	w.Type("valve")
	owner := w.Owner("plant")
	v := w.valve("V-1", "plant")
	v.hold = make(chan struct{})
	n, err := owner.SendCommand(w.Context(), api.NewCommand{Twin: v.Twin(), Name: "open", Timeout: twin.Duration(time.Hour), Repeatable: true})
	w.must(err, "send")
	w.Eventually("the valve is opening", func() bool { return v.opened.Load() == 1 })
	w.Later(time.Minute)
	w.Eventually("it is delivered again", func() bool {
		n, err := owner.GetCommand(w.Context(), n.ID)
		w.must(err, "command")
		return n.Attempts == 2 && n.State == api.CommandSent
	})
	close(v.hold)
	if n := w.Ended(owner, n.ID); n.State != api.CommandSucceeded {
		t.Errorf("the command ended as %+v", n)
	}
	w.Drained(v.Device)
	if got := v.opened.Load(); got != 1 {
		t.Errorf("the valve was opened %d times, want once", got)
	}
	if n, err := owner.GetCommand(w.Context(), n.ID); err != nil || n.State != api.CommandSucceeded || n.Late {
		t.Errorf("after both answers the command is %+v, %v", n, err)
	}
}
