package grpc

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// vital is gRPC's health service, for balancers: the gateway is healthy as a whole, or not.
type vital struct {
	grpc_health_v1.UnimplementedHealthServer
	*Connector
}

// Check tells whether devices can be served. It needs no credential.
func (v *vital) Check(_ context.Context, in *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if _, ok := v.server.GetServiceInfo()[in.GetService()]; !ok && in.GetService() != "" {
		return nil, status.Error(codes.NotFound, "service is not one of this gateway")
	}
	out := &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}
	if v.Ready() != nil {
		out.Status = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	return out, nil
}
