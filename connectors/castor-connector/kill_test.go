package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
)

// goesOn is how soon work must go on after a replica was killed.
const goesOn = 5 * time.Second

// soon is goesOn on a machine that is as busy as this one is now: floor is the slowest of what it does undisturbed.
func soon(floor time.Duration) time.Duration { return goesOn + 20*floor }

// balance is a TCP balancer in front of replicas: in turn, and the next one where one does not answer.
func balance(t *testing.T, replicas ...*running) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for turn := 0; ; turn++ {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				for i := range replicas {
					far, err := net.Dial("tcp", replicas[(turn+i)%len(replicas)].address)
					if err != nil {
						continue
					}
					go func() {
						_, _ = io.Copy(far, near)
						_ = far.Close()
					}()
					_, _ = io.Copy(near, far)
					return
				}
			}()
		}
	}()
	return l.Addr().String()
}

// A publisher is a device that sends one message after the other, each until it is acknowledged, and comes back when it is
// sent away.
type publisher struct {
	ref   string
	acked atomic.Int64 // how many
	last  atomic.Int64 // when, in Unix nanoseconds
}

func (d *deployment) publish(p *publisher, cert tls.Certificate, address string, until <-chan struct{}) {
	ended := func() bool {
		select {
		case <-until:
			return true
		default:
			return false
		}
	}
	for seq := int64(1); !ended(); {
		c, _, err := d.device(p.ref, cert, address)
		for err == nil && !ended() {
			token := c.Publish("castor/"+p.ref+"/telemetry", 1, false, fmt.Sprintf(`{"epoch":1,"seq":%d,"data":{"rpm":%d}}`, seq, seq))
			select {
			case <-token.Done():
			case <-until:
				c.Disconnect(0)
				return
			}
			if err = token.Error(); err == nil {
				p.acked.Store(seq)
				p.last.Store(time.Now().UnixNano())
				seq++
			}
		}
		c.Disconnect(0)
		<-time.After(50 * time.Millisecond) // before it comes back
	}
}

// One of two replicas is killed while devices publish, then the other is told to end, after a new one has come. The devices
// go on through whoever is there, and what was acknowledged is stored.
func TestGatewayReplicasAreKilledUnderLoad(t *testing.T) {
	d := deploy(t)
	one, two := d.run("mqtt"), d.run("mqtt")
	one.is(http.StatusOK)
	two.is(http.StatusOK)
	three := d.run("mqtt") // behind the balancer from the start, as a pod that is replaced has the same place
	three.is(http.StatusOK)
	address := balance(t, one, two, three)
	publishers := make([]*publisher, 12)
	until, all := make(chan struct{}), sync.WaitGroup{}
	for i := range publishers {
		publishers[i] = &publisher{ref: fmt.Sprintf("p-%d", i)}
		cert := d.admit(publishers[i].ref)
		all.Go(func() { d.publish(publishers[i], cert, address, until) })
	}
	goOn := func(what string, patience time.Duration) time.Duration {
		t.Helper()
		began := time.Now()
		linktest.Eventually(t, "all devices go on after "+what, func() bool {
			for _, p := range publishers {
				if p.last.Load() < began.UnixNano() {
					return false
				}
			}
			return true
		})
		took := time.Since(began)
		if took > patience {
			t.Errorf("all devices went on %s after %s, want %s", took, what, patience)
		}
		return took
	}
	goOn("the start", linktest.Patience)
	var floor time.Duration
	for range 3 {
		floor = max(floor, goOn("nothing", linktest.Patience))
	}
	one.end(syscall.SIGKILL)
	goOn("a replica was killed", soon(floor))
	two.end(syscall.SIGTERM)
	goOn("a replica was told to end", soon(floor))
	close(until)
	all.Wait()
	for _, p := range publishers {
		id, seen := linktest.TwinOf(device.Ref(p.ref)), map[int64]bool{}
		for _, m := range d.functions.Stored(id) {
			seen[m.Order.Seq] = true
		}
		for seq := int64(1); seq <= p.acked.Load(); seq++ {
			if !seen[seq] {
				t.Errorf("%s: message %d was acknowledged and is not stored", p.ref, seq)
			}
		}
	}
}

// One of two connectors is killed while events come. Each event reaches the function, and soon.
func TestAnEventConnectorIsKilledUnderLoad(t *testing.T) {
	d := deploy(t)
	var mu sync.Mutex
	seen := map[string]time.Time{}
	d.onEvents = func(body []byte) {
		var events []event.Event
		if err := json.Unmarshal(body, &events); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, e := range events {
			if _, again := seen[e.ID]; !again {
				seen[e.ID] = time.Now()
			}
		}
	}
	one, two := d.run("events"), d.run("events")
	one.is(http.StatusOK)
	two.is(http.StatusOK)
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
	const n = 600
	sent := make(map[string]time.Time, n)
	send := func(id string) {
		sent[id] = time.Now()
		if err := d.bus.Publish(t.Context(), event.New(id, event.TwinChanged, "t-1", time.Now(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	var floor time.Duration
	for i := range 3 {
		id := fmt.Sprintf("e-%d", i)
		send(id)
		linktest.Eventually(t, "the event is handled", func() bool { return count() == i+1 })
		mu.Lock()
		floor = max(floor, seen[id].Sub(sent[id]))
		mu.Unlock()
	}
	for i := 3; i < n; i++ {
		if send(fmt.Sprintf("e-%d", i)); i == n/2 {
			linktest.Eventually(t, "events are handled", func() bool { return count() > 3 })
			one.end(syscall.SIGKILL)
		}
	}
	linktest.Eventually(t, "all events are handled", func() bool { return count() == n })
	mu.Lock()
	defer mu.Unlock()
	for id, at := range sent {
		if took := seen[id].Sub(at); took > soon(floor) {
			t.Errorf("event %s took %s, want %s", id, took, soon(floor))
		}
	}
}
