package grpc

import (
	"context"
	"errors"
	"strings"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// find is what there is for a session: *present or *asking; nil if it has gone.
func (m *Connector) find(session string) any {
	v, _ := m.sessions.Load(session)
	return v
}

// Stored tells a device with a stream how far it is stored by its own count.
func (m *Connector) Stored(s *link.Session, o twin.Order) {
	if p, ok := m.find(s.ID).(*present); ok && p.stream != nil {
		p.stream.stored(o)
	}
}

// Command hands a command to the device's stream, or to its poll.
func (m *Connector) Command(s *link.Session, d link.Down) error {
	if err := d.Own(); err != nil {
		return err
	}
	p, ok := m.find(s.ID).(*present)
	if !ok {
		return errors.New("the device is not here")
	}
	return p.put(&pb.Down{What: &pb.Down_Command{Command: &pb.Command{Id: d.ID, Payload: d.Payload}}}, len(d.Payload), true)
}

// put has something go down; for who makes calls only, with the answer to a poll.
func (p *present) put(d *pb.Down, size int, command bool) (err error) {
	if p.stream != nil {
		err = p.stream.put(d)
	} else if err = p.mail.Put(d, size, command); errors.Is(err, link.ErrDeaf) {
		return err // it waits on
	}
	if err != nil {
		p.session.Dropped()
	}
	return err
}

// Answer brings the answer to a provisioning request to the call that waits for it.
func (m *Connector) Answer(c *link.Claimant, a api.ProvisionAnswer) {
	if q, ok := m.find(c.ID).(*asking); ok {
		q.answer(a)
	}
}

// Deliver brings a message of the platform. One to a device that is not here is for another connector, or too late.
func (m *Connector) Deliver(d bus.Downlink) {
	s, ok := m.door.Session(d.Device)
	if !ok || d.Claim != "" && s.Name != d.Claim {
		return
	}
	var err error
	switch v := m.find(s.ID).(type) {
	case *asking:
		status, ok := strings.CutPrefix(d.Topic, "castor/provision/"+s.Client+"/")
		if !ok {
			err = errors.New("not a topic of this device")
			break
		}
		v.put(status, d.Payload)
	case *present:
		down := downlink(s.Client, d)
		if down == nil {
			err = errors.New("not a topic of this device")
			break
		}
		err = v.put(down, len(d.Payload), false)
	}
	if err != nil {
		m.log.WarnContext(trace.With(context.Background(), d.Trace), "message to a device was not delivered", "device", d.Device, "topic", d.Topic, "id", d.ID, "error", err)
	}
}

// downlink is what a message is on a stream; nil if the device has no such topic.
func downlink(ref string, d bus.Downlink) *pb.Down {
	rest, ok := strings.CutPrefix(d.Topic, "castor/"+ref+"/")
	if !ok {
		return nil
	}
	if id, ok := strings.CutPrefix(rest, "command/"); ok && !strings.Contains(id, "/") {
		return &pb.Down{What: &pb.Down_Command{Command: &pb.Command{Id: id, Payload: d.Payload}}}
	}
	switch rest {
	case "state/delta":
		return &pb.Down{What: &pb.Down_Desired{Desired: &pb.Desired{Payload: d.Payload}}}
	case "gateway":
		return &pb.Down{What: &pb.Down_Move{Move: &pb.Move{Payload: d.Payload}}}
	}
	return nil
}
