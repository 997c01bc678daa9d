package mqtt_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/tests/load/flood"
	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	publishers = 100
	window     = 50 // messages of one publisher that wait for their acknowledgement
)

// BenchmarkPublish is how many QoS 1 messages of about 100 bytes are acknowledged per second, of 100 devices on TLS. The floor
// is the bare broker, which stores nothing; the connector has one call over HTTP per batch between message and acknowledgement.
func BenchmarkPublish(b *testing.B) {
	b.Run("bare broker", func(b *testing.B) {
		w := linktest.NewWorld(b)
		s := broker.New(&broker.Options{Logger: slog.New(slog.DiscardHandler)})
		if err := s.AddHook(new(open), nil); err != nil {
			b.Fatal(err)
		}
		l, err := tls.Listen("tcp", "127.0.0.1:0", w.CA.Server(b, true))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.AddListener(listeners.NewNet("floor", l)); err != nil {
			b.Fatal(err)
		}
		if err := s.Serve(); err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		publishAll(b, w, l.Addr().String())
	})
	b.Run("connector", func(b *testing.B) {
		w := linktest.NewWorld(b)
		address, stop := start(b, w, "operational")
		defer stop()
		publishAll(b, w, address)
		b.ReportMetric(float64(b.N)/float64(max(w.Platform.Calls("POST twin-ingest/batches"), 1)), "msg/call")
	})
}

// open lets everybody do everything.
type open struct{ broker.HookBase }

func (*open) Provides(b byte) bool {
	return b == broker.OnConnectAuthenticate || b == broker.OnACLCheck
}
func (*open) OnConnectAuthenticate(*broker.Client, packets.Packet) bool { return true }
func (*open) OnACLCheck(*broker.Client, string, bool) bool              { return true }

func publishAll(b *testing.B, w *linktest.World, address string) {
	conns := make([]net.Conn, publishers)
	for i := range conns {
		id := w.AdmitDevice(device.Ref(fmt.Sprintf("p-%d", i)))
		linktest.Eventually(b, "the publisher is let in", func() bool {
			conn, err := tls.Dial("tcp", address, w.CA.Client(id))
			if err == nil {
				conns[i], err = conn, flood.Hello(conn, id.Client)
			}
			return err == nil
		})
		defer conns[i].Close()
	}
	b.ResetTimer()
	var all sync.WaitGroup
	for i, conn := range conns {
		n := b.N / publishers
		if i < b.N%publishers {
			n++
		}
		all.Go(func() {
			if err := flood.Publish(conn, fmt.Sprintf("castor/p-%d/telemetry", i), n, window, payload, nil); err != nil {
				b.Errorf("publisher %d: %v", i, err)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func payload(i int) []byte {
	return fmt.Appendf(nil, `{"time":"2026-03-21T10:00:00.000Z","epoch":1,"seq":%d,"data":{"rpm":%d,"temperature":20.5,"on":true}}`, i+1, i)
}
