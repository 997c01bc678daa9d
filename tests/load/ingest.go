package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/tests/load/flood"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	publishers = 100
	window     = 50      // messages of a publisher that wait for their acknowledgement
	messages   = 300_000 // of all publishers, in one flood
	size       = 256     // bytes of a payload
)

// payload is a telemetry message of 256 bytes.
func payload(i int) []byte {
	b := fmt.Appendf(make([]byte, 0, size), `{"time":%q,"epoch":1,"seq":%d,"data":{"rpm":%d,"temperature":20.5,"note":"`,
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), i+1, i)
	for len(b) < size-3 {
		b = append(b, 'x')
	}
	return append(b, `"}}`...)
}

// publishAll floods an address from all publishers and returns how long it took until the last acknowledgement.
func publishAll(conns []net.Conn, topic func(i int) string, total int) (time.Duration, error) {
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	begin := time.Now()
	for i, conn := range conns {
		all.Go(func() { errs[i] = flood.Publish(conn, topic(i), total/len(conns), window, payload, nil) })
	}
	all.Wait()
	return time.Since(begin), errors.Join(errs...)
}

func measureIngest(ctx context.Context, b *bench) error {
	floor, err := b.floorOfIngest(ctx)
	if err != nil {
		return fmt.Errorf("the bare broker: %w", err)
	}
	c, err := b.up(ctx, filepath.Join(b.dir, "ingest", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	peers, err := c.peers(ctx, publishers)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, len(peers))
	for i, p := range peers {
		conn, err := tls.Dial("tcp", p.addr, p.tls)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := flood.Hello(conn, p.ref); err != nil {
			return err
		}
		conns[i] = conn
	}
	before, err := c.calls(ctx, "twin-ingest")
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := publishAll(conns, func(i int) string { return "castor/" + peers[i].ref + "/telemetry" }, messages); err != nil {
		return err
	}
	stored, err := c.stored(ctx, peers, messages)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := c.calls(ctx, "twin-ingest")
	if err != nil {
		return err
	}
	b.add(Figure{Name: "ingest: QoS 1, 256 B, 100 devices, to visible in history", Value: float64(messages) / took.Seconds(), Unit: "msg/s",
		Floor: floor, FloorIs: "bare broker, one subscriber that does nothing", Note: fmt.Sprintf("sent %d, stored %d", messages, stored)})
	b.add(Figure{Name: "ingest: messages per call of twin-ingest", Value: messages / (after - before), Unit: "msg"})
	return nil
}

// stored waits until history shows total messages of the peers, and tells how many it shows.
func (c *castor) stored(ctx context.Context, peers []peer, total int) (int, error) {
	for end := time.Now().Add(time.Minute); ; {
		sum := 0
		for _, p := range peers {
			q := api.HistoryQuery{Twin: p.twin, Property: "rpm", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Step: 2 * time.Hour, Agg: "count"}
			buckets, err := c.admin.Aggregate(ctx, q)
			if err != nil {
				return 0, err
			}
			for _, b := range buckets.Items {
				sum += b.Count
			}
		}
		if sum >= total || time.Now().After(end) {
			if sum != total {
				return sum, fmt.Errorf("history shows %d messages, %d were acknowledged", sum, total)
			}
			return sum, nil
		}
	}
}

// floorOfIngest floods the bare broker, in a process of its own as the platform is.
func (b *bench) floorOfIngest(ctx context.Context) (float64, error) {
	cert, key, err := pki.NewCA(time.Now())
	if err != nil {
		return 0, err
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return 0, err
	}
	keyFile, certFile := filepath.Join(b.dir, "floor-key"), filepath.Join(b.dir, "floor-cert")
	if err := errors.Join(os.WriteFile(keyFile, key, 0o600), os.WriteFile(certFile, cert, 0o600)); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, b.program, "-broker", certFile+","+keyFile)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = cmd.Process.Signal(syscall.SIGINT); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return 0, errors.New("it did not start")
	}
	conns := make([]net.Conn, publishers)
	for i := range conns {
		conn, err := tls.Dial("tcp", lines.Text(), &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		if err := flood.Hello(conn, fmt.Sprint("p-", i)); err != nil {
			return 0, err
		}
		conns[i] = conn
	}
	took, err := publishAll(conns, func(i int) string { return fmt.Sprintf("castor/p-%d/telemetry", i) }, messages)
	return messages / took.Seconds(), err
}

// serveBroker is the bare broker with one subscriber that does nothing. It prints its address.
func serveBroker(ctx context.Context, files string) error {
	certFile, keyFile, _ := strings.Cut(files, ",")
	certPEM, err1 := os.ReadFile(certFile)
	keyPEM, err2 := os.ReadFile(keyFile)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	ca, err := pki.LoadCA(certPEM, keyPEM)
	if err != nil {
		return err
	}
	cert, err := ca.Server(time.Now(), "127.0.0.1")
	if err != nil {
		return err
	}
	s := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(open), nil); err != nil {
		return err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return err
	}
	if err := s.AddListener(listeners.NewNet("floor", l)); err != nil {
		return err
	}
	if err := s.Serve(); err != nil {
		return err
	}
	var seen atomic.Uint64
	if err := s.Subscribe("castor/#", 1, func(*mqtt.Client, packets.Subscription, packets.Packet) { seen.Add(1) }); err != nil {
		return err
	}
	fmt.Println(l.Addr())
	<-ctx.Done()
	return s.Close()
}

// open lets everybody do everything.
type open struct{ mqtt.HookBase }

func (*open) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}
func (*open) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (*open) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }

const (
	pace    = 1000 // messages per second while latency is measured
	samples = 300
)

// measureLatency publishes 1,000 messages per second, and asks for a twin until it shows what was just published.
func measureLatency(ctx context.Context, b *bench) error {
	c, err := b.up(ctx, filepath.Join(b.dir, "latency", "data"), "")
	if err != nil {
		return err
	}
	defer c.stop()
	peers, err := c.peers(ctx, 21)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, len(peers))
	for i, p := range peers {
		if conns[i], err = tls.Dial("tcp", p.addr, p.tls); err != nil {
			return err
		}
		defer conns[i].Close()
		if err := flood.Hello(conns[i], p.ref); err != nil {
			return err
		}
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var load sync.WaitGroup
	for i, conn := range conns[1:] {
		load.Go(func() {
			every := time.NewTicker(time.Second * time.Duration(len(conns)-1) / pace)
			defer every.Stop()
			_ = flood.Publish(conn, "castor/"+peers[i+1].ref+"/telemetry", 1_000_000, window, func(n int) []byte {
				select {
				case <-every.C:
				case <-loading.Done():
					conn.Close()
				}
				return payload(n)
			}, nil)
		})
	}
	var took []time.Duration
	var began [samples]time.Time
	err = flood.Publish(conns[0], "castor/"+peers[0].ref+"/telemetry", samples, 1, func(n int) []byte {
		<-time.After(20 * time.Millisecond)
		p := payload(n)
		began[n] = time.Now()
		return p
	}, func(n int) {
		for {
			t, err := c.admin.GetTwin(ctx, peers[0].twin)
			if err != nil {
				return
			}
			if r, ok := t.Live.Reading("rpm"); ok && r.Value == float64(n) {
				took = append(took, time.Since(began[n]))
				return
			}
		}
	})
	stop()
	load.Wait()
	if err != nil {
		return err
	}
	if len(took) != samples {
		return fmt.Errorf("%d of %d samples were seen", len(took), samples)
	}
	p50, p99 := percentile(took, 50), percentile(took, 99)
	note := fmt.Sprintf("at %d msg/s, %d samples, one request included", pace, samples)
	b.add(Figure{Name: "publish to visible in the twin, p50", Value: ms(p50), Unit: "ms", Note: note})
	b.add(Figure{Name: "publish to visible in the twin, p99", Value: ms(p99), Unit: "ms", Note: note})
	return nil
}
