package grpc_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestKnocks(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "provisioning", nil)
	conn, _, err := connection(w, address, linktest.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := pb.NewProvisioningClient(conn)
	knock := func(ctx context.Context, payload string) (*pb.ProvisionAnswer, error) {
		s, err := c.Knock(ctx, &pb.KnockRequest{Payload: []byte(payload)})
		if err != nil {
			return nil, err
		}
		return s.Recv()
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "castor-client", "box-1")
	if a, err := knock(ctx, "{"); err != nil || a.Status != pb.ProvisionAnswer_REJECTED || !json.Valid(a.Payload) {
		t.Errorf("a knock that cannot be read: %v, %v", a, err)
	}
	if _, err := knock(ctx, ""); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a knock that says nothing: %v", err)
	}
	w.AdmitClaim("claim-1", "token")
	linktest.Eventually(t, "who has a claim is let in, and told to ask", func() bool {
		_, err := knock(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer claim-1.token"), "{}")
		return status.Code(err) == codes.PermissionDenied
	})
	var throttled error
	for range 10 {
		if _, err := knock(ctx, "{"); status.Code(err) == codes.ResourceExhausted {
			throttled = err
		}
	}
	if throttled == nil || len(status.Convert(throttled).Details()) != 1 {
		t.Errorf("ten knocks in a moment: %v", throttled)
	}
}

func TestAskingNeedsAClaim(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "provisioning", nil)
	conn, _, err := connection(w, address, linktest.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := pb.NewProvisioningClient(conn).Ask(t.Context(), &pb.ProvisionRequest{Type: "pump", Payload: []byte("{}")})
	if err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("asking without a claim: %v", err)
	}
}
