package mqtt_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
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
		flood(b, w, l.Addr().String())
	})
	b.Run("connector", func(b *testing.B) {
		w := linktest.NewWorld(b)
		address, stop := start(b, w, "operational")
		defer stop()
		flood(b, w, address)
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

func flood(b *testing.B, w *linktest.World, address string) {
	conns := make([]net.Conn, publishers)
	for i := range conns {
		id := w.AdmitDevice(device.Ref(fmt.Sprintf("p-%d", i)))
		linktest.Eventually(b, "the publisher is let in", func() bool {
			conn, err := tls.Dial("tcp", address, w.CA.Client(id))
			if err == nil {
				conns[i], err = conn, hello(conn, id.Client)
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
			if err := publishAll(conn, fmt.Sprintf("p-%d", i), n); err != nil {
				b.Errorf("publisher %d: %v", i, err)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func hello(conn net.Conn, client string) error {
	var buf bytes.Buffer
	pk := packets.Packet{
		ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 600, ClientIdentifier: client},
	}
	if err := pk.ConnectEncode(&buf); err != nil {
		return err
	}
	if _, err := conn.Write(buf.Bytes()); err != nil {
		return err
	}
	var ack [4]byte
	if _, err := io.ReadFull(conn, ack[:]); err != nil {
		return err
	}
	if ack[3] != 0 {
		return fmt.Errorf("refused with %d", ack[3])
	}
	return nil
}

// publishAll sends n messages and reads as many acknowledgements.
func publishAll(conn net.Conn, client string, n int) error {
	slots, failed := make(chan struct{}, window), make(chan error, 1)
	go func() {
		r := bufio.NewReader(conn)
		var ack [4]byte
		for range n {
			if _, err := io.ReadFull(r, ack[:]); err != nil || ack[0] != packets.Puback<<4 {
				failed <- fmt.Errorf("read %v: %w", ack, err)
				return
			}
			<-slots
		}
		failed <- nil
	}()
	for i := range n {
		select {
		case slots <- struct{}{}:
		case err := <-failed:
			return err
		}
		var buf bytes.Buffer
		pk := packets.Packet{
			ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: uint16(i%60_000 + 1),
			TopicName: "castor/" + client + "/telemetry",
			Payload:   fmt.Appendf(nil, `{"time":"2026-03-21T10:00:00.000Z","epoch":1,"seq":%d,"data":{"rpm":%d,"temperature":20.5,"on":true}}`, i+1, i),
		}
		if err := pk.PublishEncode(&buf); err != nil {
			return err
		}
		if _, err := conn.Write(buf.Bytes()); err != nil {
			return err
		}
	}
	return <-failed
}
