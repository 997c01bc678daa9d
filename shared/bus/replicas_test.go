package bus_test

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats-server/v2/server"
)

// trio is a cluster of three real servers on file stores.
func trio(t *testing.T) (servers []*server.Server) {
	t.Helper()
	var routes []*url.URL
	var ports []int
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		routes = append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		s, err := server.NewServer(&server.Options{ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
			NoLog: true, NoSigs: true, Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[i]}, Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	for end := time.Now().Add(patience); ; {
		ready := 0
		for _, s := range servers {
			if s.ReadyForConnections(patience) && s.JetStreamIsCurrent() {
				ready++
			}
		}
		if ready == len(servers) {
			return servers
		}
		if time.Now().After(end) {
			t.Fatal("the cluster is not ready")
		}
		<-time.After(20 * time.Millisecond)
	}
}

// What began on one server moves to three when somebody wants that, what is on three stays, and the loss of any one server then
// stops nothing.
func TestEverythingMovesToMoreServers(t *testing.T) {
	servers := trio(t)
	urls := ""
	for _, s := range servers {
		urls += s.ClientURL() + ","
	}
	urls = urls[:len(urls)-1]
	open := func(n int) *bus.Bus {
		t.Helper()
		var b *bus.Bus
		var err error
		for end := time.Now().Add(patience); time.Now().Before(end); { // a cluster that has just begun elects
			if b, err = bus.Connect(t.Context(), urls, bus.Logger(quiet), bus.Replicas(n)); err == nil {
				t.Cleanup(func() { _ = b.Close() })
				return b
			}
			<-time.After(50 * time.Millisecond)
		}
		t.Fatal(err)
		return nil
	}
	one := open(1)
	if err := one.Publish(t.Context(), event.New("e-1", event.TwinChanged, "t-1", time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	k, err := one.Bucket(t.Context(), "places")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Put(t.Context(), "a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	three := open(3)
	if k, err = three.Bucket(t.Context(), "places"); err != nil {
		t.Fatal(err)
	}
	open(1) // takes nothing back
	for _, name := range []string{"CASTOR_EVENTS", "CASTOR_CALLS", "CASTOR_DEAD", "KV_places"} {
		eventually(t, name+" is on three servers", func() bool {
			on := 0
			for _, s := range servers {
				if s.JetStreamIsStreamAssigned("$G", name) && s.JetStreamIsStreamCurrent("$G", name) {
					on++
				}
			}
			return on == len(servers)
		})
	}
	servers[2].Shutdown()
	eventually(t, "what was kept is read from two servers", func() bool {
		e, err := k.Get(t.Context(), "a")
		return err == nil && string(e.Value) == "1"
	})
	eventually(t, "events are kept on", func() bool {
		return three.Publish(t.Context(), event.New("e-2", event.TwinChanged, "t-1", time.Now(), nil)) == nil
	})
}
