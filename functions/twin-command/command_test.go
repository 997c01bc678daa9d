package twincommand_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A command's whole way: asked for, told to the connector, fetched, sent, answered; each step is told of, and the twin lists
// the command as long as it is open.
func TestACommandsWay(t *testing.T) {
	w := start(t, "valve-1")
	changes := w.Collect(event.CommandChanged)
	nudges := make(chan bus.Downlink, 10)
	stop, err := w.Base.Bus.Downlinks("gw-1", func(d bus.Downlink) { nudges <- d })
	w.must(err)
	defer stop()
	w.connect("valve-1", "s1", true)

	n := w.send(api.NewCommand{Twin: "valve-1", Name: "open", Input: json.RawMessage(` {"percent": 40} `)})
	if n.State != api.CommandQueued || string(n.Input) != `{"percent":40}` || n.By != "user:olga" || n.Expires != noon.Add(time.Minute) {
		t.Errorf("asked for: %+v", n)
	}
	select {
	case d := <-nudges:
		if d.Twin != "valve-1" || !slices.Equal(d.Commands, []string{n.ID}) {
			t.Errorf("the connector is told %+v", d)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the connector is not told")
	}
	if waiting := w.connect("valve-1", "s1", true); !slices.Equal(waiting, []string{n.ID}) {
		t.Errorf("twin-ingest says that %v waits", waiting)
	}
	got := w.lease("c1", "valve-1", "s1", n.ID)
	if len(got) != 1 || got[0].Name != "open" || string(got[0].Input) != `{"percent":40}` || got[0].Twin != "valve-1" {
		t.Fatalf("leased: %+v", got)
	}
	if again := w.lease("c1", "valve-1", "s1", n.ID); len(again) != 1 || again[0].Lease != got[0].Lease {
		t.Errorf("the same holder who asks again gets %+v", again)
	}
	if other := w.lease("c2", "valve-1", "s1", n.ID); len(other) != 0 {
		t.Errorf("another holder gets %+v", other)
	}
	if x := w.get(n.ID); x.State != api.CommandDelivering || x.Attempts != 1 {
		t.Errorf("leased: %+v", x)
	}
	w.report("c2", got[0], true) // not its lease
	if x := w.get(n.ID); x.State != api.CommandDelivering {
		t.Errorf("reported by somebody else: %s", x.State)
	}
	w.report("c1", got[0], true)
	w.report("c1", got[0], false) // too late to change one's mind
	if x := w.get(n.ID); x.State != api.CommandSent || x.Sent != noon {
		t.Errorf("sent: %+v", x)
	}
	if l := w.lists("valve-1"); l != `[null,["`+n.ID+`"],null]` {
		t.Errorf("the twin lists %s", l)
	}
	w.answer("valve-1", n.ID, true, 1)
	w.must(w.deliver()) // once more
	x := w.get(n.ID)
	if x.State != api.CommandSucceeded || string(x.Output) != `{"position":40}` || x.Reason != "as told" || x.Late || x.Answered != noon || x.Ended != noon {
		t.Errorf("answered: %+v", x)
	}
	w.answer("valve-1", n.ID, false, 2)
	if y := w.get(n.ID); y.State != api.CommandSucceeded {
		t.Errorf("a second answer made it %s", y.State)
	}
	if l := w.lists("valve-1"); strings.Contains(l, n.ID) {
		t.Errorf("the twin lists %s", l)
	}
	var states []string
	functiontest.Eventually(t, "three changes are told", func() bool {
		states = nil
		for _, e := range changes() {
			var d api.CommandChanged
			w.must(e.Decode(&d))
			states = append(states, string(d.State))
		}
		return len(states) >= 3
	})
	if !slices.Equal(states, []string{"queued", "sent", "succeeded"}) {
		t.Errorf("told: %v", states)
	}
}

// What becomes of commands when somebody does not do their part, and what is said of it.
func TestTheStateIsTrue(t *testing.T) {
	w := start(t)
	const hour = twin.Duration(time.Hour)
	sent := func(id twin.ID, n api.Command) api.LeasedCommand {
		l := w.lease("c1", id, "s1", n.ID)[0]
		w.report("c1", l, true)
		return l
	}
	for name, c := range map[string]struct {
		repeatable bool
		timeout    twin.Duration
		play       func(id twin.ID, n api.Command)
		state      api.CommandState
		reason     string
		attempts   int
		late       bool
		open       bool // still listed by the twin, as one whose answer would count
	}{
		"nobody fetches it": {false, 0, func(twin.ID, api.Command) { w.later(time.Minute) }, api.CommandTimedOut, "has not had the command", 0, false, false},
		"the connector that had it says nothing": {false, hour, func(id twin.ID, n api.Command) {
			if l := w.lease("c1", id, "s1", n.ID)[0]; l.Expires != noon.Add(time.Hour) || !l.Until.Before(l.Expires) {
				t.Errorf("it may be delivered until %s, and is over %s", l.Until, l.Expires)
			}
			w.later(119 * time.Second)
			if got := w.lease("c2", id, "s1", n.ID); len(got) > 0 {
				t.Errorf("leased twice: %+v", got)
			}
			w.later(time.Second)
		}, api.CommandUnknown, "may have had it", 1, false, true},
		"the same, of a repeatable one": {true, hour, func(id twin.ID, n api.Command) {
			w.lease("c1", id, "s1", n.ID)
			w.later(30 * time.Second)
			w.lease("c2", id, "s1", n.ID)
		}, api.CommandDelivering, "", 2, false, true},
		"the lease of a repeatable one is over after its time": {true, 0, func(id twin.ID, n api.Command) {
			w.later(45 * time.Second)
			if l := w.lease("c1", id, "s1", n.ID)[0]; l.Until != noon.Add(time.Minute) || l.Expires != n.Expires || l.Owner != "plant" {
				t.Errorf("it may be delivered until %s, after its time; it is over %s; its owner is %q", l.Until, l.Expires, l.Owner)
			}
			w.later(29 * time.Second)
			w.later(time.Second)
		}, api.CommandUnknown, "may have had it", 1, false, true},
		"the device had gone, and is back": {false, hour, func(id twin.ID, n api.Command) {
			w.report("c1", w.lease("c1", id, "s1", n.ID)[0], false)
			w.report("c2", w.lease("c2", id, "s1", n.ID)[0], true)
		}, api.CommandSent, "", 1, false, true},
		"the device had gone, and stays away": {false, 0, func(id twin.ID, n api.Command) {
			w.report("c1", w.lease("c1", id, "s1", n.ID)[0], false)
			w.later(time.Minute)
		}, api.CommandTimedOut, "has not had the command", 0, false, false},
		"the device does not answer": {false, 0, func(id twin.ID, n api.Command) { sent(id, n); w.later(time.Minute) },
			api.CommandTimedOut, "not answered in time", 1, false, true},
		"the device does not answer what may be repeated": {true, hour, func(id twin.ID, n api.Command) {
			sent(id, n)
			w.later(30 * time.Second)
		}, api.CommandQueued, "offered again", 1, false, true},
		"the device answers late": {false, 0, func(id twin.ID, n api.Command) {
			sent(id, n)
			w.later(time.Minute)
			w.answer(id, n.ID, false, 1)
		}, api.CommandFailed, "as told", 1, true, false},
		"the device answers although nobody knew that it had it": {false, hour, func(id twin.ID, n api.Command) {
			w.lease("c1", id, "s1", n.ID)
			w.later(2 * time.Minute)
			w.answer(id, n.ID, true, 1)
		}, api.CommandSucceeded, "as told", 1, true, false},
		"the answer is faster than the connector": {false, hour, func(id twin.ID, n api.Command) {
			l := w.lease("c1", id, "s1", n.ID)[0]
			w.answer(id, n.ID, true, 1)
			w.report("c1", l, true)
		}, api.CommandSucceeded, "as told", 1, false, false},
		"the device answers what it never had": {false, hour, func(id twin.ID, n api.Command) { w.answer(id, n.ID, true, 1) },
			api.CommandQueued, "", 0, false, true},
		"cancelled before the device had it": {false, hour, func(_ twin.ID, n api.Command) {
			_, err := w.owner.CancelCommand(w.ctx, n.ID)
			w.must(err)
		}, api.CommandCancelled, "by user:olga", 0, false, false},
		"cancelled after the device had it": {false, hour, func(id twin.ID, n api.Command) {
			sent(id, n)
			_, err := w.owner.CancelCommand(w.ctx, n.ID)
			w.must(err)
		}, api.CommandUnknown, "may carry it out", 1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w.SetTime(noon)
			id := twin.ID(strings.Trim(strings.Map(func(r rune) rune {
				if r == ' ' || r == ',' {
					return '-'
				}
				return r
			}, name), "-"))
			w.add(id)
			w.connect(id, "s1", true)
			n := w.send(api.NewCommand{Twin: id, Name: "open", Timeout: c.timeout, Repeatable: c.repeatable})
			c.play(id, n)
			x := w.get(n.ID)
			if x.State != c.state || !strings.Contains(x.Reason, c.reason) || x.Attempts != c.attempts || x.Late != c.late || x.State.Ended() != !x.Ended.IsZero() {
				t.Errorf("it ended as %+v", x)
			}
			if l := w.lists(id); strings.Contains(l, n.ID) != c.open {
				t.Errorf("the twin lists %s", l)
			}
			_, err := w.owner.CancelCommand(w.ctx, n.ID)
			if over := x.State.Ended() && x.State != api.CommandCancelled; over != errors.Is(err, api.ErrConflict) {
				t.Errorf("cancelling a command that is %s: %v", x.State, err)
			}
		})
	}
}

// Only the connector of the gateway where the device is now gets its commands.
func TestWhoGetsALease(t *testing.T) {
	w := start(t, "valve-1")
	w.connect("valve-1", "s2", true)
	n := w.send(api.NewCommand{Twin: "valve-1", Name: "open", Timeout: twin.Duration(time.Hour)})
	ask := func(c *api.Client, gateway, session string, id twin.ID) (int, error) {
		l, err := c.LeaseCommands(w.ctx, api.LeaseCommands{Gateway: gateway, Holder: "x", Devices: []api.LeaseDevice{{Twin: id, Session: session, Commands: []string{n.ID}}}})
		return len(l.Commands), err
	}
	w.add("valve-2")
	w.connect("valve-2", "s2", true)
	for name, c := range map[string]struct {
		client  *api.Client
		gateway string
		session string
		twin    twin.ID
		err     error
	}{
		"an older session":             {w.connector, "gw-1", "s1", "valve-1", nil},
		"another twin":                 {w.connector, "gw-1", "s2", "valve-2", nil},
		"another gateway's connector":  {w.Part("connector", "gw-2"), "gw-2", "s2", "valve-1", nil},
		"in another gateway's name":    {w.Part("connector", "gw-2"), "gw-1", "s2", "valve-1", access.ErrDenied},
		"another part of the platform": {w.Part("alerts", ""), "gw-1", "s2", "valve-1", access.ErrDenied},
		"its owner":                    {w.owner, "gw-1", "s2", "valve-1", access.ErrDenied},
		"nobody":                       {w.Nobody(), "gw-1", "s2", "valve-1", access.ErrUnauthenticated},
	} {
		if got, err := ask(c.client, c.gateway, c.session, c.twin); got != 0 || !errors.Is(err, c.err) {
			t.Errorf("%s gets %d commands, %v", name, got, err)
		}
	}
	phase := func(p twin.Phase) {
		_, err := w.twins.Update(w.ctx, "valve-1", func(t *twin.Twin) error { t.Definition.Phase = p; return nil })
		w.must(err)
	}
	phase(twin.Suspended)
	if got, err := ask(w.connector, "gw-1", "s2", "valve-1"); got != 0 || err != nil {
		t.Errorf("of a suspended twin: %d commands, %v", got, err)
	}
	if waiting := w.connect("valve-1", "s3", true); waiting != nil {
		t.Errorf("of a suspended twin %v waits", waiting)
	}
	if _, err := w.owner.SendCommand(w.ctx, api.NewCommand{Twin: "valve-1", Name: "open"}); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "suspended") {
		t.Errorf("a command for a suspended twin: %v", err)
	}
	phase(twin.Operational)
	w.connect("valve-1", "s3", false)
	if got, err := ask(w.connector, "gw-1", "s3", "valve-1"); got != 0 || err != nil {
		t.Errorf("of a device that is not connected: %d commands, %v", got, err)
	}
	w.connect("valve-1", "s4", true)
	w.Enrol("gw-2", 1, "valve-1")
	w.SetTime(w.Now().Add(time.Minute))
	if got, err := ask(w.connector, "gw-1", "s4", "valve-1"); got != 0 || err != nil {
		t.Errorf("of a device whose place is elsewhere: %d commands, %v", got, err)
	}
	w.Enrol("gw-1", 1, "valve-1")
	w.SetTime(w.Now().Add(time.Second))
	if got, err := ask(w.connector, "gw-1", "s4", "valve-1"); got != 1 || err != nil {
		t.Errorf("the connector where it is: %d commands, %v", got, err)
	}
}

// Whose twin it is not learns nothing; who may only read, reads.
func TestAccess(t *testing.T) {
	w := start(t)
	w.SetTime(time.Now()) // signing in knows no past
	stranger := w.User("sid", []access.Role{access.Owner, access.Configurator}, "others")
	viewer := w.User("vera", []access.Role{access.Viewer}, "plant")
	w.add("valve-1")
	n := w.send(api.NewCommand{Twin: "valve-1", Name: "open", Input: json.RawMessage(`"secret"`)})
	for name, call := range map[string]func(c *api.Client, id string, of twin.ID) error{
		"get":    func(c *api.Client, id string, _ twin.ID) error { _, err := c.GetCommand(w.ctx, id); return err },
		"cancel": func(c *api.Client, id string, _ twin.ID) error { _, err := c.CancelCommand(w.ctx, id); return err },
		"send": func(c *api.Client, _ string, of twin.ID) error {
			_, err := c.SendCommand(w.ctx, api.NewCommand{Twin: of, Name: "open", Key: "k"})
			return err
		},
		"list": func(c *api.Client, _ string, of twin.ID) error {
			_, err := c.ListCommands(w.ctx, api.CommandQuery{Twin: of})
			return err
		},
	} {
		foreign, none := call(stranger, n.ID, "valve-1"), call(stranger, "cmd-0123456789abcdef", "valve-9")
		says := strings.NewReplacer(n.ID, "X", "cmd-0123456789abcdef", "X", "valve-1", "X", "valve-9", "X").Replace
		if !errors.Is(foreign, api.ErrNotFound) || says(fmt.Sprint(foreign)) != says(fmt.Sprint(none)) {
			t.Errorf("%s: a stranger gets %v, of what is not there %v", name, foreign, none)
		}
		if err := call(viewer, n.ID, "valve-1"); (name == "get" || name == "list") != (err == nil) || err != nil && !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: a viewer of the group gets %v", name, err)
		}
	}
	if _, err := stranger.ListCommands(w.ctx, api.CommandQuery{}); err == nil || !strings.Contains(err.Error(), "?twin=") {
		t.Errorf("a stranger lists all commands: %v", err)
	}
	for range 3 {
		w.send(api.NewCommand{Twin: "valve-1", Name: "open"})
	}
	page, err := w.admin.ListCommands(w.ctx, api.CommandQuery{Limit: 3, State: "open"})
	w.must(err)
	rest, err := w.admin.ListCommands(w.ctx, api.CommandQuery{Limit: 3, State: "open", Cursor: page.Next})
	w.must(err)
	if len(page.Items) != 3 || len(rest.Items) != 1 || rest.Next != "" {
		t.Errorf("the pages have %d and %d commands", len(page.Items), len(rest.Items))
	}
}

// The same key is the same command, and only a bounded number of commands wait.
func TestKeysAndBounds(t *testing.T) {
	w := start(t, "valve-1", "valve-2")
	in := api.NewCommand{Twin: "valve-1", Name: "open", Key: "shift-2"}
	first, again := w.send(in), w.send(in)
	if first.ID != again.ID {
		t.Errorf("the same key made %s and %s", first.ID, again.ID)
	}
	in.Twin = "valve-2"
	if other := w.send(in); other.ID == first.ID {
		t.Error("the key of another twin is the same command")
	}
	in.Twin, in.Name = "valve-1", "close"
	if _, err := w.owner.SendCommand(w.ctx, in); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "new key") {
		t.Errorf("another command of the same key: %v", err)
	}
	for range 31 {
		w.send(api.NewCommand{Twin: "valve-1", Name: "open"})
	}
	if _, err := w.owner.SendCommand(w.ctx, api.NewCommand{Twin: "valve-1", Name: "open"}); !errors.Is(err, api.ErrTooMany) || !strings.Contains(err.Error(), "cancel some") {
		t.Errorf("one command too many: %v", err)
	}
	in.Name = "open"
	w.send(in) // has its place
	// A twin that lists what is over is brought in line.
	_, err := w.owner.CancelCommand(w.ctx, first.ID)
	w.must(err)
	_, err = w.twins.Update(w.ctx, "valve-1", func(t *twin.Twin) error { t.Commands.Put(first.ID, twin.Sent); return nil })
	w.must(err)
	w.send(api.NewCommand{Twin: "valve-1", Name: "open"})
}

// Commands go with their twin, and some time after their end.
func TestCommandsAreForgotten(t *testing.T) {
	w := start(t, "valve-1", "valve-2")
	old := w.send(api.NewCommand{Twin: "valve-1", Name: "open"})
	w.later(time.Minute)
	w.later(29 * 24 * time.Hour)
	w.get(old.ID)
	long := w.send(api.NewCommand{Twin: "valve-1", Name: "open", Timeout: twin.Duration(30 * 24 * time.Hour)})
	w.later(25 * time.Hour)
	if _, err := w.owner.GetCommand(w.ctx, old.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("after 30 days it is still there: %v", err)
	}
	other := w.send(api.NewCommand{Twin: "valve-2", Name: "open"})
	gone := event.New("e1", event.TwinDeleted, "valve-1", w.Now(), api.TwinChanged{Twin: "valve-1"})
	w.SetTime(w.Now().Add(time.Second))
	anew := w.send(api.NewCommand{Twin: "valve-1", Name: "open"})
	w.must(w.Event("twin-command", gone))
	if _, err := w.owner.GetCommand(w.ctx, long.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the command of a deleted twin is there: %v", err)
	}
	w.get(anew.ID)
	w.get(other.ID)
	w.must(w.twins.Delete(w.ctx, "valve-2")) // and the event got lost
	w.later(time.Minute)
	w.add("valve-2")
	if _, err := w.owner.GetCommand(w.ctx, other.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the command of a deleted twin is there: %v", err)
	}
}
