package linktest

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Command has a command wait for a twin: batches of the twin tell of it, and it is leased to the first who asks, and to the
// same again until it is reported.
func (p *Platform) Command(n api.LeasedCommand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.Lease = 1
	p.commands = append(p.commands, n)
}

// Delivered are the deliveries reported, in order.
func (p *Platform) Delivered() []api.CommandDelivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.delivered)
}

// waiting are the commands of twins that nobody has leased. The caller holds the lock.
func (p *Platform) waiting(twins map[twin.ID]bool) map[twin.ID][]string {
	out := map[twin.ID][]string{}
	for _, n := range p.commands {
		if twins[n.Twin] && p.holders[n.ID] == "" {
			out[n.Twin] = append(out[n.Twin], n.ID)
		}
	}
	return out
}

// lease gives what waits.
func (p *Platform) lease(in api.LeaseCommands) (out api.Leased) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holders == nil {
		p.holders = map[string]string{}
	}
	for _, d := range in.Devices {
		for _, n := range p.commands {
			reported := slices.ContainsFunc(p.delivered, func(r api.CommandDelivery) bool { return r.Command == n.ID })
			if n.Twin == d.Twin && slices.Contains(d.Commands, n.ID) && !reported && (p.holders[n.ID] == "" || p.holders[n.ID] == in.Holder) {
				p.holders[n.ID] = in.Holder
				out.Commands = append(out.Commands, n)
			}
		}
	}
	return out
}

func (p *Platform) serveLease(w http.ResponseWriter, r *http.Request, call int) {
	p.mu.Lock()
	lost := call <= p.lost
	p.mu.Unlock()
	serve(w, r, func(in api.LeaseCommands) any {
		out := p.lease(in)
		if lost {
			panic(http.ErrAbortHandler)
		}
		return out
	})
}

// LoseLeases has the answers to the first n requests for leases get lost.
func (p *Platform) LoseLeases(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = n
}

var commandStories = []story{
	{"a command that waits is delivered when the device is heard from", commandWaits},
	{"a command reaches a silent device, once, although answers got lost", commandNudged},
	{"an answer to a command is acknowledged when it is stored", commandAnswered},
}

func commandWaits(t *testing.T, s *stage) {
	s.w.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: TwinOf("p-1"), Name: "open", Input: json.RawMessage(`{"percent":40}`), Until: Soon(), Repeatable: true})
	s.start("operational")
	d := s.device("p-1")
	var got struct {
		Name       string
		Input      struct{ Percent int }
		Repeatable bool
	}
	if err := json.Unmarshal(s.message(d, "command"), &got); err != nil || got.Name != "open" || got.Input.Percent != 40 || !got.Repeatable {
		t.Errorf("the device got %+v, %v", got, err)
	}
	Eventually(t, "the delivery is reported", func() bool {
		return slices.Equal(s.w.Platform.Delivered(), []api.CommandDelivery{{Command: "c-1", Lease: 1, Sent: true}})
	})
}

func commandNudged(t *testing.T, s *stage) {
	s.start("operational")
	d, other := s.device("p-1"), s.device("p-2")
	Eventually(t, "both are there", func() bool { return len(s.w.Platform.Presence("")) == 2 })
	s.w.Platform.LoseLeases(2)
	s.w.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: TwinOf("p-1"), Name: "open", Until: Soon()})
	nudge := func() {
		Eventually(t, "a connector listens", func() bool {
			return s.w.Bus.Send(t.Context(), bus.Downlink{Gateway: s.w.Gateway, Twin: string(TwinOf("p-1")), Commands: []string{"c-1"}}) == nil
		})
	}
	nudge()
	s.message(d, "command")
	Eventually(t, "the delivery is reported", func() bool { return len(s.w.Platform.Delivered()) == 1 })
	nudge()
	d.Publish(telemetry.Telemetry, reading(1, 1))
	other.Publish(telemetry.Telemetry, reading(1, 1))
	for _, x := range []Device{d, other} {
		if m := <-x.Messages(); m.Name != "ack" {
			t.Errorf("a device got %s %s beside", m.Name, m.Payload)
		}
	}
}

func commandAnswered(t *testing.T, s *stage) {
	s.start("operational")
	d := s.device("p-1")
	s.wait("the answer is acknowledged", d.Answer("c-1", []byte(`{"epoch":1,"seq":1,"status":"succeeded","output":{"position":[1,2.5]}}`)))
	s.wait("so is what is none", d.Answer("c-2", []byte(`{"epoch":1,"seq":2,"status":"well"}`)))
	stored, parked := s.w.Platform.Stored(TwinOf("p-1")), s.w.Platform.Parked()
	if len(stored) != 1 || stored[0].Kind != telemetry.Response || stored[0].Answer == nil || stored[0].Answer.Command != "c-1" || !stored[0].Answer.OK ||
		string(stored[0].Answer.Output) != `{"position":[1,2.5]}` || stored[0].Order != (twin.Order{Epoch: 1, Seq: 1}) {
		t.Errorf("stored: %+v", stored)
	}
	if len(parked) != 1 || parked[0].Order.Seq != 2 {
		t.Errorf("parked: %+v", parked)
	}
}
