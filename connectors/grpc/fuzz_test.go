package grpc

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Whatever bytes come as a message on Connect, the topic that is made of them is one of the device's own, and it can be decoded without
// harm.
func FuzzReport(f *testing.F) {
	for _, m := range []*pb.Message{
		{Kind: pb.Message_TELEMETRY, Payload: []byte(`{"epoch":1,"seq":2,"data":{"rpm":1450}}`)},
		{Kind: pb.Message_STATE, Payload: []byte(`[{"data":{"on":null}},{"data":{}}]`)},
		{Kind: pb.Message_EVENT, Payload: []byte{0xa1, 0x61, 'a', 0xf6}},
		{Kind: pb.Message_LOG, Word: "app", Payload: []byte("a line")},
		{Kind: pb.Message_LOG, Word: "../../p-2/telemetry", Payload: []byte("{")},
		{Kind: pb.Message_RESPONSE, Word: "cmd-1", Payload: []byte(`{"status":"succeeded","output":[1]}`)},
		{Kind: 77, Word: "x"},
		{},
	} {
		b, err := proto.Marshal(&pb.Up{What: &pb.Up_Report{Report: m}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var up pb.Up
		if proto.Unmarshal(b, &up) != nil {
			return
		}
		m := up.GetReport()
		kind, topic, err := place("p-1", m)
		if err != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		own, ok := strings.CutPrefix(topic, "castor/p-1/")
		parts := strings.Split(own, "/")
		if !ok || len(parts) > 3 || strings.ContainsAny(topic, "+#\x00") || kind == "" {
			t.Fatalf("kind %q, topic %q", kind, topic)
		}
		for _, p := range parts {
			if !device.TopicWord(p) {
				t.Fatalf("topic %q", topic)
			}
		}
		if n := len(link.Decode(kind, topic, m.GetPayload())); n == 0 {
			t.Fatal("a message became none")
		}
	})
}

// Whatever is in the metadata, it is a credential or a status that says what is wrong.
func FuzzCredential(f *testing.F) {
	f.Add("Bearer dev-1.secret", "", "dev-1")
	f.Add("bearer  x", "", "")
	f.Add("Basic dXNlcjpwYXNz", "", "")
	f.Add("Basic Og==", "", "")
	f.Add("", "dev-1.secret", "dev/+")
	f.Add("Bearer", "x", "")
	f.Fuzz(func(t *testing.T, authorization, key, client string) {
		md := metadata.MD{}
		for name, v := range map[string]string{"authorization": authorization, "x-api-key": key, "castor-client": client} {
			if v != "" {
				md.Set(name, v)
			}
		}
		var out gateway.Shown
		if err := credential(&out, md); err != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if (out.Secret != "") != (authorization != "" || key != "") || out.User != "" && out.Secret == "" {
			t.Fatalf("of %q and %q came user %q and a secret of %d bytes", authorization, key, out.User, len(out.Secret))
		}
	})
}

// A message of the platform that is not for the device comes to none.
func FuzzDownlink(f *testing.F) {
	for _, topic := range []string{"castor/p-1/command/c-1", "castor/p-2/command/c-1", "castor/p-1/state/delta", "castor/p-1/gateway", "castor/p-1/command/a/b", "castor/p-1"} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		if down := downlink("p-1", bus.Downlink{Topic: topic}); down != nil && !strings.HasPrefix(topic, "castor/p-1/") {
			t.Fatalf("%q reached p-1 as %v", topic, down)
		}
	})
}
