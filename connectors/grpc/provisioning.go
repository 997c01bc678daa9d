package grpc

import (
	"context"
	"encoding/json"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/twin"
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
	ctx, cancel := context.WithCancelCause(rpc.Context())
	defer cancel(nil)
	seen, conn, err := shown(ctx)
	if err != nil {
		return err
	}
	if seen.User == "" && seen.Secret == "" {
		return status.Error(codes.Unauthenticated, "metadata authorization is missing: Bearer <claim id>.<token>")
	}
	session, err := v.door.Enter(ctx, seen, ending(conn, cancel))
	if err != nil {
		return answer(err)
	}
	defer session.Leave()
	a := &asking{session: session, answers: make(chan *pb.ProvisionAnswer, 8)}
	v.sessions.Store(session.ID, a)
	defer v.sessions.Delete(session.ID)
	if err := rpc.SendHeader(metadata.MD{}); err != nil { // the device is let in, and hears it at once
		return err
	}
	if len(in.GetPayload()) > 0 {
		settle, ok := session.Take(ctx)
		if !ok {
			return answer(gone(ctx, session))
		}
		claimant := v.link.OpenClaim(session.ID, session.Name, session.Client, ctx.Done())
		claimant.Request(twin.TypeID(in.Type), in.Payload, func(taken bool) {
			settle(taken)
			if !taken {
				cancel(errNotStored)
			}
		})
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

// Knock makes a device known that has no claim.
func (v *provisioning) Knock(ctx context.Context, in *pb.KnockRequest) (*pb.ProvisionAnswer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	seen, conn, err := shown(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case seen.User != "" || seen.Secret != "":
		return nil, status.Error(codes.PermissionDenied, "who has a claim does not knock, but asks")
	case len(in.GetPayload()) == 0:
		return nil, status.Error(codes.InvalidArgument, "payload is missing")
	}
	session, err := v.door.Enter(ctx, seen, ending(conn, cancel))
	if err != nil {
		return nil, answer(err)
	}
	defer session.Leave()
	if err := session.Knock(); err != nil {
		return nil, answer(err)
	}
	settle, ok := session.Take(ctx)
	if !ok {
		return nil, answer(gone(ctx, session))
	}
	out, taken := make(chan api.ProvisionAnswer, 1), make(chan bool, 1)
	knocker := v.link.OpenKnock(session.ID, session.Client, session.Address.String(), ctx.Done())
	knocker.Knock(in.Payload, func(a api.ProvisionAnswer) { out <- a }, func(ok bool) {
		settle(ok)
		taken <- ok
	})
	select {
	case ok := <-taken:
		if !ok {
			return nil, answer(errNotStored)
		}
		a := <-out
		payload, err := json.Marshal(a)
		return toldBy(a.Status, payload), err
	case <-ctx.Done():
		return nil, answer(context.Cause(ctx))
	}
}
