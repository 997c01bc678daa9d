package grpc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

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
