// Package devicepb is the device contract over gRPC: device.proto, which is written for device makers, and the Go code that
// make proto generates of it. It has messages and stubs only; what they do is connectors/grpc's and the agent's.
package devicepb
