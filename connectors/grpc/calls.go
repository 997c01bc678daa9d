package grpc

import (
	"context"
	"encoding/json"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// operational is service Device.
type operational struct {
	pb.UnimplementedDeviceServer
	*Connector
}

// visit does something for a device whose calls come one by one. Its session goes on for a while after the last of them.
func (o *operational) visit(ctx context.Context, do func(p *present, seen gateway.Shown) error) error {
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
		return answer(err)
	}
	defer done()
	conn.known.Store(true)
	p, ok := s.Attached().(*present)
	if !ok {
		return answer(errNotStored)
	}
	return answer(do(p, seen))
}

// Report stores one message.
func (o *operational) Report(ctx context.Context, in *pb.ReportRequest) (*pb.ReportReply, error) {
	received := o.now()
	return &pb.ReportReply{}, o.visit(ctx, func(p *present, _ gateway.Shown) error {
		if in.GetMessage() == nil {
			return status.Error(codes.InvalidArgument, "message is missing")
		}
		kind, topic, err := place(device.Ref(p.session.Client), in.Message)
		if err != nil {
			p.session.Refused()
			return err
		}
		return o.say(ctx, p, func(ack func(bool)) { p.link.Publish(kind, topic, in.Message.Payload, received, ack) })
	})
}

// Confirm tells function twin-provision that the device has arrived.
func (o *operational) Confirm(ctx context.Context, _ *pb.ConfirmRequest) (*pb.ConfirmReply, error) {
	return &pb.ConfirmReply{}, o.visit(ctx, func(p *present, _ gateway.Shown) error {
		return o.say(ctx, p, func(ack func(bool)) { p.link.Confirm(ack) })
	})
}

// Renew gets the device its next credential.
func (o *operational) Renew(ctx context.Context, in *pb.RenewRequest) (*pb.RenewReply, error) {
	out := &pb.RenewReply{}
	return out, o.visit(ctx, func(p *present, _ gateway.Shown) (err error) {
		if len(in.GetPayload()) == 0 {
			return status.Error(codes.InvalidArgument, "payload is missing")
		}
		var a api.RenewAnswer
		err = o.say(ctx, p, func(ack func(bool)) { p.link.Renew(in.Payload, func(got api.RenewAnswer) { a = got }, ack) })
		if err == nil && a.Reason != "" {
			err = status.Error(codes.FailedPrecondition, a.Reason)
		}
		if err == nil {
			out.Payload, err = json.Marshal(a)
		}
		return err
	})
}

// ConfirmCredential tells function credentials which of its credentials the device has shown.
func (o *operational) ConfirmCredential(ctx context.Context, _ *pb.ConfirmCredentialRequest) (*pb.ConfirmCredentialReply, error) {
	return &pb.ConfirmCredentialReply{}, o.visit(ctx, func(p *present, seen gateway.Shown) error {
		return o.say(ctx, p, func(ack func(bool)) { p.link.ConfirmCredential(o.door.Proof(seen), ack) })
	})
}
