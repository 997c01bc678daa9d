// Package gatewaytest plays the platform for the agent's tests: a provisioning and an operational gateway that are real
// MQTT brokers with TLS, a CA, and answers by the wire contract, which a test can script. It checks what a real gateway
// checks (claim token, certificate, topics) and keeps every message; it is no twin and stores nothing.
package gatewaytest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// A Message is one thing a device said.
type Message struct {
	Ref   device.Ref
	Topic string // below castor/{ref}/
	Order twin.Order
	Time  time.Time
	Data  map[string]any
	Level string
	Text  string

	// Of answers to commands; Output is JSON.
	Status, Output, Reason string
}

// Platform is two gateways and what stands behind them. Script fields are set before devices connect, or through Do.
type Platform struct {
	CA    *CA
	Claim api.ClaimFile

	// Answer decides about a request; nil accepts it. Returning nil answers nothing.
	Answer func(req api.ProvisionRequest) *api.ProvisionAnswer

	// Hold leaves telemetry unstored: neither PUBACK nor acknowledgement.
	Hold bool

	// Mute stores telemetry and sends PUBACK, but no acknowledgement.
	Mute bool

	// DenyConfirm leaves so many confirmations without PUBACK.
	DenyConfirm int

	mu           sync.Mutex
	provisioning *mochi.Server
	operational  *mochi.Server
	address      string // of the operational gateway
	requests     []api.ProvisionRequest
	confirms     []device.Ref
	messages     []Message
	publications int
	sessions     int
	connected    map[device.Ref]*mochi.Client
}

// New starts a platform that is closed with the test.
func New(t testing.TB) *Platform {
	p := &Platform{CA: NewCA(t), connected: map[device.Ref]*mochi.Client{}}
	cert := p.CA.Server(t)
	var address string
	p.provisioning, address = p.serve(t, &tls.Config{Certificates: []tls.Certificate{cert}}, &claims{p: p})
	p.operational, p.address = p.serve(t, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.CA.Pool()}, &devices{p: p})
	p.Claim = api.ClaimFile{Claim: device.Claim{ID: "claim-1", Type: "pump"}, Token: "secret", Gateway: "tls://" + address, CA: p.CA.PEM()}
	return p
}

func (p *Platform) serve(t testing.TB, secure *tls.Config, hook mochi.Hook) (*mochi.Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumClientWritesPending = 65_535
	s := mochi.New(&mochi.Options{InlineClient: true, Capabilities: caps, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := s.AddHook(hook, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	stop := accept(s, tls.NewListener(l, secure))
	t.Cleanup(func() {
		stop()
		s.Close()
	})
	return s, l.Addr().String()
}

// accept does what the broker's own listeners do, which are not used because a connection that comes while they are closed
// is a data race. stop returns when all connections have ended.
func accept(s *mochi.Server, l net.Listener) (stop func()) {
	var serving sync.WaitGroup
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[c] = true
			mu.Unlock()
			serving.Go(func() {
				s.EstablishConnection("tls", c)
				c.Close()
				mu.Lock()
				delete(conns, c)
				mu.Unlock()
			})
		}
	})
	return func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	}
}

// Gateway is the operational gateway's address.
func (p *Platform) Gateway() string { return "tls://" + p.address }

// Do changes the script while devices are connected.
func (p *Platform) Do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Requests are the provisioning requests so far.
func (p *Platform) Requests() []api.ProvisionRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Confirms are the devices that have confirmed, once for each time.
func (p *Platform) Confirms() []device.Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.confirms)
}

// Messages are those stored so far, in the order in which they came, repetitions included.
func (p *Platform) Messages() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.messages)
}

// Publications is how many MQTT messages with telemetry were stored.
func (p *Platform) Publications() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.publications
}

// Sessions is how often a device has logged in at the operational gateway.
func (p *Platform) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions
}

// Kick breaks a device's connection.
func (p *Platform) Kick(ref device.Ref) {
	p.mu.Lock()
	cl := p.connected[ref]
	p.mu.Unlock()
	if cl != nil {
		cl.Stop(errors.New("kicked"))
	}
}

// Ack sends an acknowledgement.
func (p *Platform) Ack(ref device.Ref, o twin.Order) {
	p.mu.Lock()
	cl := p.connected[ref]
	p.mu.Unlock()
	if cl != nil {
		ack(cl, o)
	}
}

// Command has a device do something, if it is connected and listens.
func (p *Platform) Command(ref device.Ref, id, payload string) bool {
	p.mu.Lock()
	cl := p.connected[ref]
	p.mu.Unlock()
	if cl == nil {
		return false
	}
	if _, ok := cl.State.Subscriptions.Get("castor/" + cl.ID + "/command/+"); !ok {
		return false
	}
	return cl.WritePacket(packets.Packet{
		ProtocolVersion: cl.Properties.ProtocolVersion, TopicName: "castor/" + cl.ID + "/command/" + id, Payload: []byte(payload),
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
	}) == nil
}

// ack writes to the device's own connection. The broker's Publish would look it up by its id, where a former connection
// of the device that ends late may have deleted it.
func ack(cl *mochi.Client, o twin.Order) {
	topic := "castor/" + cl.ID + "/ack"
	if _, ok := cl.State.Subscriptions.Get(topic); !ok {
		return
	}
	b, _ := json.Marshal(o)
	cl.WritePacket(packets.Packet{
		ProtocolVersion: cl.Properties.ProtocolVersion, TopicName: topic, Payload: b,
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
	})
}

// Accept is the usual answer: a certificate for the request's key, in the name of its serial.
func (p *Platform) Accept(req api.ProvisionRequest) *api.ProvisionAnswer {
	ref := device.Ref("dev-" + strings.ToLower(req.Serial))
	cert, err := p.CA.Sign(req.CSR, string(ref))
	if err != nil {
		return &api.ProvisionAnswer{Status: "rejected", Reason: err.Error()}
	}
	return &api.ProvisionAnswer{Status: "accepted", Run: "run-1", Bundle: &api.Bundle{
		Ref: ref, Twin: twin.ID(strings.ToLower(req.Serial)), Gateway: p.Gateway(), CA: p.CA.PEM(), Certificate: cert,
	}}
}

// claims is the provisioning gateway.
type claims struct {
	mochi.HookBase
	p *Platform
}

func (*claims) ID() string { return "claims" }
func (*claims) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnPublish}, b) >= 0
}

func (h *claims) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	return string(pk.Connect.Username) == h.p.Claim.Claim.ID && string(pk.Connect.Password) == h.p.Claim.Token
}

func (h *claims) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	if write {
		return strings.HasPrefix(topic, "castor/provision/") && strings.HasSuffix(topic, "/request")
	}
	return strings.HasPrefix(topic, "castor/provision/"+cl.ID+"/") // asked for the subscription and for each delivery
}

func (h *claims) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	req := api.ProvisionRequest{Client: cl.ID, Claim: string(cl.Properties.Username)}
	if err := json.Unmarshal(pk.Payload, &req); err != nil {
		return pk, packets.ErrRejectPacket
	}
	h.p.mu.Lock()
	h.p.requests = append(h.p.requests, req)
	answer := h.p.Answer
	h.p.mu.Unlock()
	if answer == nil {
		answer = h.p.Accept
	}
	if out := answer(req); out != nil {
		b, _ := json.Marshal(out)
		topic := map[string]string{"pending": "status"}[out.Status]
		if topic == "" {
			topic = out.Status
		}
		h.p.provisioning.Publish("castor/provision/"+cl.ID+"/"+topic, b, false, 1)
	}
	return pk, packets.CodeSuccessIgnore
}

// devices is the operational gateway.
type devices struct {
	mochi.HookBase
	p *Platform
}

func (*devices) ID() string { return "devices" }
func (*devices) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnConnectAuthenticate, mochi.OnSessionEstablished, mochi.OnACLCheck, mochi.OnPublish}, b) >= 0
}

func (h *devices) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.p.connected[device.Ref(cl.ID)] = cl
}

func (h *devices) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	state := cl.Net.Conn.(*tls.Conn).ConnectionState()
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.p.sessions++
	return state.PeerCertificates[0].Subject.CommonName == cl.ID
}

func (h *devices) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	return strings.HasPrefix(topic, "castor/"+cl.ID+"/")
}

func (h *devices) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	p, ref := h.p, device.Ref(cl.ID)
	topic := strings.TrimPrefix(pk.TopicName, "castor/"+cl.ID+"/")
	p.mu.Lock()
	defer p.mu.Unlock()
	if topic == "provision/confirm" {
		p.confirms = append(p.confirms, ref)
		if p.DenyConfirm > 0 {
			p.DenyConfirm--
			return pk, packets.ErrRejectPacket
		}
		return pk, packets.CodeSuccessIgnore
	}
	if p.Hold {
		return pk, packets.ErrRejectPacket
	}
	msgs, err := decode(pk.Payload)
	if err != nil {
		msgs = []Message{{Text: "undecoded: " + err.Error()}}
	}
	for _, m := range msgs {
		m.Ref, m.Topic = ref, topic
		p.messages = append(p.messages, m)
	}
	p.publications++
	if !p.Mute {
		ack(cl, msgs[len(msgs)-1].Order)
	}
	return pk, packets.CodeSuccessIgnore
}

func decode(payload []byte) (out []Message, err error) {
	type wire struct {
		twin.Order
		Time  time.Time
		Data  map[string]any
		Level string
		Text  string

		Status, Reason string
		Output         json.RawMessage
	}
	var all []wire
	if payload[0] == '[' {
		err = json.Unmarshal(payload, &all)
	} else {
		all = make([]wire, 1)
		err = json.Unmarshal(payload, &all[0])
	}
	for _, w := range all {
		out = append(out, Message{Order: w.Order, Time: w.Time, Data: w.Data, Level: w.Level, Text: w.Text,
			Status: w.Status, Output: string(w.Output), Reason: w.Reason})
	}
	return out, err
}
