package grpc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/telemetry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// What one connection can take of the gateway. They are in device.proto and docs/devices-grpc.md.
const (
	maxMessage = telemetry.MaxPayload // bytes, the fields around the payload included
	maxHeaders = 8 << 10              // bytes of metadata
	maxCalls   = 16                   // at a time
	maxUnknown = 4                    // at a time, until a first call has shown who it is; the door bounds what is read of them
	window     = 64                   // reports of a stream that are not acknowledged
	maxWaiting = 256                  // messages that wait to be sent to a device
	buffers    = 4 << 10              // bytes, for reading and for writing, while there is something to write
	flow       = 128 << 10            // bytes of a stream that may wait in the gateway; a larger message gets its room when it is read
	flows      = 512 << 10            // of all streams of a connection
)

// options bound what a peer can do before and after it is known. Windows are fixed: grown by guesses at the bandwidth they would be up
// to 16 MiB per device. Resets and pings beyond measure the library answers by closing the connection.
func (m *Connector) options(alive time.Duration) []grpc.ServerOption {
	if alive == 0 {
		alive = time.Minute
	}
	return []grpc.ServerOption{
		grpc.Creds(handshake{}), grpc.InTapHandle(few),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxHeaderListSize(maxHeaders), grpc.MaxConcurrentStreams(maxCalls),
		grpc.StaticStreamWindowSize(flow), grpc.StaticConnWindowSize(flows),
		grpc.ReadBufferSize(buffers), grpc.WriteBufferSize(buffers),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: alive, Timeout: max(alive/3, time.Second), MaxConnectionIdle: 5 * time.Minute}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: min(15*time.Second, alive), PermitWithoutStream: true}),
		grpc.ConnectionTimeout(10 * time.Second), // for the HTTP/2 preface; TLS stands already
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (out any, err error) {
			defer m.broken(info.FullMethod, &err)
			return handle(ctx, in)
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
			defer m.broken(info.FullMethod, &err)
			return handle(srv, s)
		}),
	}
}

// broken makes an error of a panic: what one device found must not end the others' gateway.
func (m *Connector) broken(method string, err *error) {
	if p := recover(); p != nil {
		m.log.Error("call broke", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "the gateway made a mistake")
	}
}

// handshake passes the connections of the door on, whose TLS stands.
type handshake struct{}

// secured is a connection as calls find it.
type secured struct {
	credentials.CommonAuthInfo
	conn  *gateway.Conn
	known atomic.Bool  // a call of it was let in
	calls atomic.Int32 // under way, as long as none was
}

func (*secured) AuthType() string { return "tls" }

func (handshake) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, ok := gateway.ConnOf(raw)
	if !ok {
		return nil, nil, errors.New("the connection did not come through the door")
	}
	if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
		return nil, nil, fmt.Errorf("the client speaks %.20q, not h2", p)
	}
	return conn, &secured{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, conn: conn}, nil
}

func (handshake) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("a gateway calls no device")
}
func (handshake) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}
func (h handshake) Clone() credentials.TransportCredentials { return h }
func (handshake) OverrideServerName(string) error           { return nil }

// few turns calls away before anything of them is read, when their connection has many and nobody knows whose it is.
func few(ctx context.Context, _ *tap.Info) (context.Context, error) {
	s, ok := connectionOf(ctx)
	if !ok || s.known.Load() {
		return ctx, nil
	}
	if s.calls.Add(1) > maxUnknown {
		s.calls.Add(-1)
		return ctx, retryIn(codes.ResourceExhausted, "too many calls of a connection of which none was let in yet", time.Second)
	}
	context.AfterFunc(ctx, func() { s.calls.Add(-1) })
	return ctx, nil
}

func connectionOf(ctx context.Context) (*secured, bool) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return nil, false
	}
	s, ok := p.AuthInfo.(*secured)
	return s, ok
}

// shown is what the caller shows: the connection's certificate, and what is in the metadata.
func shown(ctx context.Context) (gateway.Shown, *secured, error) {
	s, ok := connectionOf(ctx)
	if !ok {
		return gateway.Shown{}, nil, status.Error(codes.Internal, "the call has no connection")
	}
	out := s.conn.Shown()
	md, _ := metadata.FromIncomingContext(ctx)
	err := credential(&out, md)
	return out, s, err
}

// credential reads the metadata.
func credential(out *gateway.Shown, md metadata.MD) error {
	one := func(name string) (string, error) {
		switch all := md.Get(name); len(all) {
		case 0:
			return "", nil
		case 1:
			return all[0], nil
		}
		return "", status.Errorf(codes.InvalidArgument, "metadata %s is there more than once", name)
	}
	var err error
	if out.Client, err = one("castor-client"); err != nil {
		return err
	}
	key, err := one("x-api-key")
	if err != nil {
		return err
	}
	authorization, err := one("authorization")
	if err != nil {
		return err
	}
	if key != "" && authorization != "" {
		return status.Error(codes.InvalidArgument, "metadata has authorization and x-api-key: show one of them")
	}
	if out.Secret = key; authorization == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(authorization, " ")
	switch rest = strings.TrimSpace(rest); {
	case strings.EqualFold(scheme, "bearer") && rest != "":
		out.Secret = rest
		return nil
	case strings.EqualFold(scheme, "basic"):
		plain, err := base64.StdEncoding.DecodeString(rest)
		if user, password, ok := strings.Cut(string(plain), ":"); err == nil && ok && user != "" && password != "" {
			out.User, out.Secret = user, password
			return nil
		}
	}
	return status.Error(codes.InvalidArgument, "metadata authorization must be: Bearer <reference>.<secret>, or Basic with user name and password")
}
