package linktest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A Legacy is a device that speaks a Dialect over a protocol.
type Legacy interface {
	// Say sends a message; acknowledged is closed when the gateway has acknowledged it, with QoS 0 when it is sent.
	Say(topic string, payload []byte, qos byte, retain bool) (acknowledged <-chan struct{})

	// Subscribe tells whether the gateway grants the filter.
	Subscribe(filter string) (granted bool, err error)

	// Messages are what it hears; Name is the topic.
	Messages() <-chan Message

	Gone() <-chan struct{}
	Close() // with a goodbye
	Cut()   // as a cable is cut
}

// legacyStories are played once for each dialect.
func (d Dialect) stories() (all []story) {
	for what, play := range map[string]func(Dialect, *testing.T, *stage){
		"what it says becomes values of its twin":             Dialect.says,
		"commands come to it by its topics":                   Dialect.hears,
		"it speaks for nobody else":                           Dialect.speaksForItself,
		"its will is its last word if it dies, and only then": Dialect.dies,
		"what is revoked is cut off":                          Dialect.revoked,
		"two of one name do not hear each other":              Dialect.apart,
	} {
		all = append(all, story{d.Driver + ": " + what, func(t *testing.T, s *stage) { play(d, t, s) }})
	}
	slices.SortFunc(all, func(a, b story) int { return compare(a.name, b.name) })
	return all
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// legacy connects one that speaks the dialect, as soon as the gateway lets it in, and has it ask for all that it asks for.
func (d Dialect) legacy(s *stage, id Identity) Legacy {
	s.t.Helper()
	var l Legacy
	Eventually(s.t, id.Client+" is let in", func() (ok bool) {
		var err error
		l, err = s.p.Legacy(s.w, s.address, id, d.Will)
		return err == nil
	})
	s.t.Cleanup(l.Cut)
	for granted, filters := range map[bool][]string{true: d.Subscribes, false: d.Refused} {
		for _, f := range filters {
			if got, err := l.Subscribe(f); err != nil || got != granted {
				s.t.Errorf("%s is granted: %v, %v; want %v", f, got, err, granted)
			}
		}
	}
	return l
}

// said waits until everything that the device has said is stored.
func (s *stage) said(l Legacy, all ...Saying) {
	s.t.Helper()
	for _, m := range all {
		s.wait("the acknowledgement of "+m.Topic, l.Say(m.Topic, []byte(m.Payload), m.QoS, m.Retain))
	}
}

// next is what a device hears next.
func (s *stage) next(l Legacy) (m Message) {
	s.t.Helper()
	select {
	case m = <-l.Messages():
	case <-l.Gone():
		s.t.Fatal("the connection has ended")
	case <-time.After(Patience):
		s.t.Fatal("not in time: a message")
	}
	return m
}

// report is a message that has values of the device.
func (d Dialect) report() (last Saying) {
	for _, m := range d.Says {
		if m.Values != nil && m.Of == "" {
			last = m
		}
	}
	return last
}

func (d Dialect) says(t *testing.T, s *stage) {
	s.start("operational")
	l := d.legacy(s, d.admit(s, "p-1"))
	s.said(l, d.Strange...)
	s.said(l, d.Says...)
	s.said(l, d.Strange...)
	want := map[string][]values{}
	for _, m := range d.Says {
		if m.Values != nil {
			want[m.Of] = append(want[m.Of], m.Values)
		}
	}
	for name, all := range want {
		id := d.twin("p-1", name)
		Eventually(t, "all of it is stored", func() bool { return len(s.w.Platform.Stored(id)) >= len(all) })
		for i, m := range s.w.Platform.Stored(id) {
			if i >= len(all) || m.Kind != telemetry.Telemetry || !reflect.DeepEqual(valuesOf(m), all[i]) || m.Session == "" || m.Gateway != s.w.Gateway || m.Received.IsZero() {
				t.Errorf("stored as message %d of %q: %+v", i, name, m)
			}
			if i > 0 && !m.Order.After(s.w.Platform.Stored(id)[i-1].Order) {
				t.Errorf("message %d of %q has the order %+v", i, name, m.Order)
			}
		}
		if p := s.w.Platform.Presence(id); len(p) != 1 || p[0].Samples[0].Value != true {
			t.Errorf("presence of %q: %+v", name, p)
		}
	}
	if p := s.w.Platform.Parked(); len(p) != 0 {
		t.Errorf("parked: %+v", p)
	}
	if n := s.w.Platform.Overlaps(); n != 0 {
		t.Errorf("%d batches of one twin overlapped", n)
	}
}

func (d Dialect) hears(t *testing.T, s *stage) {
	s.start("operational")
	l := d.legacy(s, d.admit(s, "p-1"))
	for i, h := range d.Hears {
		s.w.Platform.Command(api.LeasedCommand{ID: fmt.Sprintf("c-%d", i), Twin: d.twin("p-1", ""), Name: h.Command, Input: h.input(), Until: Soon()})
		s.said(l, d.report(), Saying{Topic: d.Foreign.Topic, Payload: d.Foreign.Payload, QoS: 1})
		if m := s.next(l); m.Name != h.Topic || string(m.Payload) != h.Payload {
			t.Errorf("%s came as %s %s, want %s %s", h.Command, m.Name, m.Payload, h.Topic, h.Payload)
		}
	}
	s.w.Platform.Command(api.LeasedCommand{ID: "c-other", Twin: d.twin("p-1", ""), Name: d.Hears[0].Command, Input: other(d.Hears[0]), Until: Soon()})
	s.said(l, d.report())
	Eventually(t, "all are answered", func() bool { return len(answers(s)) > len(d.Hears) })
	for id, a := range answers(s) {
		if !a.OK {
			t.Errorf("command %s is answered %+v", id, a)
		}
	}
	if m := s.next(l); m.Name != d.Hears[0].Topic {
		t.Errorf("a command with another's name in it came as %s %s", m.Name, m.Payload)
	}
	select {
	case m := <-l.Messages():
		t.Errorf("it hears %s %s beside", m.Name, m.Payload)
	default:
	}
}

// answers are those that were given to commands.
func answers(s *stage) map[string]*telemetry.Answer {
	all := map[string]*telemetry.Answer{}
	for _, m := range s.w.Platform.Stored("") {
		if m.Answer != nil {
			all[m.Answer.Command] = m.Answer
		}
	}
	return all
}

func (d Dialect) speaksForItself(t *testing.T, s *stage) {
	s.start("operational")
	l, other := d.legacy(s, d.admit(s, "p-1")), s.device("p-2")
	s.said(l, d.Foreign)
	s.said(l, Saying{Topic: "castor/p-2/telemetry", Payload: `{"rpm":1}`, QoS: 1})
	s.said(l, Saying{Topic: "castor/p-1/telemetry", Payload: `{"rpm":1}`, QoS: 1})
	if granted, err := l.Subscribe("castor/p-2/command/+"); granted || err != nil {
		t.Errorf("another's commands are granted: %v, %v", granted, err)
	}
	s.said(l, d.report())
	s.wait("another's acknowledgement", other.Publish(telemetry.Telemetry, reading(1, 1)))
	Eventually(t, "its own is stored", func() bool {
		return len(s.w.Platform.Stored(d.twin("p-1", ""))) > 0
	})
	for _, m := range s.w.Platform.Stored("") {
		if m.Twin != d.twin("p-1", "") && m.Order.Seq != 1 || valuesOf(m)["rpm"] != nil && m.Twin != TwinOf("p-2") {
			t.Errorf("stored %+v", m)
		}
	}
	if p := s.w.Platform.Parked(); len(p) != 0 {
		t.Errorf("parked: %+v", p)
	}
	s.notYet("the end of its connection", l.Gone())
}

func (d Dialect) dies(t *testing.T, s *stage) {
	s.start("operational")
	id := d.admit(s, "p-1")
	wills := func() (n int) {
		for _, m := range s.w.Platform.Stored(TwinOf("p-1")) {
			if reflect.DeepEqual(valuesOf(m), d.Will.Values) {
				n++
			}
		}
		return n
	}
	gone := func(n int) {
		t.Helper()
		Eventually(t, "it is gone", func() bool { return len(s.w.Platform.Presence(TwinOf("p-1"))) == 2*n })
	}
	d.legacy(s, id).Close()
	gone(1)
	if n := wills(); n != 0 {
		t.Errorf("%d wills of one that has said goodbye", n)
	}
	d.legacy(s, id).Cut()
	gone(2)
	want := 1
	if d.Will.Values == nil {
		want = 0
	}
	if n := wills(); n != want {
		t.Errorf("%d wills of one that has died, want %d", n, want)
	}
	stored, presence := s.w.Platform.Stored(TwinOf("p-1")), s.w.Platform.Presence(TwinOf("p-1"))
	if want > 0 && !presence[3].Order.After(stored[0].Order) {
		t.Errorf("it is gone before its last word: %+v, %+v", presence[3].Order, stored[0].Order)
	}
}

func (d Dialect) revoked(t *testing.T, s *stage) {
	s.start("operational")
	id := d.admit(s, "p-1")
	l, other := d.legacy(s, id), s.device("p-2")
	s.said(l, d.Says...)
	s.w.Dismiss("p-1")
	s.wait("the end of the connection", l.Gone())
	if again, err := s.p.Legacy(s.w, s.address, id, d.Will); err == nil {
		again.Cut()
		t.Error("it was let in again")
	}
	s.wait("another's acknowledgement", other.Publish(telemetry.Telemetry, reading(1, 1)))
	Eventually(t, "it is gone, and all that it speaks for", func() bool { return balanced(s.w.Platform.Presence(d.twin("p-1", ""))) })
}

// Two houses have the same names; they must never meet.
func (d Dialect) apart(t *testing.T, s *stage) {
	s.start("operational")
	h, last := d.Hears[0], d.report()
	s.w.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: d.twin("p-1", ""), Name: h.Command, Input: h.input(), Until: Soon()})
	a, b := d.legacy(s, d.admit(s, "p-1")), d.legacy(s, d.admit(s, "p-2"))
	s.said(b, last)
	s.said(a, last)
	if m := s.next(a); m.Name != h.Topic {
		t.Errorf("it hears %s", m.Name)
	}
	s.said(b, d.Says...)
	s.said(b, Saying{Topic: d.Foreign.Topic, Payload: d.Foreign.Payload, QoS: 1})
	select {
	case m := <-b.Messages():
		t.Errorf("another hears %s %s", m.Name, m.Payload)
	default:
	}
	s.notYet("the end of the first", a.Gone())
	s.notYet("the end of the second", b.Gone())
}

// other is the input of a command with another device's name in it.
func other(h Hearing) []byte {
	return fmt.Appendf(nil, `{"device":"another",%s`, h.Input[1:])
}
