package grpc_test

import (
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// A gateway is healthy once it knows from the bus whom it lets in.
func TestHealth(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", nil)
	conn, _, err := connection(w, address, linktest.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := grpc_health_v1.NewHealthClient(conn)
	check := func(service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
		r, err := c.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		return r.GetStatus(), err
	}
	if got, err := check(""); err != nil || got != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("before anybody has said whom to let in it is %v, %v", got, err)
	}
	w.Fill()
	linktest.Eventually(t, "it serves", func() bool {
		got, err := check("castor.device.v1.Device")
		return err == nil && got == grpc_health_v1.HealthCheckResponse_SERVING
	})
	if _, err := check("castor.device.v1.Provisioning"); status.Code(err) != codes.NotFound {
		t.Errorf("a service that is not here: %v", err)
	}
}
