package grpc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/linktest"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func secrets(c *grpc.Config) { c.Gateway.VerifierKey = linktest.VerifierKey }

// reading is a report with one value.
func reading(seq int) *pb.ReportRequest {
	return &pb.ReportRequest{Message: &pb.Message{Kind: pb.Message_TELEMETRY, Payload: fmt.Appendf(nil, `{"epoch":1,"seq":%d,"data":{"rpm":1}}`, seq)}}
}

// admitted makes calls of a device, once it is let in.
func admitted(t *testing.T, w *linktest.World, address string, id linktest.Identity) (pb.DeviceClient, context.Context) {
	t.Helper()
	conn, _, err := connection(w, address, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c, ctx := pb.NewDeviceClient(conn), showing(t.Context(), id)
	linktest.Eventually(t, "the device is let in", func() bool {
		_, err := c.Report(ctx, reading(1))
		return err == nil
	})
	return c, ctx
}

// Every kind of credential lets a device in, by whatever metadata it shows it; what is not quite it does not.
func TestWhatADeviceShows(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", secrets)
	for _, kind := range []device.Kind{device.Token, device.Password, device.APIKey} {
		t.Run(string(kind), func(t *testing.T) {
			id := w.AdmitSecret(device.Ref("p-"+kind), kind)
			c, good := admitted(t, w, address, id)
			if _, err := c.Report(good, reading(2)); err != nil {
				t.Error(err)
			}
			wrong := id
			wrong.Password = id.Password[:len(id.Password)-1] + "x"
			for name, ctx := range map[string]context.Context{
				"another secret": showing(t.Context(), wrong),
				"no secret":      metadata.AppendToOutgoingContext(t.Context(), "castor-client", id.Client),
				"another device": metadata.AppendToOutgoingContext(metadata.NewOutgoingContext(t.Context(), metadata.Pairs("x-api-key", id.Password)), "castor-client", "p-2"),
			} {
				_, err := c.Report(ctx, reading(3))
				if status.Code(err) != codes.Unauthenticated {
					t.Errorf("%s: %v", name, err)
				}
				if nothing := strings.HasPrefix(status.Convert(err).Message(), "no credential is shown"); nothing != (name == "no secret") {
					t.Errorf("%s: it is told %v", name, err)
				}
			}
		})
	}
}

// Each way of being wrong has its code, and the text names what is to be changed.
func TestCodes(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", secrets)
	c, ctx := admitted(t, w, address, w.AdmitSecret("p-1", device.Token))
	message := func(kind pb.Message_Kind, word string, bytes int) *pb.ReportRequest {
		return &pb.ReportRequest{Message: &pb.Message{Kind: kind, Word: word, Payload: make([]byte, bytes)}}
	}
	for name, x := range map[string]struct {
		in   *pb.ReportRequest
		code codes.Code
		text string
	}{
		"no message":                 {&pb.ReportRequest{}, codes.InvalidArgument, "message"},
		"no kind":                    {message(0, "", 1), codes.InvalidArgument, "kind"},
		"a kind that is not there":   {message(99, "", 1), codes.InvalidArgument, "kind"},
		"a word where none belongs":  {message(pb.Message_TELEMETRY, "x", 1), codes.InvalidArgument, "word"},
		"a log without an app":       {message(pb.Message_LOG, "", 1), codes.InvalidArgument, "word"},
		"an app with a slash":        {message(pb.Message_LOG, "a/b", 1), codes.InvalidArgument, "word"},
		"an app that climbs":         {message(pb.Message_LOG, "../x", 1), codes.InvalidArgument, "word"},
		"an answer to no command":    {message(pb.Message_RESPONSE, "", 1), codes.InvalidArgument, "word"},
		"an app of 10 KB":            {message(pb.Message_LOG, strings.Repeat("x", 10_000), 1), codes.InvalidArgument, "word"},
		"too large":                  {message(pb.Message_TELEMETRY, "", telemetry.MaxPayload), codes.ResourceExhausted, "262144"},
		"what cannot be decoded":     {message(pb.Message_TELEMETRY, "", 10), codes.OK, ""},
		"a log, which may be any":    {message(pb.Message_LOG, "app", 10), codes.OK, ""},
		"a response to any command":  {message(pb.Message_RESPONSE, "c-1", 10), codes.OK, ""},
		"reported state":             {message(pb.Message_STATE, "", 10), codes.OK, ""},
		"an event, and there is one": {message(pb.Message_EVENT, "", 10), codes.OK, ""},
	} {
		if _, err := c.Report(ctx, x.in); status.Code(err) != x.code || err != nil && !strings.Contains(status.Convert(err).Message(), x.text) {
			t.Errorf("%s: %v, want %s with %q", name, err, x.code, x.text)
		}
	}
	for name, x := range map[string]struct {
		pairs []string
		text  string
	}{
		"two credentials":        {[]string{"x-api-key", "a.b", "authorization", "Bearer a.b"}, "one of them"},
		"one twice":              {[]string{"x-api-key", "a.b", "x-api-key", "a.b"}, "more than once"},
		"another scheme":         {[]string{"authorization", "Digest a.b"}, "Bearer"},
		"a bearer of nothing":    {[]string{"authorization", "Bearer "}, "Bearer"},
		"a basic that is not so": {[]string{"authorization", "Basic ***"}, "Basic"},
	} {
		_, err := c.Report(metadata.NewOutgoingContext(t.Context(), metadata.Pairs(x.pairs...)), reading(1))
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Renew(ctx, &pb.RenewRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a renewal of nothing: %v", err)
	}
}

// A deadline ends the call; what the platform does with the message goes on, and sending it again does no harm.
func TestDeadlines(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", secrets)
	c, ctx := admitted(t, w, address, w.AdmitSecret("p-1", device.Token))
	w.Platform.Fail("twin-ingest", http.StatusServiceUnavailable)
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := c.Report(soon, reading(2)); status.Code(err) != codes.DeadlineExceeded || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	w.Platform.Fail("twin-ingest", 0)
	if _, err := c.Report(ctx, reading(2)); err != nil {
		t.Error(err)
	}
}

// Calls, and a stream beside them, are one stay of the device: nobody is told that it comes and goes with each call.
func TestCallsAreOneStay(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", secrets)
	id := w.AdmitSecret("p-1", device.Token)
	c, ctx := admitted(t, w, address, id)
	for i := range 20 {
		if _, err := c.Report(ctx, reading(i+2)); err != nil {
			t.Fatal(err)
		}
	}
	if p := w.Platform.Presence(""); len(p) != 1 || p[0].Samples[0].Value != true {
		t.Errorf("told of its presence: %+v", p)
	}
	stream, err := c.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Report(ctx, reading(30)); err != nil {
		t.Error(err)
	}
	if _, err := c.Confirm(ctx, &pb.ConfirmRequest{}); err != nil {
		t.Error(err)
	}
	second, err := c.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Recv(); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; { // it hears of what the call beside it had stored, and of its end
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Aborted {
		t.Errorf("the stream before ended with %v, want ABORTED", err)
	}
	if err := second.Send(&pb.Up{}); err != nil {
		t.Error(err)
	}
	if _, err := second.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("after nothing was said the stream ended with %v", err)
	}
}

// A device that ends its side hears of all that it has sent, and then that all is well: good for scripts.
func TestHalfClosed(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", nil)
	_, stream := connected(t, w, address, w.AdmitDevice("p-1"))
	for i := range 200 {
		if err := stream.Send(&pb.Up{What: &pb.Up_Report{Report: reading(i + 1).Message}}); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	var last *pb.Stored
	for {
		down, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = down.GetStored()
	}
	if last.GetCount() != 200 {
		t.Errorf("the last it heard is %v", last)
	}
}

// Who fails too often is told when to come back.
func TestThrottled(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", func(c *grpc.Config) { secrets(c); c.Gateway.Limits.FailureBurst = 3 })
	conn, _, err := connection(w, address, linktest.Identity{Client: "p-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 50 {
		_, err = pb.NewDeviceClient(conn).Report(showing(t.Context(), linktest.Identity{Client: "p-1", Password: "p-1.guess"}), reading(1), rpc.WaitForReady(true))
		if status.Code(err) == codes.ResourceExhausted {
			break
		}
	}
	for _, d := range status.Convert(err).Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok && r.RetryDelay.AsDuration() > 0 {
			return
		}
	}
	t.Errorf("the 50th failure is answered %v without a word of when to come back", err)
}
