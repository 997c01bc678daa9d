package grpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errFull tells that a device does not read what it is sent.
var errFull = errors.New("the device does not read")

// A stream is what is to be sent to a device on Connect. Who puts something in never waits.
type stream struct {
	wake chan struct{}
	fail func() // ends the stream because a report cannot be stored

	mu    sync.Mutex
	told  uint64 // reports that the device knows to be stored
	count uint64 // that are
	taken uint64 // that were received
	order *pb.Order
	news  bool // of order
	over  bool // the device sends no more
	queue []*pb.Down
}

// change changes what is to be sent.
func (s *stream) change(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// put queues a message.
func (s *stream) put(d *pb.Down) (err error) {
	s.change(func() {
		if len(s.queue) >= maxWaiting {
			err = errFull
			return
		}
		s.queue = append(s.queue, d)
	})
	return err
}

// stored tells that the device's own count is stored up to o.
func (s *stream) stored(o twin.Order) {
	s.change(func() { s.order, s.news = &pb.Order{Epoch: o.Epoch, Seq: o.Seq}, true })
}

// next is what is to be sent now; end tells that nothing will follow. Acknowledgements that were not sent yet are one.
func (s *stream) next() (out []*pb.Down, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count > s.told || s.news {
		s.told, s.news = s.count, false
		out = append(out, &pb.Down{What: &pb.Down_Stored{Stored: &pb.Stored{Count: s.count, Order: s.order}}})
	}
	out, s.queue = append(out, s.queue...), nil
	return out, s.over && s.count == s.taken
}

// Connect serves a device that stays. Two goroutines have the stream: this one sends, the other receives and is the last to leave.
func (o *operational) Connect(rpc pb.Device_ConnectServer) error {
	ctx, cancel := context.WithCancelCause(rpc.Context())
	defer cancel(nil)
	seen, conn, err := shown(ctx)
	if err != nil {
		return err
	}
	session, err := o.door.Enter(ctx, seen, ending(conn, cancel))
	if err != nil {
		return turnedAway(seen, err, deviceShows)
	}
	conn.known.Store(true)
	to := &stream{wake: make(chan struct{}, 1), fail: func() {
		if why := session.Why(); why != nil {
			cancel(why)
		} else {
			cancel(errNotStored)
		}
	}}
	p := o.arrive(session, to, ctx.Done())
	o.working.Go(func() {
		switch err := o.receive(ctx, rpc, p); {
		case err == nil:
			to.change(func() { to.over = true })
		case !errors.Is(err, gateway.ErrStopping): // then what is under way is still acknowledged, and the door ends the session
			cancel(err)
		}
		<-ctx.Done()
		session.End() // and with it the calls that the device has beside
		o.depart(p)
		session.Leave()
	})
	return answer(o.send(ctx, rpc, to))
}

// ending is what the door calls when it ends a session: the call ends with a word of why, then the connection, unless it may have other
// calls of the same device.
func ending(of *secured, cancel context.CancelCauseFunc) func(why error) {
	return func(why error) {
		cancel(why)
		if !errors.Is(why, gateway.ErrReplaced) {
			time.AfterFunc(goodbye, func() { _ = of.conn.Close() })
		}
	}
}

// send sends until the session ends, and then what is stored by then.
func (o *operational) send(ctx context.Context, rpc pb.Device_ConnectServer, from *stream) error {
	if err := rpc.Send(&pb.Down{What: &pb.Down_Stored{Stored: &pb.Stored{}}}); err != nil {
		return err
	}
	for {
		ended := ctx.Err() != nil // before next, so that what was acknowledged until then is sent
		out, end := from.next()
		for _, d := range out {
			if err := rpc.Send(d); err != nil {
				return err
			}
		}
		switch {
		case ended:
			return context.Cause(ctx)
		case end:
			return nil
		}
		select {
		case <-from.wake:
		case <-ctx.Done():
		}
	}
}

// receive takes what the device sends until it sends no more, or something is wrong.
func (o *operational) receive(ctx context.Context, rpc pb.Device_ConnectServer, p *present) error {
	select {
	case <-p.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for {
		up, err := rpc.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch what := up.GetWhat().(type) {
		case *pb.Up_Report:
			err = o.report(ctx, p, what.Report)
		case *pb.Up_Listen:
			p.link.Listen()
		default:
			err = status.Error(codes.InvalidArgument, "what must be report or listen")
		}
		if err != nil {
			return err
		}
	}
}

// report hands a report on. One that the platform cannot take ends the stream, so that acknowledgements count without holes.
func (o *operational) report(ctx context.Context, p *present, m *pb.Message) error {
	received := o.now()
	kind, topic, err := place(device.Ref(p.session.Client), m)
	if err != nil {
		p.session.Refused()
		return err
	}
	to := p.stream
	to.change(func() { to.taken++ })
	return o.hand(ctx, p, func(ack func(bool)) { p.link.Publish(kind, topic, m.GetPayload(), received, ack) }, func(stored bool) {
		if stored {
			to.change(func() { to.count++ })
		} else {
			to.fail()
		}
	})
}
