//go:build !nogrpc

package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/twin"
)

// A grpcSession is a session on gRPC: one connection, made once, with one stream for what goes on all the time.
type grpcSession struct {
	agent *Agent
	conn  *grpc.ClientConn
	ctx   context.Context // of the session's calls, with what the device shows
	end   context.CancelFunc
	heard heard

	device  pb.Device_ConnectClient // of a device that has come in
	sending sync.Mutex              // of who sends on it

	once   sync.Once
	broken chan struct{} // closed when the connection broke
	reason error         // set before

	asking context.CancelFunc // ends the request before; asked by one goroutine
}

// attend waits until the gateway has let the device in, without asking anything yet.
func (s *grpcSession) attend(ctx context.Context) error { return s.ask(ctx, "", nil) }

// open opens the stream and waits until the device is let in.
func (s *grpcSession) open(ctx context.Context) (err error) {
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	if s.device, err = pb.NewDeviceClient(s.conn).Connect(s.ctx); err != nil {
		return s.fault(ctx, err)
	}
	if _, err := s.device.Recv(); err != nil { // the first is empty
		return s.fault(ctx, err)
	}
	if !stop() {
		return ctx.Err()
	}
	go s.receive()
	return s.device.Send(&pb.Up{What: &pb.Up_Listen{Listen: &pb.Listen{}}})
}

func (s *grpcSession) receive() {
	for {
		down, err := s.device.Recv()
		if err != nil {
			s.breakDown(err)
			return
		}
		switch what := down.What.(type) {
		case *pb.Down_Stored:
			if o := what.Stored.GetOrder(); o != nil {
				s.heard.stored(twin.Order{Epoch: o.Epoch, Seq: o.Seq})
			}
		case *pb.Down_Command:
			s.heard.command(what.Command.GetId(), what.Command.GetPayload())
		case *pb.Down_Move:
			s.heard.move(what.Move.GetPayload())
		}
	}
}

// breakDown ends the session.
func (s *grpcSession) breakDown(err error) {
	s.once.Do(func() {
		s.reason = fmt.Errorf("connection to %s lost: %w", strings.TrimPrefix(s.conn.Target(), passthrough), s.fault(s.ctx, err))
		close(s.broken)
	})
}

// fault makes errors of ours of the gateway's.
func (s *grpcSession) fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%w: %s", errRefused, status.Convert(err).Message())
	case codes.Canceled, codes.DeadlineExceeded:
		if why := context.Cause(ctx); why != nil {
			return why
		}
	}
	return err
}

func (s *grpcSession) lost() <-chan struct{} { return s.broken }
func (s *grpcSession) why() error            { return s.reason }

func (s *grpcSession) close() {
	if s.device != nil && s.sending.TryLock() { // else something is stuck that was given up
		_ = s.device.CloseSend() // so that the gateway knows that it was no accident
		s.sending.Unlock()
	}
	s.end()
	_ = s.conn.Close()
}

func (s *grpcSession) ask(ctx context.Context, kind string, payload []byte) error {
	return s.request(ctx, func(call context.Context) (grpc.ServerStreamingClient[pb.ProvisionAnswer], error) {
		return pb.NewProvisioningClient(s.conn).Ask(call, &pb.ProvisionRequest{Type: kind, Payload: payload})
	})
}

func (s *grpcSession) knock(ctx context.Context, payload []byte) error {
	err := s.request(ctx, func(call context.Context) (grpc.ServerStreamingClient[pb.ProvisionAnswer], error) {
		return pb.NewProvisioningClient(s.conn).Knock(call, &pb.KnockRequest{Payload: payload})
	})
	if status.Code(err) == codes.ResourceExhausted {
		return fmt.Errorf("%w: %s", errThrottled, status.Convert(err).Message())
	}
	return err
}

// request takes the place of the request before.
func (s *grpcSession) request(ctx context.Context, begin func(context.Context) (grpc.ServerStreamingClient[pb.ProvisionAnswer], error)) error {
	if s.asking != nil {
		s.asking()
	}
	call, cancel := context.WithCancel(s.ctx)
	s.asking = cancel
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	answers, err := begin(call)
	if err == nil {
		if header, _ := answers.Header(); header == nil { // refused
			_, err = answers.Recv()
		}
	}
	if err != nil {
		cancel()
		return s.fault(ctx, err)
	}
	go func() {
		for {
			a, err := answers.Recv()
			switch {
			case call.Err() != nil:
				return
			case err != nil:
				s.breakDown(err)
				return
			}
			s.heard.answer(a.GetPayload())
		}
	}()
	return nil
}

func (s *grpcSession) confirm(ctx context.Context) error {
	return s.call(ctx, func(ctx context.Context) error {
		_, err := pb.NewDeviceClient(s.conn).Confirm(ctx, &pb.ConfirmRequest{})
		return err
	})
}

func (s *grpcSession) confirmCredential(ctx context.Context) error {
	return s.call(ctx, func(ctx context.Context) error {
		_, err := pb.NewDeviceClient(s.conn).ConfirmCredential(ctx, &pb.ConfirmCredentialRequest{})
		return err
	})
}

func (s *grpcSession) renew(ctx context.Context, payload []byte) (answer []byte, err error) {
	return answer, s.call(ctx, func(ctx context.Context) error {
		reply, err := pb.NewDeviceClient(s.conn).Renew(ctx, &pb.RenewRequest{Payload: payload})
		answer = reply.GetPayload()
		return err
	})
}

// call makes a call of its own beside the stream.
func (s *grpcSession) call(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := s.agent.within(ctx)
	defer cancel()
	call, stop := context.WithCancel(s.ctx)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return s.fault(ctx, do(call))
}

// publish waits while the gateway takes nothing; a session that ends meanwhile ends that.
func (s *grpcSession) publish(ctx context.Context, topic string, payload []byte) error {
	m, err := message(topic, payload)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		s.sending.Lock()
		defer s.sending.Unlock()
		sent <- s.device.Send(&pb.Up{What: &pb.Up_Report{Report: m}})
	}()
	select {
	case err := <-sent:
		if err != nil { // io.EOF; what it was comes by receive
			<-s.broken
			return s.reason
		}
		return nil
	case <-s.broken:
		return s.reason
	case <-ctx.Done():
		return ctx.Err()
	}
}
