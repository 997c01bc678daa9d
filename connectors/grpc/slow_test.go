package grpc_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/linktest"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/telemetry"
	"golang.org/x/net/http2"
	rpc "google.golang.org/grpc"
)

// A device that reads nothing is sent no more than its windows take, costs a bounded queue, and is ended when it does not even answer
// pings.
func TestADeviceThatNeverReads(t *testing.T) {
	w := linktest.NewWorld(t)
	c, address := run(t, w, "operational", func(c *grpc.Config) { c.Keepalive = time.Second })
	id := w.AdmitDevice("p-1")
	linktest.Eventually(t, "the gateway knows it", func() bool {
		d, err := dial(w, address, id)
		if err == nil {
			d.Cut()
		}
		return err == nil
	})
	bad := open(t, w, address, id, "h2")
	bad.preface()
	_ = bad.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bad.headers(connectMethod), EndHeaders: true})
	linktest.Eventually(t, "it has its stream", func() bool { s, _ := c.Stats(); return s.Sessions == 1 })
	payload := bytes.Repeat([]byte("x"), 10_000)
	linktest.Eventually(t, "messages for it are dropped", func() bool {
		for range 100 {
			_ = w.Bus.Send(t.Context(), bus.Downlink{Gateway: w.Gateway, Device: "p-1", Topic: "castor/p-1/state/delta", Payload: payload})
		}
		s, _ := c.Stats()
		return s.Dropped > 0 || s.Sessions == 0
	})
	linktest.Eventually(t, "it is disconnected", func() bool { s, _ := c.Stats(); return s.Sessions == 0 })
}

// A stream that sends faster than the platform stores is held back, by the window and then by TCP.
func TestBackPressure(t *testing.T) {
	w := linktest.NewWorld(t)
	hold := make(chan struct{})
	var seen atomic.Int64
	w.Platform.OnIngest(func(_ int, b telemetry.Batch) ([]telemetry.Outcome, int) {
		for _, m := range b.Messages {
			if m.Kind == telemetry.Telemetry {
				seen.Add(1)
			}
		}
		<-hold
		return nil, 0
	})
	c, address := run(t, w, "operational", nil)
	conn, stream := connected(t, w, address, w.AdmitDevice("p-1"))
	defer conn.Close()
	var sent atomic.Int64
	go func() {
		payload := fmt.Appendf(nil, `{"data":{"text":%q}}`, strings.Repeat("x", 10_000))
		for range 2000 {
			if stream.Send(&pb.Up{What: &pb.Up_Report{Report: &pb.Message{Kind: pb.Message_TELEMETRY, Payload: payload}}}) != nil {
				return
			}
			sent.Add(1)
		}
		_ = stream.CloseSend()
	}()
	linktest.Eventually(t, "the window is full", func() bool { s, _ := c.Stats(); return s.Received == 64 })
	last := int64(-1)
	linktest.Eventually(t, "the device is held back", func() bool {
		<-time.After(100 * time.Millisecond)
		now := sent.Load()
		defer func() { last = now }()
		return now == last
	})
	if s, _ := c.Stats(); s.Received != 64 || sent.Load() > 500 || seen.Load() > 64 {
		t.Errorf("%d sent, %d received, %d on their way to be stored; want no more than a window of 64", sent.Load(), s.Received, seen.Load())
	}
	close(hold)
	for { // what was sent before the device ended its side is acknowledged, then the call ends well
		down, err := stream.Recv()
		if err != nil {
			t.Fatalf("the stream ended with %v", err)
		}
		if down.GetStored().GetCount() == 2000 {
			break
		}
	}
}

// connected opens Connect, as soon as the device is let in.
func connected(t *testing.T, w *linktest.World, address string, id linktest.Identity) (*rpc.ClientConn, pb.Device_ConnectClient) {
	t.Helper()
	var conn *rpc.ClientConn
	var stream pb.Device_ConnectClient
	linktest.Eventually(t, "the device is let in", func() (ok bool) {
		var err error
		if conn, _, err = connection(w, address, id); err != nil {
			return false
		}
		if stream, err = pb.NewDeviceClient(conn).Connect(showing(t.Context(), id)); err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return conn, stream
}
