package link_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

const valve = `castor: 1
uplink:
- fields: [{name: n, type: u8}]
downlink:
- command: open
  topic: valve/{device}/set
  fields: [{name: percent, type: u8}]
`

// command has a command wait for p-1, whose device listens, until it is reported; then it returns the answer that was given for it, if
// there is one.
func command(t *testing.T, w *linktest.World, l *link.Link, n api.LeasedCommand, answered bool) *telemetry.Answer {
	t.Helper()
	n.Twin, n.Until = "twin-p-1", linktest.Soon()
	w.Platform.Command(n)
	s := l.Open("s-1", "p-1", 1, nil)
	defer s.Close()
	s.Listen()
	publish(s, `{"data":{"hello":1}}`, func(bool) {})
	linktest.Eventually(t, "the delivery is reported", func() bool {
		return slices.Contains(w.Platform.Delivered(), api.CommandDelivery{Command: n.ID, Lease: 1, Sent: true})
	})
	find := func() *telemetry.Answer {
		for _, m := range w.Platform.Stored("twin-p-1") {
			if m.Kind == telemetry.Response && m.Answer.Command == n.ID {
				return m.Answer
			}
		}
		return nil
	}
	if answered {
		linktest.Eventually(t, "it is answered", func() bool { return find() != nil })
	}
	return find()
}

func TestCommandsAreWrittenByTheDriver(t *testing.T) {
	const codec = `function decodeUplink(i) { return {data: {}}; } function encodeDownlink(i) { `
	for name, c := range map[string]struct {
		used    func(w *linktest.World) api.UsedDriver
		command api.LeasedCommand
		refuse  error
		down    link.Down // without an ID; Payload nil = none
		answer  string    // "" = none
	}{
		"by a document, to the device's topic": {
			func(w *linktest.World) api.UsedDriver {
				u := w.Platform.Driver("valve", "1.0.0", driver.Declarative, []byte(valve))
				u.Device = "v-7"
				return u
			},
			api.LeasedCommand{ID: "c-1", Name: "open", Input: json.RawMessage(`{"percent":40}`), Owner: "plant"}, nil,
			link.Down{Payload: []byte{40}, Encoded: true, Topic: "valve/v-7/set", Owner: "plant"}, "true handed over; this firmware does not confirm"},
		"by a codec of a vendor, to a port": {
			func(w *linktest.World) api.UsedDriver {
				return script(w, "codec", "1.0.0", codec+`return {bytes: [1, i.data.percent], fPort: 5}; }`)
			},
			api.LeasedCommand{ID: "c-1", Name: "open", Input: json.RawMessage(`{"percent":40}`)}, nil,
			link.Down{Payload: []byte{1, 40}, Encoded: true, Port: 5}, ""},
		"an input that is no object": {
			func(w *linktest.World) api.UsedDriver {
				return script(w, "codec", "1.0.0", codec+`return {bytes: [i.data.value], fPort: 5}; }`)
			},
			api.LeasedCommand{ID: "c-1", Name: "open", Input: json.RawMessage(`40`)}, nil,
			link.Down{Payload: []byte{40}, Encoded: true, Port: 5}, ""},
		"a codec that tells commands apart": {
			func(w *linktest.World) api.UsedDriver {
				return script(w, "codec", "1.0.0", codec+`return {bytes: [i.command === 'close' ? 2 : 1, Object.keys(i.data).length], fPort: 5}; }`)
			},
			api.LeasedCommand{ID: "c-1", Name: "close"}, nil,
			link.Down{Payload: []byte{2, 0}, Encoded: true, Port: 5}, ""},
		"a driver that writes none": {
			func(w *linktest.World) api.UsedDriver { return script(w, "codec", "1.0.0", counter) },
			api.LeasedCommand{ID: "c-1", Name: "open"}, nil,
			link.Down{Payload: []byte(`{"name":"open"}`)}, ""},
		"no driver": {
			func(*linktest.World) api.UsedDriver { return api.UsedDriver{} },
			api.LeasedCommand{ID: "c-1", Name: "open"}, nil,
			link.Down{Payload: []byte(`{"name":"open"}`)}, ""},
		"a command that it does not know": {
			func(w *linktest.World) api.UsedDriver {
				return w.Platform.Driver("valve", "1.0.0", driver.Declarative, []byte(valve))
			},
			api.LeasedCommand{ID: "c-1", Name: "close"}, nil,
			link.Down{}, `false driver valve@1.0.0: the document has no downlink for the command "close"; it has open`},
		"a driver that throws": {
			func(w *linktest.World) api.UsedDriver {
				return script(w, "codec", "1.0.0", codec+`throw new Error('too wide'); }`)
			},
			api.LeasedCommand{ID: "c-1", Name: "open"}, nil,
			link.Down{}, "false driver codec@1.0.0: exception: Error: too wide at encodeDownlink (line 1)"},
		"a driver in quarantine": {
			func(w *linktest.World) api.UsedDriver {
				u := script(w, "codec", "1.0.0", codec+`return {bytes: [1]}; }`)
				u.Parked = "driver codec@1.0.0 is in quarantine"
				return u
			},
			api.LeasedCommand{ID: "c-1", Name: "open"}, nil,
			link.Down{}, "false driver codec@1.0.0 is in quarantine"},
		"a topic that is not the device's": {
			func(w *linktest.World) api.UsedDriver {
				u := w.Platform.Driver("valve", "1.0.0", driver.Declarative, []byte(valve))
				u.Device = "v-7"
				return u
			},
			api.LeasedCommand{ID: "c-1", Name: "open", Input: json.RawMessage(`{"percent":40}`)}, link.Down{Topic: "x"}.Own(),
			link.Down{Payload: []byte{40}, Encoded: true, Topic: "valve/v-7/set"}, "false the driver names a topic, and devices of this protocol have none of their own"},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := linktest.NewWorld(t), &far{refuse: c.refuse}
			l := decoding(t, w, f, nil)
			w.Platform.Use("twin-p-1", c.used(w))
			a := command(t, w, l, c.command, c.answer != "")
			if got := ""; a != nil {
				if got = fmt.Sprint(a.OK, " ", a.Reason); got != c.answer {
					t.Errorf("answered %q, want %q", got, c.answer)
				}
			} else if c.answer != "" {
				t.Errorf("not answered, want %q", c.answer)
			}
			downs := f.commands()
			if c.down.Payload == nil {
				if len(downs) != 0 {
					t.Errorf("the device got %+v", downs)
				}
				return
			}
			c.down.ID = "c-1"
			for i, d := range downs {
				if d.Encoded && (d.Until.IsZero() || d.Fail == nil) {
					t.Errorf("the device's protocol is not told until when, and whom to tell: %+v", d)
				}
				downs[i].Until, downs[i].Fail = time.Time{}, nil
			}
			if len(downs) != 1 || fmt.Sprintf("%+v", downs[0]) != fmt.Sprintf("%+v", c.down) {
				t.Errorf("the device got %+v, want %+v", downs, c.down)
			}
		})
	}
}

// A driver that takes its time with the command of one device keeps no other waiting, and commands of a device keep their order.
func TestCommandsWaitForNobodyElsesDriver(t *testing.T) {
	w, f := linktest.NewWorld(t), &far{}
	l := decoding(t, w, f, func(c *link.Config) { c.Limits.Backoff = 20 * time.Millisecond })
	slow := script(w, "slow", "1.0.0", `function encodeDownlink(i) { return {bytes: [i.data.n], fPort: 1}; } function decodeUplink(i) { return {data: {}}; }`)
	lost := slow
	lost.Digest = strings.Repeat("0", 64) // its code is not to be had yet
	w.Platform.Use("twin-p-1", lost)
	for i := range 3 {
		w.Platform.Command(api.LeasedCommand{ID: fmt.Sprintf("c-%d", i), Twin: "twin-p-1", Name: "set", Input: fmt.Appendf(nil, `{"n":%d}`, i), Until: linktest.Soon()})
	}
	w.Platform.Command(api.LeasedCommand{ID: "c-9", Twin: "twin-p-2", Name: "set", Until: linktest.Soon()})
	a, b := l.Open("s-1", "p-1", 1, nil), l.Open("s-2", "p-2", 1, nil)
	a.Listen()
	b.Listen()
	a.Publish(telemetry.Event, "castor/p-1/event", []byte(`{"event":"here"}`), time.Now(), func(bool) {})
	linktest.Eventually(t, "the code is asked for", func() bool { return w.Platform.Calls("GET drivers/code") > 1 })
	b.Publish(telemetry.Event, "castor/p-2/event", []byte(`{"event":"here"}`), time.Now(), func(bool) {})
	linktest.Eventually(t, "the other device has its command", func() bool { return len(f.commands()) == 1 })
	w.Platform.Use("twin-p-1", slow)
	tell(t, w, "driver.changed", api.DriverChanged{Name: "slow"})
	linktest.Eventually(t, "all are delivered", func() bool { return len(f.commands()) == 4 })
	var got []byte
	for _, d := range f.commands()[1:] {
		got = append(got, d.Payload...)
	}
	if !slices.Equal(got, []byte{0, 1, 2}) {
		t.Errorf("in the order %v", got)
	}
	linktest.Eventually(t, "the deliveries are reported", func() bool { return len(w.Platform.Delivered()) >= 4 })
	for _, m := range w.Platform.Stored(twin.ID("twin-p-1")) {
		if m.Kind == telemetry.Response {
			t.Errorf("command %s is answered for a device that can do so itself", m.Answer.Command)
		}
	}
}

// What a driver refuses to write is not held against it, what it writes is held in its favour.
func TestCommandsThatTellOfADriver(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", counter+`function encodeDownlink(i) {
		if (i.data.hang) { for (;;) {} }
		return i.data.bad ? {errors: ['percent must be 0 to 100']} : {bytes: [1], fPort: 2}; }`))
	for i, input := range []string{`{"ok":1}`, `{"ok":2}`, `{"bad":1}`, `{"bad":2}`, `{"hang":1}`} {
		command(t, w, l, api.LeasedCommand{ID: fmt.Sprint("c-", i), Name: "set", Input: json.RawMessage(input), Lease: 1}, input == `{"bad":1}`)
	}
	linktest.Eventually(t, "the registry is told", func() bool { return w.Platform.Failures("acme").Grave == 1 })
	if got := w.Platform.Failures("acme"); got.OK < 2+4 || got.Failed != 0 {
		t.Errorf("told %+v, want 2 good beside the messages, the last of which may come later, and none failed", got)
	}
}
