package grpc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The test binary is a small grpcurl when it is told so: it knows the platform's messages by reflection only, as the real one does.
func TestMain(m *testing.M) {
	if os.Getenv("CASTOR_AS_GRPCURL") == "" {
		os.Exit(m.Run())
	}
	if err := grpcurl(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func grpcurl(args []string) error {
	var headers list
	f := flag.NewFlagSet("grpcurl", flag.ContinueOnError)
	ca, cert, key, data, most := f.String("cacert", "", ""), f.String("cert", "", ""), f.String("key", "", ""), f.String("d", "", ""), f.Int("max-time", 20, "")
	f.Var(&headers, "H", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	text, err := os.ReadFile(*ca)
	if err != nil || !config.RootCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("ca: %v", err)
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	conn, err := rpc.NewClient("passthrough:///"+f.Arg(0), rpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*most)*time.Second)
	defer cancel()
	r, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	if f.Arg(1) == "list" {
		if err := r.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
			return err
		}
		answer, err := r.Recv()
		for _, s := range answer.GetListServicesResponse().GetService() {
			fmt.Println(s.Name)
		}
		return err
	}
	symbol := f.Arg(1)
	if symbol == "describe" {
		symbol = f.Arg(2)
	}
	service, method, call := strings.Cut(symbol, "/")
	found, err := lookUp(r, service)
	if err != nil {
		return err
	}
	if !call {
		fmt.Println(protodesc.ToDescriptorProto(found.(protoreflect.MessageDescriptor)))
		return nil
	}
	in := io.Reader(strings.NewReader(*data))
	if *data == "@" {
		in = os.Stdin
	}
	md := found.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		ctx = metadata.AppendToOutgoingContext(ctx, name, strings.TrimSpace(value))
	}
	return invoke(ctx, conn, symbol, md, in)
}

// lookUp asks for what a name stands for.
func lookUp(r grpc_reflection_v1.ServerReflection_ServerReflectionInfoClient, name string) (protoreflect.Descriptor, error) {
	err := r.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}})
	if err != nil {
		return nil, err
	}
	answer, err := r.Recv()
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, b := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(b, file); err != nil {
			return nil, err
		}
		set.File = append(set.File, file)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	return files.FindDescriptorByName(protoreflect.FullName(name))
}

// invoke makes one call of any shape; the messages are one JSON object after the other.
func invoke(ctx context.Context, conn *rpc.ClientConn, path string, md protoreflect.MethodDescriptor, in io.Reader) error {
	s, err := conn.NewStream(ctx, &rpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+path)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		text = []byte("{}")
	}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		m := dynamicpb.NewMessage(md.Input())
		if err := protojson.Unmarshal(line, m); err != nil {
			return err
		}
		if err := s.SendMsg(m); err != nil {
			break // why comes below
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	for {
		m := dynamicpb.NewMessage(md.Output())
		if err := s.RecvMsg(m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		fmt.Println(protojson.Format(m))
	}
}

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// Each example of docs/devices-grpc.md works as it stands there.
func TestTheExamplesOfTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../docs/devices-grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	in, out := linktest.NewWorld(t), linktest.NewWorld(t)
	provisioning, _ := start(t, in, "provisioning", nil)
	operational, _ := start(t, out, "operational", nil)
	in.AdmitClaim("claim-1", "token")
	id, key := out.AdmitDevice("p-7"), out.AdmitSecret("p-8", device.APIKey)
	for _, x := range []linktest.Identity{id, key} {
		admitted(t, out, operational, x)
	}
	dir := t.TempDir()
	file := func(name, kind string, der []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out.CA.WriteFiles(t, dir)
	if err := os.Rename(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "operational.pem")); err != nil {
		t.Fatal(err)
	}
	in.CA.WriteFiles(t, dir)
	der, err := x509.MarshalPKCS8PrivateKey(id.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file("device.pem", "CERTIFICATE", id.Certificate.Certificate[0])
	file("key.pem", "PRIVATE KEY", der)
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "grpcurl")); err != nil {
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		if strings.Contains(script, "$OPERATIONAL") {
			script = strings.ReplaceAll(script, "-cacert ca.pem", "-cacert operational.pem") // each world has a CA of its own
		}
		c := exec.Command("sh", "-eu", "-c", script)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "CASTOR_AS_GRPCURL=1", "CLAIM=claim-1", "TOKEN=token", "KEY="+key.Password,
			"PROVISIONING="+provisioning, "OPERATIONAL="+operational)
		b, err := c.CombinedOutput()
		if err != nil && !strings.Contains(script, "-max-time") { // what waits for a person is ended by that
			t.Errorf("%s: %v\n%s", script, err, b)
		}
		return string(b)
	}
	says := []string{"ACCEPTED", "PENDING", "{}", "{}", `"2"`, "SERVING"}
	blocks := block.FindAllSubmatch(text, -1)
	if len(blocks) != len(says) {
		t.Fatalf("the document has %d examples, want %d", len(blocks), len(says))
	}
	for i, b := range blocks {
		if got := run(string(b[1])); !strings.Contains(strings.ReplaceAll(got, ":  ", ": "), says[i]) {
			t.Errorf("%s\nanswered without %s:\n%s", b[1], says[i], got)
		}
	}
	if n := len(in.Platform.Requests()); n != 1 {
		t.Errorf("%d requests reached the function", n)
	}
	if n := len(in.Platform.Knocks()); n != 1 {
		t.Errorf("%d knocks reached the function", n)
	}
	found := 0
	for _, m := range out.Platform.Stored("") {
		if m.Kind == telemetry.Telemetry && len(m.Samples) == 1 && m.Samples[0].Value == 1450.0 {
			found++
		}
	}
	if n := len(out.Platform.Confirmed()); found != 2 || n != 1 {
		t.Errorf("of the examples %d readings of 1450 are stored and %d confirmations taken, want 2 and 1", found, n)
	}
}
