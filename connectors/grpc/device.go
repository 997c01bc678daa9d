package grpc

import (
	"context"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
)

// A present is a device that has come in, for as long as its session at the door lasts: that of its stream, or of its calls.
type present struct {
	session *gateway.Session
	link    *link.Session // set before ready is closed
	ready   chan struct{}
	turn    chan struct{}           // holds the place of who calls the link, whose methods are called one after the other
	stream  *stream                 // nil: it makes calls only
	mail    *link.Mailbox[*pb.Down] // for who makes calls only
}

// arrive makes the device of a session known to the link, beside, because that waits for the device's twin. done ends what waits.
func (m *Connector) arrive(s *gateway.Session, to *stream, done <-chan struct{}) *present {
	p := &present{session: s, ready: make(chan struct{}), turn: make(chan struct{}, 1), stream: to, mail: link.NewMailbox[*pb.Down](link.DeviceDowns, link.DeviceDownBytes)}
	m.sessions.Store(s.ID, p)
	s.Attach(p)
	m.working.Go(func() {
		p.link = m.link.Open(s.ID, device.Ref(s.Client), s.Number, done)
		close(p.ready)
	})
	return p
}

// depart tells the link that the device has gone. Nobody has anything to do with the session any more.
func (m *Connector) depart(p *present) {
	<-p.ready
	p.turn <- struct{}{} // for good
	p.link.Close()
	m.sessions.Delete(p.session.ID)
	for range p.mail.Left() {
		p.session.Dropped()
	}
}

// hand hands something to the link when it is the caller's turn and there is a place among what is not acknowledged. It waits while the
// platform is behind. ack is called if there was no error, at any time.
func (m *Connector) hand(ctx context.Context, p *present, what func(ack func(stored bool)), ack func(stored bool)) error {
	select {
	case <-p.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	settle, ok := p.session.Take(ctx)
	if !ok {
		return gone(ctx, p.session)
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		settle(false)
		return context.Cause(ctx)
	case <-p.session.Done():
		settle(false)
		return p.session.Why()
	}
	what(func(stored bool) {
		ack(stored)
		settle(stored)
	})
	<-p.turn
	return nil
}

// say is hand for calls: it returns when what was handed over is acknowledged. If ctx ends before, that goes on.
func (m *Connector) say(ctx context.Context, p *present, what func(ack func(stored bool))) error {
	out := make(chan error, 1)
	m.working.Go(func() {
		err := m.hand(ctx, p, what, func(stored bool) {
			if stored {
				out <- nil
			} else {
				out <- errNotStored
			}
		})
		if err != nil {
			out <- err
		}
	})
	select {
	case err := <-out:
		if why := p.session.Why(); err != nil && why != nil {
			return why
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gone tells why nothing more is taken.
func gone(ctx context.Context, s *gateway.Session) error {
	switch {
	case s.Why() != nil:
		return s.Why()
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return gateway.ErrStopping
}
