package broker_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/mochi-mqtt/server/v2/packets"
)

// text is a string as MQTT has it.
func text(s string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

// packet is one of that type with that body.
func packet(first byte, body string) string {
	n, head := len(body), []byte{first}
	for {
		b := byte(n % 128)
		if n /= 128; n > 0 {
			b |= 128
		}
		if head = append(head, b); n == 0 {
			return string(head) + body
		}
	}
}

// hello is a CONNECT of MQTT 5 with that client id.
func hello(client string) string {
	return packet(0x10, text("MQTT")+"\x05\x02\x00\x3c\x00"+text(client))
}

// before are what comes in place of a CONNECT.
var before = map[string]string{
	"nothing":                       "",
	"a first byte":                  "\x10",
	"a length without end":          "\x10\xff\xff\xff\xff\xff\xff",
	"a CONNECT of 256 MB":           "\x10\xff\xff\xff\x7f",
	"a CONNECT that is cut off":     hello("p-1")[:9],
	"an empty CONNECT":              "\x10\x00",
	"another protocol":              packet(0x10, text("HTTP")+"\x05\x02\x00\x3c\x00"+text("p-1")),
	"a version to come":             packet(0x10, text("MQTT")+"\x63\x02\x00\x3c\x00"+text("p-1")),
	"a client id of 64 KiB":         hello(strings.Repeat("p", 65_535)),
	"a client id with a slash":      hello("p-1/+"),
	"a client id that is no text":   hello("\xff\xfe"),
	"a client id with a zero":       hello("p-1\x00"),
	"properties without end":        packet(0x10, text("MQTT")+"\x05\x02\x00\x3c\xff\xff\xff\x7f"+text("p-1")),
	"a PUBLISH first":               packet(0x30, text("castor/p-1/telemetry")+"\x00{}"),
	"a SUBSCRIBE first":             packet(0x82, "\x00\x01\x00"+text("#")+"\x00"),
	"a packet of type 0":            "\x00\x00",
	"a packet of type 15":           packet(0xf0, "\x19\x00"),
	"HTTP":                          "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"an AUTH exchange":              packet(0x10, text("MQTT")+"\x05\x02\x00\x3c\x0b\x15"+text("SCRAM-X")+text("p-1")),
	"ten thousand empty PINGREQ":    strings.Repeat("\xc0\x00", 10_000),
	"a user name of 64 KiB":         packet(0x10, text("MQTT")+"\x05\xc2\x00\x3c\x00"+text("p-1")+text(strings.Repeat("u", 65_535))+text("x")),
	"a user property, a lot":        packet(0x10, text("MQTT")+"\x05\x02\x00\x3c"+"\xc0\x3e"+strings.Repeat("\x26\x00\x01a\x00\x01b", 1144)[:8000]+text("p-1")),
	"a CONNECT larger than allowed": packet(0x10, text("MQTT")+"\x05\x02\x00\x3c\x00"+text("p-1")+strings.Repeat("x", telemetry.MaxPayload)),
}

// after are what comes from a device that was let in.
var after = map[string]string{
	"a second CONNECT":               hello("p-1"),
	"a message of 1 MiB":             packet(0x30, text("castor/p-1/telemetry")+"\x00"+strings.Repeat("x", 1<<20)),
	"a message that is cut off":      packet(0x32, text("castor/p-1/telemetry")+"\x00\x01\x00{}")[:12],
	"a topic longer than its packet": packet(0x30, "\xff\xffcastor"),
	"an empty topic":                 packet(0x30, "\x00\x00\x00{}"),
	"a topic that is no text":        packet(0x30, text("castor/p-1/\xff\xfe")+"\x00{}"),
	"a topic with a wildcard":        packet(0x30, text("castor/+/telemetry")+"\x00{}"),
	"a topic with a zero":            packet(0x30, text("castor/p-1/telemetry\x00")+"\x00{}"),
	"another's topic":                packet(0x30, text("castor/p-2/telemetry")+"\x00{}"),
	"a topic like another's":         packet(0x30, text("castor/p-1/../p-2/telemetry")+"\x00{}"),
	"QoS 3":                          packet(0x36, text("castor/p-1/telemetry")+"\x00\x01\x00{}"),
	"a message without an id":        packet(0x32, text("castor/p-1/telemetry")+"\x00\x00\x00{}"),
	"a topic alias":                  packet(0x30, "\x00\x00\x03\x23\x00\x01{}"),
	"filters, ten thousand":          packet(0x82, "\x00\x01\x00"+strings.Repeat(text("castor/p-1/ack")+"\x01", 10_000)),
	"everything":                     packet(0x82, "\x00\x01\x00"+text("#")+"\x01"),
	"no filter":                      packet(0x82, "\x00\x01\x00"),
	"acknowledgements of nothing":    strings.Repeat(packet(0x40, "\x30\x39"), 1000),
	"PUBREL of nothing":              strings.Repeat(packet(0x62, "\x30\x39"), 1000),
	"a packet of type 0":             "\x00\x00",
	"a packet for servers":           packet(0x20, "\x00\x00\x00"),
	"a flag that must not be":        packet(0xc7, ""),
	"properties without end":         packet(0x30, text("castor/p-1/telemetry")+"\xff\xff\xff\x7f{}"),
	"nested data":                    packet(0x30, text("castor/p-1/telemetry")+"\x00"+strings.Repeat("[", 100_000)),
}

// Whatever a peer says, at any stage, others are served on, and nothing of it is left.
func TestWhatPeersSayHurtsNobodyElse(t *testing.T) {
	w, h := linktest.NewWorld(t), &taker{}
	g, _ := run(t, w, h, func(c *gateway.Config) {
		c.Limits.FailureBurst, c.Limits.AddressBurst, c.Limits.Handshake = 10_000, 100_000, 300*time.Millisecond
	})
	id := w.AdmitDevice("p-1")
	good := admitted(t, w, g, w.AdmitDevice("good"), nil)
	admitted(t, w, g, id, nil)
	served := func(what string) {
		t.Helper()
		good.publish("castor/good/telemetry", 1, 1, "{}")
		if pk := good.expect(packets.Puback); pk.PacketID != 1 {
			t.Errorf("after %s another is not served", what)
		}
	}
	goroutines := runtime.NumGoroutine()
	r := rand.New(rand.NewPCG(7, 7))
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for what, says := range map[string]string{"noise": string(noise), "HTTP": before["HTTP"], "SSH": "SSH-2.0-x\r\n", "a CONNECT without TLS": hello("p-1"), "a TLS record of 64 KiB": "\x16\x03\x01\xff\xff" + string(noise),
		"an old TLS": "\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + string(noise[:40]), "an alert": "\x15\x03\x03\x00\x02\x02\x28", "zeros": string(make([]byte, 100_000))} {
		c, err := net.Dial("tcp", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		say(t, "before TLS, "+what, c, says)
		served(what)
	}
	for what, says := range before {
		c, err := tls.Dial("tcp", g.Addr().String(), w.CA.Client(id))
		if err != nil {
			t.Fatal(err)
		}
		say(t, "in place of CONNECT, "+what, c, says)
		served(what)
	}
	for what, says := range after {
		d, code := connect(t, w, g, id, nil)
		if code != 0 {
			t.Fatalf("before %s a device is refused: %#x", what, code)
		}
		_, _ = d.conn.Write([]byte(says))
		_, _ = d.conn.Write([]byte("\xe0\x00")) // DISCONNECT, where it is taken for one
		_ = d.conn.(*tls.Conn).CloseWrite()
		d.ends()
		served(what)
	}
	h.mu.Lock()
	for _, m := range h.received {
		if !strings.HasPrefix(m, "castor/good/telemetry") && !strings.HasPrefix(m, "castor/p-1/telemetry ") {
			t.Errorf("the handler got %.100q", m)
		}
	}
	h.mu.Unlock()
	linktest.Eventually(t, "nothing of them is left", func() bool { return len(g.Sessions()) == 1 && runtime.NumGoroutine() <= goroutines+10 })
	if s := g.Stats(); s.Refused == 0 || s.Foreign == 0 {
		t.Errorf("counted %+v, want what was refused", s)
	}
}

// say sends and waits for the end of the connection.
func say(t *testing.T, what string, c net.Conn, says string) {
	t.Helper()
	defer c.Close()
	_, _ = io.Copy(c, strings.NewReader(says)) // the gateway may have ended it by now
	_ = c.SetReadDeadline(time.Now().Add(linktest.Patience))
	var got bytes.Buffer
	if _, err := io.Copy(&got, io.LimitReader(c, 1<<20)); err != nil {
		if n, ok := err.(net.Error); ok && n.Timeout() {
			t.Errorf("%s: the connection does not end; it says %q", what, got.Bytes())
		}
	}
}
