package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/pki"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A floor is the bare broker in a process of its own, as the platform is.
type floor struct {
	cmd  *exec.Cmd
	addr string
	ca   *pki.CA
}

func (b *bench) startBroker(ctx context.Context) (*floor, error) {
	cert, key, err := pki.NewCA(time.Now())
	if err != nil {
		return nil, err
	}
	f := &floor{}
	if f.ca, err = pki.LoadCA(cert, key); err != nil {
		return nil, err
	}
	keyFile, certFile := filepath.Join(b.dir, "floor-key"), filepath.Join(b.dir, "floor-cert")
	if err := errors.Join(os.WriteFile(keyFile, key, 0o600), os.WriteFile(certFile, cert, 0o600)); err != nil {
		return nil, err
	}
	f.cmd = exec.CommandContext(ctx, b.program, "-broker", certFile+","+keyFile)
	f.cmd.Stderr = os.Stderr
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return nil, fmt.Errorf("the bare broker did not start: %w", f.cmd.Wait())
	}
	f.addr = lines.Text()
	return f, nil
}

func (f *floor) stop() { _ = f.cmd.Process.Signal(syscall.SIGINT); _ = f.cmd.Wait() }

// peers are n clients that the bare broker lets in, as it does everybody.
func (f *floor) peers(n int) []peer {
	peers := make([]peer, n)
	for i := range peers {
		peers[i] = peer{ref: fmt.Sprintf("p-%d", i), addr: f.addr, tls: &tls.Config{RootCAs: f.ca.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}
	}
	return peers
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
