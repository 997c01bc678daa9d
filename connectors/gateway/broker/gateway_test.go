package broker_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/broker"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/mochi-mqtt/server/v2/packets"
)

func TestMQTT5IsAcknowledgedInOrderWhenTheHandlerSaysSo(t *testing.T) {
	w, h := linktest.NewWorld(t), &taker{hold: true}
	g, _ := run(t, w, h, nil)
	d := admitted(t, w, g, w.AdmitDevice("p-1"), nil)
	for id := range uint16(10) {
		d.publish("castor/p-1/telemetry", 1, id+1, "{}")
	}
	d.publish("castor/p-1/log/app", 0, 0, "hello")
	linktest.Eventually(t, "all are received", func() bool { return h.count() == 11 })
	if n := g.Stats().Acknowledged; n != 0 {
		t.Errorf("%d messages are acknowledged before the handler says so", n)
	}
	h.finish(true)
	for id := range uint16(10) {
		if pk := d.expect(packets.Puback); pk.PacketID != id+1 || pk.ReasonCode != 0 {
			t.Fatalf("acknowledged %d with %#x, want %d", pk.PacketID, pk.ReasonCode, id+1)
		}
	}
}

// What the handler could not store must not be acknowledged, and must not hold the window.
func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	w, h := linktest.NewWorld(t), &taker{hold: true}
	g, _ := run(t, w, h, func(c *gateway.Config) { c.Limits.Window = 3 })
	d := admitted(t, w, g, w.AdmitDevice("p-1"), nil)
	for id := range uint16(5) {
		d.publish("castor/p-1/telemetry", 1, id+1, fmt.Sprint(id+1))
	}
	linktest.Eventually(t, "the window is full", func() bool { return h.count() == 3 })
	h.finish(false)
	linktest.Eventually(t, "the rest follows", func() bool { return h.count() == 5 })
	h.finish(true)
	if pk := d.expect(packets.Puback); pk.PacketID != 4 {
		t.Errorf("acknowledged %d first, want 4, the first that was stored", pk.PacketID)
	}
}

func TestTheWindowHoldsBackOneDeviceAlone(t *testing.T) {
	w, h := linktest.NewWorld(t), &taker{hold: true}
	g, _ := run(t, w, h, func(c *gateway.Config) { c.Limits.Window = 3 })
	d, other := admitted(t, w, g, w.AdmitDevice("p-1"), nil), admitted(t, w, g, w.AdmitDevice("p-2"), nil)
	for id := range uint16(20) {
		d.publish("castor/p-1/telemetry", 1, id+1, "{}")
	}
	linktest.Eventually(t, "the window is full", func() bool { return h.count() == 3 })
	other.publish("castor/p-2/telemetry", 1, 1, "{}")
	linktest.Eventually(t, "the other device is heard", func() bool { return h.count() == 4 })
	w.Dismiss("p-1") // also a device that is held back can be cut off
	d.ends()
	if h.count() != 4 {
		t.Errorf("%d messages are received, want 4", h.count())
	}
}

func TestWhatTheContractDoesNotHaveIsRefused(t *testing.T) {
	w, h := linktest.NewWorld(t), &taker{}
	g, _ := run(t, w, h, nil)
	id := w.AdmitDevice("p-1")
	d := admitted(t, w, g, id, nil)
	for _, topic := range []string{"castor/p-2/telemetry", "castor/p-1/ack", "castor/p-1/command/c-1", "castor/p-1/log/", "castor/p-1/log/a/b", "castor/p-1",
		"castor/p-2/command/c-1/response", "castor/p-1/command/response", "castor/p-1/command/a/b/response", "castor/p-1/command//response", "castor/provision/pump/request"} {
		d.publish(topic, 1, 9, "{}")
		if pk := d.expect(packets.Puback); pk.ReasonCode != packets.ErrNotAuthorized.Code {
			t.Errorf("publishing to %s was answered %#x", topic, pk.ReasonCode)
		}
	}
	for _, filter := range []string{"#", "castor/#", "castor/+/ack", "castor/p-2/ack", "castor/p-1/#", "castor/p-1/+", "castor/p-1/command/#", "$SYS/#", "$share/g/castor/p-1/ack"} {
		if code := d.subscribe(filter); code < 0x80 {
			t.Errorf("subscribing to %s was granted with %#x", filter, code)
		}
	}
	for _, filter := range []string{"castor/p-1/ack", "castor/p-1/state/delta", "castor/p-1/command/+"} {
		if code := d.subscribe(filter); code != 1 {
			t.Errorf("subscribing to %s was answered %#x, want QoS 1", filter, code)
		}
	}
	for i := range 40 {
		if code := d.subscribe(fmt.Sprintf("castor/p-1/command/%d", i)); i == 39 && code < 0x80 {
			t.Error("a session may hold any number of subscriptions")
		}
	}
	if h.count() != 0 {
		t.Errorf("the handler got %v", h.received)
	}
	d.publish("castor/p-1/telemetry", 2, 1, "{}")
	d.ends()
	alias := admitted(t, w, g, id, nil)
	alias.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "castor/p-1/telemetry",
		Properties: packets.Properties{TopicAlias: 1, TopicAliasFlag: true},
	}, (*packets.Packet).PublishEncode)
	alias.ends()
}

// The broker would publish a will anywhere, and keep a session for ever.
func TestAWillReachesNobodyAndASessionEndsWithItsConnection(t *testing.T) {
	w, h := linktest.NewWorld(t), &taker{}
	g, _ := run(t, w, h, nil)
	victim := admitted(t, w, g, w.AdmitDevice("p-2"), nil)
	victim.subscribe("castor/p-2/command/+")
	id := w.AdmitDevice("p-1")
	d := admitted(t, w, g, id, func(pk *packets.Packet) {
		pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, "castor/p-2/command/stop", []byte("now")
		pk.Connect.Clean, pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = false, 3600, true
	})
	d.subscribe("castor/p-1/command/+")
	_ = d.conn.Close()
	linktest.Eventually(t, "it is gone", func() bool { return len(g.Sessions()) == 1 })
	if err := g.Publish("p-1", "castor/p-1/command/c-1", []byte("x"), broker.Options{Acknowledged: true}); err != broker.ErrNotConnected {
		t.Errorf("publishing to a client that has gone: %v", err)
	}
	if err := g.Publish("p-2", "castor/p-2/command/c-2", []byte("x"), broker.Options{}); err != nil {
		t.Fatal(err)
	}
	if pk := victim.expect(packets.Publish); pk.TopicName != "castor/p-2/command/c-2" {
		t.Errorf("the other device got %s %s", pk.TopicName, pk.Payload)
	}
	again := admitted(t, w, g, id, func(pk *packets.Packet) { pk.Connect.Clean = false })
	again.publish("castor/p-1/telemetry", 1, 1, "{}")
	again.expect(packets.Puback) // and no message of a former session before it
}

func TestARetainedMessageWaitsForTheNextSession(t *testing.T) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, &taker{}, nil)
	id := w.AdmitDevice("p-1")
	if err := g.Publish("p-1", "castor/p-1/state/delta", []byte("new"), broker.Options{Retain: true, Acknowledged: true}); err != nil {
		t.Fatal(err)
	}
	d := admitted(t, w, g, id, nil)
	d.subscribe("castor/p-1/state/delta")
	if pk := d.expect(packets.Publish); string(pk.Payload) != "new" || pk.FixedHeader.Qos != 1 {
		t.Errorf("got %s with QoS %d", pk.Payload, pk.FixedHeader.Qos)
	}
	if err := g.Publish("p-1", "castor/p-2/state/delta", nil, broker.Options{}); err == nil {
		t.Error("a message for one device was published to another's topic")
	}
}

// Strangers are turned away before they cost a handshake, and do not shut out other addresses for ever.
func TestAnAddressThatFailsTooOftenIsNotHeard(t *testing.T) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, &taker{}, func(c *gateway.Config) {
		c.Phase, c.TLS = gateway.Provisioning, w.CA.Server(t, false)
		c.Limits.FailureBurst, c.Limits.FailureRate = 3, 1e-9
	})
	stranger := linktest.Identity{Client: "box-1", User: "claim-1", Password: "guess"}
	for range 3 {
		if _, code := connect(t, w, g, stranger, nil); code != int(packets.ErrBadUsernameOrPassword.Code) {
			t.Fatalf("a stranger was answered %#x", code)
		}
	}
	if _, code := connect(t, w, g, stranger, nil); code != -1 {
		t.Errorf("after three failures a stranger was answered %#x, want nothing", code)
	}
	if s := g.Stats(); s.Refused != 3 || s.Throttled != 1 {
		t.Errorf("counted %+v, want 3 refused and 1 throttled", s)
	}
}

func TestACertificateIsForItsOwnClientIDOnly(t *testing.T) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, &taker{}, nil)
	id := w.AdmitDevice("p-1")
	_ = admitted(t, w, g, id, nil).conn.Close()
	w.AdmitDevice("p-2")
	other := w.CA.Issue(t, "p-1") // signed, but not the one that was admitted
	strangers := linktest.NewCA(t).Issue(t, "p-1")
	for name, bad := range map[string]linktest.Identity{
		"another's client id":     {Client: "p-2", Certificate: id.Certificate},
		"another certificate":     {Client: "p-1", Certificate: &other},
		"another CA's":            {Client: "p-1", Certificate: &strangers},
		"no certificate":          {Client: "p-1", User: "p-1", Password: "x"},
		"an empty client id":      {Client: "", Certificate: id.Certificate},
		"a client id with spaces": {Client: "p 1", Certificate: id.Certificate},
	} {
		if _, code := connect(t, w, g, bad, nil); code == 0 {
			t.Errorf("%s was let in", name)
		}
	}
	if _, code := connect(t, w, g, id, nil); code != 0 {
		t.Errorf("the right device was answered %#x", code)
	}
}

func TestAConnectionThatSaysNothingIsClosed(t *testing.T) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, &taker{}, func(c *gateway.Config) { c.Limits.Handshake = 50e6 })
	silent, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	(&raw{t: t, conn: silent}).ends()
	id := w.AdmitDevice("p-1")
	half, err := tls.Dial("tcp", g.Addr().String(), w.CA.Client(id))
	if err != nil {
		t.Fatal(err)
	}
	(&raw{t: t, conn: half}).ends()
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	w := linktest.NewWorld(t)
	good := gateway.Config{ID: "g", Phase: gateway.Operational, Addr: "127.0.0.1:0", TLS: w.CA.Server(t, true), Dir: w.Dir, Bus: w.Bus}
	for want, change := range map[string]func(*gateway.Config){
		"phase":               func(c *gateway.Config) { c.Phase = "other" },
		"TLS only":            func(c *gateway.Config) { c.TLS = nil },
		"client certificates": func(c *gateway.Config) { c.TLS = w.CA.Server(t, false) },
		"gateway id":          func(c *gateway.Config) { c.ID = "a/b" },
		"unknown port":        func(c *gateway.Config) { c.Addr = "127.0.0.1:no" },
	} {
		c := good
		change(&c)
		if _, err := broker.New(c, &taker{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
}
