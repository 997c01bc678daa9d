package http

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// Stored does nothing: each answer says what is stored.
func (h *Connector) Stored(*link.Session, twin.Order) {}

// errGone tells that the device has no session here.
var errGone = errors.New("the device is not here")

// Command has a command go down by the answer that the device waits for.
func (h *Connector) Command(s *link.Session, in link.Down) error {
	if one, relayed := h.behind.Load(s); relayed {
		return h.command(one.(*endDevice), in)
	}
	_, d, ok := h.device(string(s.Ref))
	if !ok || d.link != s {
		return errGone
	}
	if err := in.Own(); err != nil {
		return err
	}
	if in.Encoded {
		m := messageOf("command/"+in.ID, in.Payload)
		return d.down.Put(down{message: &m}, len(in.Payload), true)
	}
	c := command{ID: in.ID}
	if err := json.Unmarshal(in.Payload, &c.DeviceCommand); err != nil {
		return err
	}
	return d.down.Put(down{command: &c}, len(in.Payload), true)
}

// Deliver has a message of the platform go down by the device's next answer. One to a device that is not here is for another
// connector, or too late.
func (h *Connector) Deliver(m bus.Downlink) {
	if h.phase == gateway.Provisioning {
		h.answerLater(m)
		return
	}
	s, d, ok := h.device(m.Device)
	name, own := strings.CutPrefix(m.Topic, "castor/"+m.Device+"/")
	if !ok || !own {
		return
	}
	out := messageOf(name, m.Payload)
	if err := d.down.Put(down{message: &out}, len(m.Payload), false); err != nil {
		s.Dropped()
		h.log.WarnContext(trace.With(context.Background(), m.Trace), "message to a device was not delivered", "device", m.Device, "topic", m.Topic, "id", m.ID, "error", err)
	}
}

// answerLater brings the later answer to a request that was pending.
func (h *Connector) answerLater(m bus.Downlink) {
	s, ok := h.door.Session(m.Device)
	if !ok || !strings.HasPrefix(m.Topic, "castor/provision/"+m.Device+"/") || m.Claim != "" && m.Claim != s.Name {
		return
	}
	c, ok := s.Attached().(*claimantState)
	if !ok {
		return
	}
	var a api.ProvisionAnswer
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		h.log.Error("provisioning answer cannot be read", "client", m.Device, "error", err)
		return
	}
	c.later(a)
}

// Answer keeps the answer to a provisioning request for who waits for it.
func (h *Connector) Answer(c *link.Claimant, a api.ProvisionAnswer) {
	if s, ok := h.door.Session(c.Client); ok {
		if state, ok := s.Attached().(*claimantState); ok && state.link == c {
			state.put(a)
		}
	}
}

func (h *Connector) device(ref string) (*gateway.Session, *deviceState, bool) {
	s, ok := h.door.Session(ref)
	if !ok {
		return nil, nil, false
	}
	d, ok := s.Attached().(*deviceState)
	return s, d, ok
}
