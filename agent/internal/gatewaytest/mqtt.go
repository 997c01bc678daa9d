package gatewaytest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// startMQTT starts both gateways as MQTT brokers.
func (p *Platform) startMQTT(t testing.TB, cert tls.Certificate) (provisioning, operational string) {
	provisioning = serve(t, &tls.Config{Certificates: []tls.Certificate{cert}}, &claims{p: p})
	operational = serve(t, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.CA.Pool()}, &devices{p: p})
	return provisioning, operational
}

func serve(t testing.TB, secure *tls.Config, hook mochi.Hook) (address string) {
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
	return l.Addr().String()
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

// An mqttLine is a device's connection to the broker. What is sent is written to it and not published: the broker would look the device
// up by its id, where a former connection that ends late may have deleted it.
type mqttLine struct{ cl *mochi.Client }

func (l mqttLine) kick() { l.cl.Stop(errors.New("kicked")) }

func (l mqttLine) ack(o twin.Order) {
	b, _ := json.Marshal(o)
	l.write("ack", "ack", b)
}

func (l mqttLine) command(id, payload string) bool {
	return l.write("command/+", "command/"+id, []byte(payload))
}

// write sends a message if the device has subscribed to filter.
func (l mqttLine) write(filter, topic string, payload []byte) bool {
	if _, ok := l.cl.State.Subscriptions.Get("castor/" + l.cl.ID + "/" + filter); !ok {
		return false
	}
	return l.cl.WritePacket(packets.Packet{
		ProtocolVersion: l.cl.Properties.ProtocolVersion, TopicName: "castor/" + l.cl.ID + "/" + topic, Payload: payload,
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
	}) == nil
}

// knock is the topic of devices that have nothing to show.
const knock = "castor/provision/knock"

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
	if !pk.Connect.UsernameFlag && !pk.Connect.PasswordFlag {
		return h.p.knocking()
	}
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	return string(pk.Connect.Username) == h.p.Claim.Claim.ID && string(pk.Connect.Password) == h.p.Claim.Token
}

func (h *claims) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	if write && len(cl.Properties.Username) == 0 {
		return topic == knock
	}
	if write {
		return strings.HasPrefix(topic, "castor/provision/") && strings.HasSuffix(topic, "/request")
	}
	return strings.HasPrefix(topic, "castor/provision/"+cl.ID+"/") // asked for the subscription and for each delivery
}

func (h *claims) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	var out *api.ProvisionAnswer
	var err error
	if pk.TopicName == knock {
		out, err = h.p.knocked(cl.ID, pk.Payload)
	} else {
		out, err = h.p.asked(cl.ID, string(cl.Properties.Username), pk.Payload)
	}
	if err != nil {
		return pk, packets.ErrRejectPacket
	}
	if out != nil {
		b, _ := json.Marshal(out)
		topic := map[string]string{"pending": "status"}[out.Status]
		if topic == "" {
			topic = out.Status
		}
		_ = cl.WritePacket(packets.Packet{
			ProtocolVersion: cl.Properties.ProtocolVersion, TopicName: "castor/provision/" + cl.ID + "/" + topic, Payload: b,
			FixedHeader: packets.FixedHeader{Type: packets.Publish},
		})
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
	h.p.connected[device.Ref(cl.ID)] = mqttLine{cl}
}

func (h *devices) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	if !h.p.admits(device.Ref(cl.ID), cl.Net.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0]) {
		return false
	}
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	h.p.sessions++
	return true
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
	ok := true
	switch topic {
	case "provision/confirm":
		ok = p.confirmed(ref)
	case "credential/renew":
		if answer, ok := p.renew(ref, pk.Payload); ok {
			mqttLine{cl}.write("credential/renewed", "credential/renewed", answer)
		}
	case "credential/confirm":
		p.adopted(ref, cl.Net.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
	default:
		ok = p.reported(ref, topic, pk.Payload, mqttLine{cl}.ack)
	}
	if !ok {
		return pk, packets.ErrRejectPacket
	}
	return pk, packets.CodeSuccessIgnore
}
