package grpc

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// operational is service Device.
type operational struct {
	pb.UnimplementedDeviceServer
	*Connector
}

// A visit is one call of a device whose calls come one by one.
type visit struct {
	*present
	seen gateway.Shown
}

// visitKey finds the visit that a call is, in its context.
type visitKey struct{}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(visitKey{}).(visit)
	return v
}

// calls is the service with its calls of one request each served as streams, which are the same on the wire: nothing of a stream is read
// before its handler asks for it. The library reads the request of a plain call whole before anybody has looked at who sends it.
func (o *operational) calls(of grpc.ServiceDesc) *grpc.ServiceDesc {
	of.Streams = slices.Clone(of.Streams)
	for _, m := range of.Methods {
		of.Streams = append(of.Streams, grpc.StreamDesc{StreamName: m.MethodName, Handler: func(_ any, s grpc.ServerStream) error {
			return o.visit(s.Context(), func(ctx context.Context) error {
				out, err := m.Handler(o, ctx, s.RecvMsg, nil)
				if err != nil {
					return err
				}
				return s.SendMsg(out)
			})
		}})
	}
	of.Methods = nil
	return &of
}

// visit lets the device in and does something for it. Its session goes on for a while after its last call.
func (o *operational) visit(ctx context.Context, do func(ctx context.Context) error) error {
	seen, conn, err := shown(ctx)
	if err != nil {
		return err
	}
	s, done, err := o.door.Visit(ctx, seen, func(s *gateway.Session) (closed func()) {
		o.working.Add(1)
		p := o.arrive(s, nil, s.Done())
		return func() {
			o.depart(p)
			o.working.Done()
		}
	})
	if err != nil {
		return turnedAway(seen, err, deviceShows)
	}
	defer done()
	conn.known.Store(true)
	p, ok := s.Attached().(*present)
	if !ok {
		return answer(errNotStored)
	}
	return answer(do(context.WithValue(ctx, visitKey{}, visit{p, seen})))
}

// Report stores one message.
func (o *operational) Report(ctx context.Context, in *pb.ReportRequest) (*pb.ReportReply, error) {
	received, v := o.now(), visitOf(ctx)
	if in.GetMessage() == nil {
		return nil, status.Error(codes.InvalidArgument, "message is missing")
	}
	kind, topic, err := place(device.Ref(v.session.Client), in.Message)
	if err != nil {
		v.session.Refused()
		return nil, err
	}
	var became link.Receipt
	err = o.say(ctx, v.present, func(ack func(bool)) {
		v.link.Report(kind, topic, in.Message.Payload, received, func(r link.Receipt) {
			became = r
			ack(r.Stored)
		})
	})
	if err != nil {
		return nil, err
	}
	out := &pb.ReportReply{Waiting: uint32(v.link.Waiting()), Parked: uint32(became.Parked), Reason: string(became.Reason), Detail: became.Detail}
	if n := v.link.Newest(); n != (twin.Order{}) {
		out.Order = &pb.Order{Epoch: n.Epoch, Seq: n.Seq}
	}
	return out, nil
}

// maxPoll is how long a poll may wait.
const maxPoll = time.Minute

// Poll brings what waits for a device that makes calls only.
func (o *operational) Poll(ctx context.Context, in *pb.PollRequest) (*pb.PollReply, error) {
	v, wait := visitOf(ctx), time.Duration(in.GetWait())*time.Second
	switch {
	case wait > maxPoll:
		return nil, status.Errorf(codes.InvalidArgument, "wait must be 0 to %d seconds", int(maxPoll.Seconds()))
	case v.stream != nil:
		return nil, status.Error(codes.FailedPrecondition, "the device has Connect open, which brings what waits: poll without it")
	}
	select {
	case <-v.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	all, replaced := v.mail.Take(ctx, v.link, v.session.Done(), wait, true)
	switch {
	case replaced:
		return nil, status.Error(codes.Aborted, "a newer poll of this device has begun: keep one open at a time")
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case len(all) == 0 && v.session.Why() != nil:
		return nil, v.session.Why()
	}
	return &pb.PollReply{Down: all}, nil
}

// Confirm tells function twin-provision that the device has arrived.
func (o *operational) Confirm(ctx context.Context, _ *pb.ConfirmRequest) (*pb.ConfirmReply, error) {
	v := visitOf(ctx)
	return &pb.ConfirmReply{}, o.say(ctx, v.present, func(ack func(bool)) { v.link.Confirm(ack) })
}

// Renew gets the device its next credential.
func (o *operational) Renew(ctx context.Context, in *pb.RenewRequest) (*pb.RenewReply, error) {
	v := visitOf(ctx)
	if len(in.GetPayload()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "payload is missing")
	}
	var a api.RenewAnswer
	err := o.say(ctx, v.present, func(ack func(bool)) { v.link.Renew(in.Payload, func(got api.RenewAnswer) { a = got }, ack) })
	if err == nil && a.Reason != "" {
		err = status.Error(codes.FailedPrecondition, a.Reason)
	}
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(a)
	return &pb.RenewReply{Payload: payload}, err
}

// ConfirmCredential tells function credentials which of its credentials the device has shown.
func (o *operational) ConfirmCredential(ctx context.Context, _ *pb.ConfirmCredentialRequest) (*pb.ConfirmCredentialReply, error) {
	v := visitOf(ctx)
	return &pb.ConfirmCredentialReply{}, o.say(ctx, v.present, func(ack func(bool)) { v.link.ConfirmCredential(o.door.Proof(v.seen), ack) })
}
