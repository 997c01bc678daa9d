package grpc_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/linktest"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"golang.org/x/net/http2"
)

// pour begins calls of a large message each and sends nearly all of it, as far as the gateway's windows let it, and never the end.
func (c *wire) pour(method string, calls int, junk []byte) {
	c.preface()
	var mu sync.Mutex
	sent, may := make([]int, calls), make([]int, calls)
	send := func() { // what the windows let through
		mu.Lock()
		defer mu.Unlock()
		for i := range calls {
			for n := 0; sent[i] < len(junk) && may[i] > 0; sent[i], may[i] = sent[i]+n, may[i]-n {
				n = min(len(junk)-sent[i], may[i], 16<<10)
				_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second)) // it may wait on the wire
				if c.framer.WriteData(uint32(2*i+1), false, junk[sent[i]:sent[i]+n]) != nil {
					return
				}
			}
		}
	}
	for i := range calls {
		_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: c.headers(method), EndHeaders: true})
		may[i] = 64<<10 - 1
	}
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
				for i := range may {
					may[i] += int(v) - (64<<10 - 1)
				}
			}
		case *http2.WindowUpdateFrame:
			if f.StreamID > 0 {
				may[(f.StreamID-1)/2] += int(f.Increment)
			}
		}
		mu.Unlock()
		go send()
	}
}

// held is what the process holds in memory, after a collection.
func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Peers that nobody knows send all that they can in as many calls as they can: each costs no more than what is listened to of it, while
// they last, and devices are served beside them.
func TestStrangersCostLittleMemory(t *testing.T) {
	const peers, each = 100, 256 << 10 // bytes that a peer may cost with its own end in this process, of 1 MiB that it sends
	junk := make([]byte, 5+telemetry.MaxPayload-100)
	_, _ = rand.Read(junk)
	junk[0] = 0 // not compressed
	binary.BigEndian.PutUint32(junk[1:], telemetry.MaxPayload-1)
	for _, method := range []string{"/grpc.health.v1.Health/Check", report} {
		t.Run(method, func(t *testing.T) {
			w := linktest.NewWorld(t)
			c, address := run(t, w, "operational", func(c *grpc.Config) {
				secrets(c)
				c.Gateway.Limits.Hurry, c.Gateway.Limits.Handshake = time.Minute, time.Minute
			})
			client, ctx := admitted(t, w, address, w.AdmitSecret("good", device.Token))
			before, most := held(), int64(0)
			for range peers {
				peer := open(t, w, address, linktest.Identity{}, "h2")
				go peer.pour(method, 4, junk)
			}
			for seq := range 10 {
				<-time.After(200 * time.Millisecond)
				most = max(most, held()-before)
				if _, err := client.Report(ctx, reading(seq+2)); err != nil {
					t.Errorf("a device beside them: %v", err)
				}
			}
			t.Logf("%d KiB per peer", most/peers>>10)
			if most > peers*each {
				t.Errorf("%d strangers cost %d KiB each, want %d at most", peers, most/peers>>10, each>>10)
			}
			if s, _ := c.Stats(); s.Sessions != 1 {
				t.Errorf("%d sessions, want that of the device alone", s.Sessions)
			}
		})
	}
}

// What a device sends first may be as large as any message: it is waited for once the device is known.
func TestTheFirstMessageMayBeLarge(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", secrets)
	id := w.AdmitSecret("p-1", device.Token)
	admitted(t, w, address, id)
	text := make([]byte, 15_000)
	for i := range text {
		text[i] = 'x'
	}
	for n := range 5 {
		conn, _, err := connection(w, address, id)
		if err != nil {
			t.Fatal(err)
		}
		payload := []byte("[")
		for seq := range 17 {
			payload = fmt.Appendf(payload, `{"epoch":2,"seq":%d,"data":{"text":%q}},`, 100*n+seq, text)
		}
		payload[len(payload)-1] = ']'
		_, err = pb.NewDeviceClient(conn).Report(showing(t.Context(), id), &pb.ReportRequest{Message: &pb.Message{Kind: pb.Message_TELEMETRY, Payload: payload}})
		if err != nil {
			t.Errorf("%d bytes in the first call of a connection: %v", len(payload), err)
		}
		_ = conn.Close()
	}
}
