package broker_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Ten thousand connections that say nothing, or begin a TLS handshake and do not go on, keep no device out: not where each
// device has its own address, and not behind a balancer where all have one.
func TestTenThousandStrangersKeepNoDeviceOut(t *testing.T) {
	const strangers, begun = 10_000, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for what, test := range map[string]struct {
		balancers []netip.Prefix
		from      func(i int) string
	}{
		"of many addresses":  {nil, func(i int) string { return fmt.Sprintf("127.0.%d.%d", 1+i%20, 1+i/20%100) }},
		"through a balancer": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, func(int) string { return "127.0.0.1" }},
	} {
		t.Run(what, func(t *testing.T) {
			w := linktest.NewWorld(t)
			h := &taker{}
			g, _ := run(t, w, h, func(c *gateway.Config) { c.Limits.Balancers = test.balancers })
			early := admitted(t, w, g, w.AdmitDevice("early"), nil)
			open := make([]net.Conn, 0, strangers)
			defer func() {
				for _, c := range open {
					_ = c.Close()
				}
			}()
			for i := range strangers {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(test.from(i))}, Timeout: linktest.Patience}
				c, err := d.Dial("tcp", g.Addr().String())
				if err != nil {
					t.Fatalf("stranger %d: %v", i, err)
				}
				open = append(open, c)
				if i%2 == 0 {
					_, _ = c.Write([]byte(begun)) // some are turned away already
				}
			}
			begin := time.Now()
			for i := range 5 {
				late := admitted(t, w, g, w.AdmitDevice(device.Ref(fmt.Sprintf("late-%d", i))), nil)
				late.publish(fmt.Sprintf("castor/late-%d/telemetry", i), 1, 1, "x")
				late.expect(packets.Puback)
			}
			if took := time.Since(begin); took > 6*time.Second {
				t.Errorf("five devices came in after %s", took)
			}
			early.publish("castor/early/telemetry", 1, 1, "x")
			early.expect(packets.Puback)
			s := g.Stats()
			if s.Sessions != 6 {
				t.Errorf("%d sessions, want 6", s.Sessions)
			}
			if s.Throttled < strangers/2 {
				t.Errorf("of %d strangers metrics count %d as turned away", strangers, s.Throttled)
			}
		})
	}
}
