package gateway_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
)

// Twenty addresses that connect and say nothing do not keep out a device from elsewhere, however fast they come back: they give way
// among themselves.
func TestACrowdGivesWayToWhoComesAlone(t *testing.T) {
	w := linktest.NewWorld(t)
	d := run(t, w, func(c *gateway.Config) { c.Limits.Handshakes, c.Limits.Hurry = 100, time.Minute })
	from := func(address string) *net.Dialer {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	}
	stop := make(chan struct{})
	var crowd sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	for n := range 20 {
		crowd.Go(func() {
			for {
				if c, err := from(fmt.Sprintf("127.0.%d.1", n+1)).Dial("tcp", d.Addr().String()); err == nil {
					mu.Lock()
					conns = append(conns, c)
					mu.Unlock()
				}
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	defer func() {
		close(stop)
		crowd.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	linktest.Eventually(t, "the crowd has all places", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(conns) > 150
	})
	for n := range 10 {
		c, err := tls.DialWithDialer(from("127.1.1.1"), "tcp", d.Addr().String(), w.CA.Client(linktest.Identity{}))
		if err != nil {
			t.Errorf("handshake %d of a device from elsewhere: %v", n, err)
			continue
		}
		_ = c.Close()
		<-time.After(50 * time.Millisecond) // until the gateway has noticed
	}
}
