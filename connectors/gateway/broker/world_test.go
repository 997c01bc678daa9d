package broker_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/broker"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A taker is a Handler that keeps what it gets and acknowledges when told to.
type taker struct {
	hold bool // acknowledge by finish only

	mu       sync.Mutex
	sessions []string
	received []string
	waiting  []func(bool)
}

func (h *taker) Connected(s *gateway.Session)                 { h.note(&h.sessions, "+"+s.Client) }
func (h *taker) Subscribed(s *gateway.Session, filter string) {}
func (h *taker) Disconnected(s *gateway.Session)              { h.note(&h.sessions, "-"+s.Client) }

func (h *taker) Received(_ *gateway.Session, topic string, payload []byte, _ time.Time, done func(bool)) {
	h.note(&h.received, topic+" "+string(payload))
	if !h.hold {
		done(true)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(h.waiting, done)
}

func (h *taker) note(to *[]string, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*to = append(*to, what)
}

func (h *taker) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.received)
}

// finish acknowledges what waits.
func (h *taker) finish(stored bool) {
	h.mu.Lock()
	waiting := h.waiting
	h.waiting = nil
	h.mu.Unlock()
	for _, done := range waiting {
		done(stored)
	}
}

// run runs a gateway on w until stop is called or the test ends. change may alter its configuration.
func run(t testing.TB, w *linktest.World, h broker.Handler, change func(*gateway.Config)) (g *broker.Broker, stop func()) {
	t.Helper()
	c := gateway.Config{
		ID: w.Gateway, Phase: gateway.Operational, Addr: "127.0.0.1:0", TLS: w.CA.Server(t, true), Dir: w.Dir, Bus: w.Bus, Log: linktest.Quiet,
	}
	if change != nil {
		change(&c)
	}
	g, err := broker.New(c, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the gateway ended with %v", err)
			}
		case <-time.After(linktest.Patience):
			t.Error("the gateway does not end")
		}
	})
	t.Cleanup(stop)
	return g, stop
}

// A raw device speaks MQTT 5 packet by packet, to do what a client library would not.
type raw struct {
	t    testing.TB
	conn net.Conn
}

// connect dials and sends CONNECT; code is that of the CONNACK, -1 if the gateway said nothing.
func connect(t testing.TB, w *linktest.World, g *broker.Broker, id linktest.Identity, change func(*packets.Packet)) (r *raw, code int) {
	t.Helper()
	conn, err := tls.Dial("tcp", g.Addr().String(), w.CA.Client(id))
	if err != nil {
		return nil, -1
	}
	t.Cleanup(func() { _ = conn.Close() })
	r = &raw{t: t, conn: conn}
	pk := packets.Packet{
		ProtocolVersion: 5, FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: id.Client,
			UsernameFlag: id.User != "", Username: []byte(id.User), PasswordFlag: id.Password != "", Password: []byte(id.Password),
		},
	}
	if change != nil {
		change(&pk)
	}
	r.send(pk, (*packets.Packet).ConnectEncode)
	ack, err := r.read()
	if err != nil || ack.FixedHeader.Type != packets.Connack {
		return r, -1
	}
	return r, int(ack.ReasonCode)
}

// admitted is connect, repeated until the gateway lets the device in.
func admitted(t testing.TB, w *linktest.World, g *broker.Broker, id linktest.Identity, change func(*packets.Packet)) *raw {
	t.Helper()
	var r *raw
	linktest.Eventually(t, id.Client+" is let in", func() bool {
		var code int
		r, code = connect(t, w, g, id, change)
		return code == 0
	})
	return r
}

func (r *raw) send(pk packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) {
	r.t.Helper()
	pk.ProtocolVersion = 5
	var b bytes.Buffer
	if err := encode(&pk, &b); err != nil {
		r.t.Fatal(err)
	}
	_, _ = r.conn.Write(b.Bytes()) // an error shows when reading
}

func (r *raw) publish(topic string, qos byte, id uint16, payload string) {
	r.t.Helper()
	r.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, TopicName: topic, PacketID: id, Payload: []byte(payload),
	}, (*packets.Packet).PublishEncode)
}

func (r *raw) subscribe(filter string) byte {
	r.t.Helper()
	r.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 60_000, Filters: packets.Subscriptions{{Filter: filter, Qos: 1}},
	}, (*packets.Packet).SubscribeEncode)
	pk := r.expect(packets.Suback)
	return pk.ReasonCodes[0]
}

func (r *raw) expect(kind byte) packets.Packet {
	r.t.Helper()
	pk, err := r.read()
	if err != nil || pk.FixedHeader.Type != kind {
		r.t.Fatalf("read packet of type %d (%v), want %d", pk.FixedHeader.Type, err, kind)
	}
	return pk
}

// ends waits for the end of the connection.
func (r *raw) ends() {
	r.t.Helper()
	for {
		_, err := r.read()
		if err == nil {
			continue
		}
		if n, ok := err.(net.Error); ok && n.Timeout() {
			r.t.Fatal("the connection does not end")
		}
		return
	}
}

func (r *raw) read() (pk packets.Packet, err error) {
	_ = r.conn.SetReadDeadline(time.Now().Add(linktest.Patience))
	var b [1]byte
	if _, err = io.ReadFull(r.conn, b[:]); err != nil {
		return pk, err
	}
	if err = pk.FixedHeader.Decode(b[0]); err != nil {
		return pk, err
	}
	n, _, err := packets.DecodeLength(byteReader{r.conn})
	if err != nil {
		return pk, err
	}
	body := make([]byte, n)
	if _, err = io.ReadFull(r.conn, body); err != nil {
		return pk, err
	}
	pk.ProtocolVersion, pk.FixedHeader.Remaining = 5, n
	switch pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(body)
	case packets.Puback:
		err = pk.PubackDecode(body)
	case packets.Suback:
		err = pk.SubackDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	case packets.Disconnect:
		err = pk.DisconnectDecode(body)
	}
	return pk, err
}

type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// applied collects what the gateway tells.
func applied(t testing.TB, b *bus.Bus) (all func() []event.Event) {
	t.Helper()
	var mu sync.Mutex
	var events []event.Event
	stop, err := b.Watch([]event.Topic{event.GatewayApplied}, func(e event.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return func() []event.Event {
		mu.Lock()
		defer mu.Unlock()
		return append([]event.Event(nil), events...)
	}
}
