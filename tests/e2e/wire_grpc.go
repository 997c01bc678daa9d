package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcWire is docs/devices-grpc.md.
type grpcWire struct{}

func (grpcWire) ask(ctx context.Context, to way, claim api.ClaimFile, as twin.TypeID, body any) (a api.ProvisionAnswer, err error) {
	err = grpcCall(ctx, to, proof{kind: device.Token, secret: claim.Claim.ID + "." + claim.Token}, func(ctx context.Context, c *grpc.ClientConn) error {
		s, err := pb.NewProvisioningClient(c).Ask(ctx, &pb.ProvisionRequest{Type: string(as), Payload: raw(body)})
		if err == nil {
			a, err = grpcAnswer(s, false)
		}
		return err
	})
	return a, err
}

func (grpcWire) knock(ctx context.Context, to way, body any) (a api.ProvisionAnswer, err error) {
	err = grpcCall(ctx, to, proof{}, func(ctx context.Context, c *grpc.ClientConn) error {
		s, err := pb.NewProvisioningClient(c).Knock(ctx, &pb.KnockRequest{Payload: raw(body)})
		if err == nil {
			a, err = grpcAnswer(s, true)
		}
		return err
	})
	return a, err
}

// grpcAnswer is the final answer of a call, or the first; the last there was when the call's time is over.
func grpcAnswer(s grpc.ServerStreamingClient[pb.ProvisionAnswer], first bool) (last api.ProvisionAnswer, err error) {
	for {
		a, err := s.Recv()
		if status.Code(err) == codes.DeadlineExceeded && last.Status != "" {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		last = api.ProvisionAnswer{}
		if err := json.Unmarshal(a.Payload, &last); err != nil || first || last.Status != "pending" {
			return last, err
		}
	}
}

func (grpcWire) confirm(ctx context.Context, to way, p proof) error {
	return grpcCall(ctx, to, p, func(ctx context.Context, c *grpc.ClientConn) error {
		_, err := pb.NewDeviceClient(c).Confirm(ctx, &pb.ConfirmRequest{})
		return err
	})
}

func (grpcWire) report(ctx context.Context, to way, p proof, ref device.Ref, body any) error {
	if ref != p.ref { // there is no other way to name a device than by what it shows, and castor-client
		ctx = metadata.AppendToOutgoingContext(ctx, "castor-client", string(ref))
	}
	return grpcCall(ctx, to, p, func(ctx context.Context, c *grpc.ClientConn) error {
		_, err := pb.NewDeviceClient(c).Report(ctx, &pb.ReportRequest{Message: &pb.Message{Kind: pb.Message_TELEMETRY, Payload: raw(body)}})
		return err
	})
}

func grpcCall(ctx context.Context, to way, p proof, call func(context.Context, *grpc.ClientConn) error) error {
	switch p.kind {
	case device.Token:
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+p.secret)
	case device.APIKey:
		ctx = metadata.AppendToOutgoingContext(ctx, "x-api-key", p.secret)
	case device.Password:
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.secret)))
	}
	c, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(to.url, "grpcs://"), grpc.WithTransportCredentials(credentials.NewTLS(to.tls(p))),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return to.dial(ctx, address) }))
	if err != nil {
		return err
	}
	defer c.Close()
	err = call(ctx, c)
	switch s := status.Convert(err); s.Code() {
	case codes.OK:
		return nil
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.FailedPrecondition, codes.ResourceExhausted, codes.NotFound:
		return turnedAway("%s", s.Message())
	default:
		return fmt.Errorf("%s: %s", s.Code(), s.Message())
	}
}
