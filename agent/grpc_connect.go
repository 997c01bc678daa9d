//go:build !nogrpc

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	pb "github.com/castor-iot/castor/shared/api/devicepb"
)

// passthrough has the library dial an address as it is; people are not told of it.
const passthrough = "passthrough:///"

// connectGRPC opens the connection and, for a device that has come in, its stream.
func (a *Agent) connectGRPC(ctx context.Context, address string, l login, h heard) (session, error) {
	tls, err := a.secure(ctx, address, l, "h2")
	if err != nil {
		return nil, err
	}
	first := make(chan net.Conn, 1)
	first <- tls
	conn, err := grpc.NewClient(passthrough+address,
		grpc.WithTransportCredentials(standing{}), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(), grpc.WithIdleTimeout(0),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-first:
				return c, nil
			default: // the session ends with its connection
				return nil, errors.New("the connection was lost")
			}
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer+1024)),
	)
	if err != nil {
		_ = tls.Close()
		return nil, err
	}
	s := &grpcSession{agent: a, conn: conn, heard: h, broken: make(chan struct{})}
	md := metadata.Pairs("castor-client", l.client)
	if l.user != "" {
		md.Set("authorization", "Bearer "+l.user+"."+l.password)
	}
	s.ctx, s.end = context.WithCancel(metadata.NewOutgoingContext(context.Background(), md))
	switch {
	case h.answer != nil && l.user == "": // who has nothing to show is let in by the knock itself
	case h.answer != nil:
		err = s.attend(ctx)
	default:
		err = s.open(ctx)
	}
	if err != nil {
		s.close()
		select { // nobody dialled
		case c := <-first:
			_ = c.Close()
		default:
		}
		return nil, err
	}
	return s, nil
}

// message is what is sent for a topic of the wire contract.
func message(topic string, payload []byte) (*pb.Message, error) {
	m := &pb.Message{Payload: payload}
	first, rest, _ := strings.Cut(topic, "/")
	switch first {
	case "telemetry":
		m.Kind = pb.Message_TELEMETRY
	case "event":
		m.Kind = pb.Message_EVENT
	case "state":
		m.Kind = pb.Message_STATE
	case "log":
		m.Kind, m.Word = pb.Message_LOG, rest
	case "command":
		m.Kind, m.Word = pb.Message_RESPONSE, strings.TrimSuffix(rest, "/response")
	default:
		return nil, fmt.Errorf("no message has topic %.100q", topic)
	}
	return m, nil
}

// standing are the credentials of a connection whose TLS stands already, so that both protocols have one way to it.
type standing struct{}

func (standing) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, authenticated{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}, nil
}
func (standing) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("a device serves nobody")
}
func (standing) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}
func (s standing) Clone() credentials.TransportCredentials { return s }
func (standing) OverrideServerName(string) error           { return nil }

type authenticated struct{ credentials.CommonAuthInfo }

func (authenticated) AuthType() string { return "tls" }
