package broker_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/broker"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/mochi-mqtt/server/v2/packets"
)

// plug are the topics of a plug with firmware of its own, hub those of a bridge.
func plug(name string) api.Topics {
	return api.Topics{Up: []string{"tele/{device}/#", "stat/{device}/+"}, Down: []string{"cmnd/{device}/POWER{n}", "cmnd/{device}/Dimmer"}, Device: name}
}

var hub = api.Topics{Up: []string{"zb/bridge/#", "zb/{device...}"}, Down: []string{"zb/{device...}/set"}}

func own(t *testing.T, h broker.Handler) (*linktest.World, *broker.Broker) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, h, func(c *gateway.Config) { c.VerifierKey, c.Limits.FailureBurst = linktest.VerifierKey, 10_000 })
	return w, g
}

func (h *taker) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.received)
}

// A device with topics of its own is found by its user name, whatever it calls itself, also by nothing.
func TestALoginWithTopicsOfItsOwnIsFoundByItsUserName(t *testing.T) {
	w, g := own(t, &taker{})
	id := w.AdmitOwn("p-1", plug("plug"))
	for _, client := range []string{"DVES_123456", "", "p-2"} {
		id.Client = client
		admitted(t, w, g, id, nil)
		if s := g.Sessions(); len(s) != 1 || s[0].Client != "p-1" || s[0].Name != "p-1" || s[0].Topics.Device() != "plug" {
			t.Errorf("as %q it has %+v", client, s)
		}
	}
	plain, a, _ := linktest.Secret("p-4", device.Password) // whose user name is its reference
	topics := plug("plug")
	plain.User, plain.Client, a.Username, a.Topics = "p-4", "mqttjs_12", "", &topics
	w.Admit(a)
	admitted(t, w, g, plain, nil)
	id.Password += "x"
	if _, code := connect(t, w, g, id, nil); code == 0 {
		t.Error("another password was let in")
	}
	other := w.AdmitOwn("p-3", plug("other"))
	admitted(t, w, g, other, nil)
	other.User = id.User
	if _, code := connect(t, w, g, other, nil); code == 0 {
		t.Error("another's password was let in")
	}
}

// Two connections of one login are one device, though they call themselves otherwise.
func TestASecondConnectionOfALoginReplacesTheFirst(t *testing.T) {
	w, g := own(t, &taker{})
	id := w.AdmitOwn("p-1", plug("plug"))
	first := admitted(t, w, g, id, nil)
	id.Client = "another"
	second := admitted(t, w, g, id, nil)
	first.ends()
	second.publish("tele/plug/STATE", 1, 1, "{}")
	second.expect(packets.Puback)
}

// What such a device says outside its topics is dropped and acknowledged, and its session goes on: it could not be taught otherwise.
func TestWhatALoginSaysOutsideItsTopicsIsDropped(t *testing.T) {
	h := &taker{}
	w, g := own(t, h)
	d := admitted(t, w, g, w.AdmitOwn("p-1", plug("plug")), nil)
	for i, topic := range []string{"tele/other/STATE", "tasmota/discovery/AABB/config", "castor/p-1/telemetry", "castor/p-2/telemetry", "own/p-1/tele/plug/STATE", "tele", "$SYS/broker/load", "$sys", "$share/tele/plug/STATE", "tele/plug/STATE"} {
		d.publish(topic, 1, uint16(i+1), "{}")
		if pk := d.expect(packets.Puback); pk.PacketID != uint16(i+1) || pk.ReasonCode != 0 {
			t.Errorf("%s was answered %+v", topic, pk)
		}
		d.publish(topic, 0, 0, "0")
	}
	d.publish("tele/plug/LWT", 1, 100, "Online")
	d.expect(packets.Puback)
	if got := h.got(); !slices.Equal(got, []string{"tele/plug/STATE {}", "tele/plug/STATE 0", "tele/plug/LWT Online"}) {
		t.Errorf("the handler got %q", got)
	}
	if n := g.Stats().Foreign; n != 18 {
		t.Errorf("%d were counted as foreign, want 18", n)
	}
}

// The log names each topic outside a device's own once, and so many of a session. That a device speaks where it listens, as Tasmota does
// to ask itself for its status, is dropped without a word.
func TestTheLogOfWhatALoginSaysOutsideItsTopics(t *testing.T) {
	w := linktest.NewWorld(t)
	h, log := &taker{}, &strings.Builder{}
	g, _ := run(t, w, h, func(c *gateway.Config) {
		c.VerifierKey, c.Log = linktest.VerifierKey, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	d := admitted(t, w, g, w.AdmitOwn("p-1", plug("plug")), nil)
	topics := []string{"cmnd/plug/POWER1", "cmnd/plug/Dimmer", "tele/other/STATE", "tele/other/STATE"}
	for i := range 20 {
		topics = append(topics, fmt.Sprint("discovery/", i))
	}
	for i, topic := range topics {
		d.publish(topic, 1, uint16(i+1), "")
		d.expect(packets.Puback)
	}
	var lines []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "speaks outside") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 10 || !strings.Contains(lines[0], "tele/other/STATE") || !strings.Contains(lines[9], "discovery/8") {
		t.Errorf("the log has\n%s", log)
	}
	if n := g.Stats().Foreign; n != 22 || h.count() != 0 {
		t.Errorf("%d were counted as foreign, want 22; the handler got %q", n, h.got())
	}
}

// What it publishes to be retained is for the platform as any other message, and nobody gets it later.
func TestWhatALoginHasRetainedIsNotKept(t *testing.T) {
	h := &taker{}
	w, g := own(t, h)
	id := w.AdmitOwn("p-1", api.Topics{Up: []string{"zb/{device...}"}, Down: []string{"zb/{device...}"}})
	d := admitted(t, w, g, id, nil)
	d.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1, Retain: true}, TopicName: "zb/lamp", PacketID: 1, Payload: []byte("{}")}, (*packets.Packet).PublishEncode)
	d.expect(packets.Puback)
	if code := d.subscribe("zb/#"); code != 1 {
		t.Fatalf("subscribed with %#x", code)
	}
	if err := g.Publish("p-1", "zb/lamp", []byte("from the platform"), broker.Options{}); err != nil {
		t.Fatal(err)
	}
	if pk := d.expect(packets.Publish); string(pk.Payload) != "from the platform" {
		t.Errorf("got %s", pk.Payload)
	}
	if h.count() != 1 {
		t.Errorf("the handler got %q", h.got())
	}
}

// A filter is granted if something for the device can come by it; another is refused and hurts nothing.
func TestFiltersOfALogin(t *testing.T) {
	w, g := own(t, &taker{})
	d := admitted(t, w, g, w.AdmitOwn("p-1", plug("plug")), nil)
	for filter, granted := range map[string]bool{
		"cmnd/plug/#": true, "cmnd/plug/Dimmer": true, "cmnd/+/POWER1": true, "#": true,
		"cmnd/tasmotas/#": false, "cmnd/other/POWER1": false, "castor/p-1/command/+": false, "own/p-1/#": false, "$share/g/cmnd/plug/#": false, "stat/plug/#": false,
	} {
		if code := d.subscribe(filter); (code <= 1) != granted {
			t.Errorf("%s was answered %#x", filter, code)
		}
	}
	d.publish("tele/plug/STATE", 1, 1, "{}")
	d.expect(packets.Puback)
	old := dialOlder(t, w, g, w.AdmitOwn("p-2", plug("plug")))
	if got := old.says("\x82\x14\x00\x07"+text("cmnd/tasmotas/#")+"\x00", 5); got != "\x90\x03\x00\x07\x80" {
		t.Errorf("MQTT 3.1.1 was answered %x, want a failure of the one filter", got)
	}
	if got := old.says(packet(0x32, text("elsewhere")+"\x00\x08{}"), 4); got != "\x40\x02\x00\x08" {
		t.Errorf("MQTT 3.1.1 was answered %x for what is outside its topics, want an acknowledgement", got)
	}
}

// older devices speak MQTT 3.1.1, byte by byte.
type older struct {
	t    testing.TB
	conn net.Conn
}

func dialOlder(t testing.TB, w *linktest.World, g *broker.Broker, id linktest.Identity) *older {
	t.Helper()
	var d *older
	linktest.Eventually(t, "it is let in", func() bool {
		conn, err := tls.Dial("tcp", g.Addr().String(), w.CA.Client(id))
		if err != nil {
			return false
		}
		t.Cleanup(func() { _ = conn.Close() })
		d = &older{t, conn}
		connect := packet(0x10, text("MQTT")+"\x04\xc0\x00\x3c"+text(id.Client)+text(id.User)+text(id.Password)) // no clean session
		return d.says(connect, 4) == "\x20\x02\x00\x00"
	})
	return d
}

// says sends and reads n bytes.
func (d *older) says(what string, n int) string {
	d.t.Helper()
	b := make([]byte, n)
	_ = d.conn.SetDeadline(time.Now().Add(linktest.Patience))
	if _, err := io.WriteString(d.conn, what); err != nil {
		return err.Error()
	}
	if _, err := io.ReadFull(d.conn, b); err != nil {
		return err.Error()
	}
	return string(b)
}

// Bridges that know devices by the same names, under the same filters, get what is theirs only; nothing of the inner names is seen.
func TestMessagesToALoginReachNoOther(t *testing.T) {
	w, g := own(t, &taker{})
	a, b := admitted(t, w, g, w.AdmitOwn("p-1", hub), nil), admitted(t, w, g, w.AdmitOwn("p-2", hub), nil)
	for _, d := range []*raw{a, b} {
		if code := d.subscribe("zb/#"); code != 1 {
			t.Fatalf("subscribed with %#x", code)
		}
	}
	for _, to := range []string{"p-1", "p-2"} {
		if err := g.Publish(to, "zb/hall/lamp/set", []byte(to), broker.Options{Acknowledged: true}); err != nil {
			t.Fatal(err)
		}
	}
	for d, want := range map[*raw]string{a: "p-1", b: "p-2"} {
		pk := d.expect(packets.Publish)
		if string(pk.Payload) != want || pk.TopicName != "zb/hall/lamp/set" || pk.FixedHeader.Qos != 1 {
			t.Errorf("%s got %s on %s", want, pk.Payload, pk.TopicName)
		}
		d.publish("zb/x", 1, 1, "{}")
		d.expect(packets.Puback)
	}
	for topic, to := range map[string]string{"zb/lamp/get": "p-1", "castor/p-1/ack": "p-1", "zb/+/set": "p-1", "zb/#/set": "p-1"} {
		if err := g.Publish(to, topic, nil, broker.Options{}); !errors.Is(err, broker.ErrTopic) {
			t.Errorf("%s: %v", topic, err)
		}
	}
	a.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 9, Filters: packets.Subscriptions{{Filter: "zb/#"}}}, (*packets.Packet).UnsubscribeEncode)
	a.expect(packets.Unsuback)
	if err := g.Publish("p-1", "zb/lamp/set", nil, broker.Options{}); err != nil {
		t.Fatal(err)
	}
	a.publish("zb/x", 1, 2, "{}")
	a.expect(packets.Puback) // and nothing before it
}

// The last word that a device left is its own message when it dies, and nobody's when it says goodbye, is replaced or cut off.
func TestTheLastWillOfALogin(t *testing.T) {
	h := &taker{}
	w, g := own(t, h)
	id := w.AdmitOwn("p-1", plug("plug"))
	leaves := func(topic string) func(*packets.Packet) {
		return func(pk *packets.Packet) {
			pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload, pk.Connect.WillRetain, pk.Connect.WillQos = true, topic, []byte("Offline"), true, 1
		}
	}
	wills := func() (n int) {
		for _, m := range h.got() {
			if strings.HasSuffix(m, "Offline") {
				n++
			}
		}
		return n
	}
	gone := func() {
		t.Helper()
		linktest.Eventually(t, "it is gone", func() bool { return len(g.Sessions()) == 0 })
	}
	d := admitted(t, w, g, id, leaves("tele/plug/LWT"))
	_ = d.conn.Close()
	gone()
	if got := h.got(); !slices.Equal(got, []string{"tele/plug/LWT Offline"}) {
		t.Errorf("the handler got %q", got)
	}
	if s := h.sessions; !slices.Equal(s, []string{"+p-1", "-p-1"}) {
		t.Errorf("sessions: %q", s)
	}
	d = admitted(t, w, g, id, leaves("tele/plug/LWT"))
	d.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}}, (*packets.Packet).DisconnectEncode)
	gone()
	d = admitted(t, w, g, id, leaves("tele/other/LWT"))
	_ = d.conn.Close()
	gone()
	first := admitted(t, w, g, id, leaves("tele/plug/LWT"))
	second := admitted(t, w, g, id, leaves("tele/plug/LWT"))
	first.ends()
	w.Dismiss("p-1")
	second.ends()
	gone()
	if n := wills(); n != 1 {
		t.Errorf("%d wills were told, want that of the device that died", n)
	}
}

// A bridge tells of all its devices in one message. Where that is too large it is dropped and acknowledged, and the bridge is heard on;
// the platform's own devices are cut off for it, as before.
func TestALoginIsHeardOnAfterAMessageThatIsTooLarge(t *testing.T) {
	h := &taker{}
	w, g := own(t, h)
	d := admitted(t, w, g, w.AdmitOwn("p-1", hub), nil)
	large := strings.Repeat("x", telemetry.MaxPayload)
	for i := range 3 {
		d.publish("zb/bridge/devices", 0, 0, large)
		d.publish("zb/bridge/devices", 1, uint16(2*i+1), large)
		if pk := d.expect(packets.Puback); pk.PacketID != uint16(2*i+1) {
			t.Errorf("acknowledged is %d", pk.PacketID)
		}
		d.publish("zb/lamp", 1, uint16(2*i+2), "{}")
		d.expect(packets.Puback)
	}
	if got := h.got(); !slices.Equal(got, []string{"zb/lamp {}", "zb/lamp {}", "zb/lamp {}"}) {
		t.Errorf("the handler got %.100q", got)
	}
	ours := admitted(t, w, g, w.AdmitDevice("p-2"), nil)
	ours.publish("castor/p-2/telemetry", 1, 1, large)
	ours.ends()
}

// A change of its topics ends the session, so that the next one has them; the same again does not.
func TestNewTopicsOfALogin(t *testing.T) {
	w, g := own(t, &taker{})
	id, a, _ := linktest.Secret("p-1", "password")
	topics := plug("plug")
	a.Topics = &topics
	w.Admit(a)
	d := admitted(t, w, g, id, nil)
	w.Admit(a)
	admitted(t, w, g, w.AdmitOwn("p-2", hub), nil) // by then the former is applied
	d.publish("tele/plug/STATE", 1, 1, "{}")
	d.expect(packets.Puback)
	other := plug("plug")
	other.Up = append(other.Up, "more/{device}")
	a.Topics = &other
	w.Admit(a)
	d.ends()
	d = admitted(t, w, g, id, nil)
	d.publish("more/plug", 1, 1, "{}")
	d.expect(packets.Puback)
}

// Topics that cannot be read let nobody in.
func TestTopicsThatAreNone(t *testing.T) {
	w, g := own(t, &taker{})
	for ref, topics := range map[string]api.Topics{"none": {}, "half": {Up: []string{"a/{b"}}, "many": {Up: slices.Repeat([]string{"a/{device}"}, 101)}, "a wild name": {Up: []string{"a/{device}"}, Device: "#"}} {
		ref = strings.ReplaceAll(ref, " ", "-")
		id, a, _ := linktest.Secret(device.Ref(ref), "password")
		a.Topics = &topics
		w.Admit(a)
		admitted(t, w, g, w.AdmitOwn(device.Ref("after-"+ref), hub), nil)
		if _, code := connect(t, w, g, id, nil); code == 0 {
			t.Errorf("%s was let in", ref)
		}
	}
}
