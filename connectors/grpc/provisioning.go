package grpc

import (
	"context"
	"encoding/json"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/twin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// provisioning is service Provisioning.
type provisioning struct {
	pb.UnimplementedProvisioningServer
	*Connector
}

// An asking is a call of Ask.
type asking struct {
	session *gateway.Session
	answers chan *pb.ProvisionAnswer
}

// put queues an answer. One that finds no place is lost, like one on its way when a connection breaks: the device asks again.
func (a *asking) put(status string, payload []byte) {
	select {
	case a.answers <- toldBy(status, payload):
	default:
		a.session.Dropped()
	}
}

// answer is put for an answer that is not on the wire yet.
func (a *asking) answer(in api.ProvisionAnswer) {
	if payload, err := json.Marshal(in); err == nil {
		a.put(in.Status, payload)
	}
}

func toldBy(status string, payload []byte) *pb.ProvisionAnswer {
	out := &pb.ProvisionAnswer{Status: pb.ProvisionAnswer_PENDING, Payload: payload}
	switch status {
	case "accepted":
		out.Status = pb.ProvisionAnswer_ACCEPTED
	case "rejected":
		out.Status = pb.ProvisionAnswer_REJECTED
	}
	return out
}

// Ask asks for a device that has a claim, and waits for the answers.
func (v *provisioning) Ask(in *pb.ProvisionRequest, rpc pb.Provisioning_AskServer) error {
	return v.attend(rpc, func(ctx context.Context, a *asking, ack func(taken bool)) error {
		if a.session.Anonymous() {
			return status.Error(codes.Unauthenticated, claimShows)
		}
		if len(in.GetPayload()) == 0 {
			ack(true)
			return nil
		}
		claimant := v.link.OpenClaim(a.session.ID, a.session.Name, a.session.Client, ctx.Done())
		claimant.Request(twin.TypeID(in.Type), in.Payload, ack)
		return nil
	})
}

// Knock makes a device known that has no claim, and waits for what becomes of it.
func (v *provisioning) Knock(in *pb.KnockRequest, rpc pb.Provisioning_KnockServer) error {
	if len(in.GetPayload()) == 0 {
		return status.Error(codes.InvalidArgument, "payload is missing")
	}
	return v.attend(rpc, func(ctx context.Context, a *asking, ack func(taken bool)) error {
		if !a.session.Anonymous() {
			return status.Error(codes.PermissionDenied, "who has a claim does not knock, but asks")
		}
		if err := a.session.Knock(); err != nil {
			return retryIn(codes.ResourceExhausted, "there were too many knocks", time.Minute)
		}
		knocker := v.link.OpenKnock(a.session.ID, a.session.Client, a.session.Address.String(), ctx.Done())
		knocker.Knock(in.Payload, a.answer, ack)
		return nil
	})
}

// attend lets the device in, has it ask, and brings it the answers until one is final.
func (v *provisioning) attend(rpc grpc.ServerStreamingServer[pb.ProvisionAnswer], ask func(ctx context.Context, a *asking, ack func(taken bool)) error) error {
	ctx, cancel := context.WithCancelCause(rpc.Context())
	defer cancel(nil)
	seen, conn, err := shown(ctx)
	if err != nil {
		return err
	}
	session, err := v.door.Enter(ctx, seen, ending(conn, cancel))
	if err != nil {
		return turnedAway(seen, err, claimShows)
	}
	defer session.Leave()
	conn.known.Store(!session.Anonymous()) // who has shown nothing stays unknown
	a := &asking{session: session, answers: make(chan *pb.ProvisionAnswer, 8)}
	v.sessions.Store(session.ID, a)
	defer v.sessions.Delete(session.ID)
	settle, ok := session.Take(ctx)
	if !ok {
		return answer(gone(ctx, session))
	}
	err = ask(ctx, a, func(taken bool) {
		settle(taken)
		if !taken {
			cancel(errNotStored)
		}
	})
	if err != nil {
		settle(false)
		session.Refused()
		return err
	}
	if err := rpc.SendHeader(metadata.MD{}); err != nil { // the device is let in, and hears it at once
		return err
	}
	for {
		select {
		case out := <-a.answers:
			if err := rpc.Send(out); err != nil {
				return err
			}
			if out.Status != pb.ProvisionAnswer_PENDING {
				return nil
			}
		case <-ctx.Done():
			return answer(context.Cause(ctx))
		}
	}
}
