package gatewaytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// startGRPC starts both gateways as gRPC servers.
func (p *Platform) startGRPC(t testing.TB, cert tls.Certificate) (provisioning, operational string) {
	serve := func(secure *tls.Config, register func(*grpc.Server)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer(grpc.Creds(credentials.NewTLS(secure)), grpc.WaitForHandlers(true))
		register(s)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.Serve(l)
		}()
		t.Cleanup(func() {
			s.Stop()
			<-done
		})
		return l.Addr().String()
	}
	provisioning = serve(&tls.Config{Certificates: []tls.Certificate{cert}},
		func(s *grpc.Server) { pb.RegisterProvisioningServer(s, &provisioner{p: p}) })
	operational = serve(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.CA.Pool()},
		func(s *grpc.Server) { pb.RegisterDeviceServer(s, &operator{p: p}) })
	return provisioning, operational
}

func shown(ctx context.Context, name string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// provisioner is the provisioning gateway.
type provisioner struct {
	pb.UnimplementedProvisioningServer
	p *Platform
}

func (v *provisioner) Ask(in *pb.ProvisionRequest, s pb.Provisioning_AskServer) error {
	v.p.mu.Lock()
	good := "Bearer " + v.p.Claim.Claim.ID + "." + v.p.Claim.Token
	v.p.mu.Unlock()
	if shown(s.Context(), "authorization") != good {
		return status.Error(codes.Unauthenticated, "no such claim")
	}
	if err := s.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	if len(in.Payload) > 0 {
		out, err := v.p.asked(shown(s.Context(), "castor-client"), v.p.Claim.Claim.ID, in.Payload)
		if final, err := told(s, out, err); final {
			return err
		}
	}
	<-s.Context().Done()
	return nil
}

func (v *provisioner) Knock(in *pb.KnockRequest, s pb.Provisioning_KnockServer) error {
	if shown(s.Context(), "authorization") != "" || !v.p.knocking() {
		return status.Error(codes.Unauthenticated, "nobody may knock here")
	}
	out, err := v.p.knocked(shown(s.Context(), "castor-client"), in.Payload)
	if err == nil && out == nil {
		return status.Error(codes.ResourceExhausted, "there were too many knocks")
	}
	if err := s.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	if final, err := told(s, out, err); final {
		return err
	}
	<-s.Context().Done()
	return nil
}

// told sends an answer, if there is one. After a final one the call ends.
func told(s grpc.ServerStreamingServer[pb.ProvisionAnswer], out *api.ProvisionAnswer, err error) (final bool, _ error) {
	if err != nil {
		return true, status.Error(codes.InvalidArgument, err.Error())
	}
	if out == nil {
		return false, nil
	}
	b, _ := json.Marshal(out)
	err = s.Send(&pb.ProvisionAnswer{Payload: b})
	return err != nil || out.Status != "pending", err
}

// operator is the operational gateway.
type operator struct {
	pb.UnimplementedDeviceServer
	p *Platform
}

// whose is the device whose certificate the caller shows.
func (o *operator) whose(ctx context.Context) (device.Ref, *x509.Certificate, error) {
	p, _ := peer.FromContext(ctx)
	cert := p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0]
	ref := device.Ref(cert.Subject.CommonName)
	if shown(ctx, "castor-client") != string(ref) || !o.p.admits(ref, cert) {
		return "", nil, status.Error(codes.Unauthenticated, "the certificate is not good here")
	}
	return ref, cert, nil
}

// A grpcLine is a device's stream.
type grpcLine struct {
	end  context.CancelFunc
	mu   sync.Mutex // of sending
	s    pb.Device_ConnectServer
	rest struct {
		sync.Mutex
		listens bool
	}
}

func (l *grpcLine) send(d *pb.Down) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.Send(d) == nil
}

func (l *grpcLine) kick() { l.end() }

func (l *grpcLine) ack(o twin.Order) {
	l.send(&pb.Down{What: &pb.Down_Stored{Stored: &pb.Stored{Order: &pb.Order{Epoch: o.Epoch, Seq: o.Seq}}}})
}

func (l *grpcLine) command(id, payload string) bool {
	l.rest.Lock()
	listens := l.rest.listens
	l.rest.Unlock()
	return listens && l.send(&pb.Down{What: &pb.Down_Command{Command: &pb.Command{Id: id, Payload: []byte(payload)}}})
}

func (o *operator) Connect(s pb.Device_ConnectServer) error {
	ref, _, err := o.whose(s.Context())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	l := &grpcLine{s: s, end: cancel}
	o.p.mu.Lock()
	o.p.sessions++
	o.p.connected[ref] = l
	o.p.mu.Unlock()
	l.send(&pb.Down{What: &pb.Down_Stored{Stored: &pb.Stored{}}})
	received := make(chan error, 1)
	go func() { received <- o.receive(s, l, ref) }()
	select {
	case err := <-received:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	case <-ctx.Done():
		return status.Error(codes.Unavailable, "kicked")
	}
}

func (o *operator) receive(s pb.Device_ConnectServer, l *grpcLine, ref device.Ref) error {
	for {
		up, err := s.Recv()
		if err != nil {
			return err
		}
		if up.GetListen() != nil {
			l.rest.Lock()
			l.rest.listens = true
			l.rest.Unlock()
			continue
		}
		m := up.GetReport()
		topic := map[pb.Message_Kind]string{
			pb.Message_TELEMETRY: "telemetry", pb.Message_STATE: "state/reported", pb.Message_EVENT: "event",
			pb.Message_LOG: "log/" + m.GetWord(), pb.Message_RESPONSE: "command/" + m.GetWord() + "/response",
		}[m.GetKind()]
		o.p.reported(ref, topic, m.GetPayload(), l.ack)
	}
}

func (o *operator) Confirm(ctx context.Context, _ *pb.ConfirmRequest) (*pb.ConfirmReply, error) {
	ref, _, err := o.whose(ctx)
	if err == nil && !o.p.confirmed(ref) {
		err = status.Error(codes.Unavailable, "not taken")
	}
	return &pb.ConfirmReply{}, err
}

func (o *operator) Renew(ctx context.Context, in *pb.RenewRequest) (*pb.RenewReply, error) {
	ref, _, err := o.whose(ctx)
	if err != nil {
		return nil, err
	}
	answer, ok := o.p.renew(ref, in.Payload)
	if !ok {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pb.RenewReply{Payload: answer}, nil
}

func (o *operator) ConfirmCredential(ctx context.Context, _ *pb.ConfirmCredentialRequest) (*pb.ConfirmCredentialReply, error) {
	ref, cert, err := o.whose(ctx)
	if err == nil {
		o.p.adopted(ref, cert)
	}
	return &pb.ConfirmCredentialReply{}, err
}
