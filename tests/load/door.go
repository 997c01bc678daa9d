package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/pki"
)

// A door is what must be done for somebody who comes, and nothing else: a process of its own with three listeners. It is the floor
// of what gateways do.
type door struct {
	cmd *exec.Cmd
	ca  *pki.CA

	closes string // accepts, and closes
	shakes string // accepts, makes the TLS handshake, and closes
	signs  string // and signs a certificate for the key it is told, after it has stored what must be known of a device
}

// startDoor starts one with a CA of its own.
func (b *bench) startDoor(ctx context.Context) (*door, error) {
	cert, key, err := pki.NewCA(time.Now())
	if err != nil {
		return nil, err
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, fmt.Sprint("door-", time.Now().UnixNano()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "cert"), cert, 0o600), os.WriteFile(filepath.Join(dir, "key"), key, 0o600)); err != nil {
		return nil, err
	}
	d := &door{ca: ca, cmd: exec.CommandContext(ctx, b.program, "-door", dir)}
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return nil, fmt.Errorf("the bare listener did not start: %w", d.cmd.Wait())
	}
	if n, err := fmt.Sscan(lines.Text(), &d.closes, &d.shakes, &d.signs); n != 3 {
		return nil, fmt.Errorf("the bare listener says %q: %w", lines.Text(), err)
	}
	return d, nil
}

func (d *door) stop() { _ = d.cmd.Process.Signal(syscall.SIGINT); _ = d.cmd.Wait() }

func (d *door) tls(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: d.ca.Pool(), ServerName: "127.0.0.1", Certificates: certificates, MinVersion: tls.VersionTLS12}
}

// enrol is what device i cannot do without: a key, a certificate for it, and a handshake with that.
func (d *door) enrol(ctx context.Context, i int) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
	conn, err := (&tls.Dialer{NetDialer: from(newDevices, i), Config: d.tls()}).DialContext(ctx, "tcp", d.signs)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(append(text, "\n\n"...)); err != nil {
		return err
	}
	certificate, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(certificate)
	if block == nil {
		return errors.New("the bare listener sent no certificate")
	}
	return shake(ctx, from(newDevices, i), d.shakes, d.tls(tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}))
}

// shake makes a handshake with a listener that closes then: it has verified what it was shown.
func shake(ctx context.Context, from *net.Dialer, addr string, c *tls.Config) error {
	conn, err := (&tls.Dialer{NetDialer: from, Config: c}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("the bare listener did not take the handshake: %w", err)
	}
	return nil
}

// serveDoor is the door's process. It prints its addresses.
func serveDoor(ctx context.Context, dir string) error {
	cert, err1 := os.ReadFile(filepath.Join(dir, "cert"))
	key, err2 := os.ReadFile(filepath.Join(dir, "key"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return err
	}
	server, err := ca.Server(time.Now(), "127.0.0.1")
	if err != nil {
		return err
	}
	kept, err := openPebble(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	secure := &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.Pool()}
	handshake := func(raw net.Conn) (*tls.Conn, error) {
		conn := tls.Server(raw, secure)
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		return conn, conn.HandshakeContext(ctx)
	}
	var addresses []string
	for _, serve := range []func(raw net.Conn){
		func(net.Conn) {},
		func(raw net.Conn) {
			if conn, err := handshake(raw); err == nil {
				_ = conn.Close()
			}
		},
		func(raw net.Conn) {
			if conn, err := handshake(raw); err == nil {
				_ = sign(ctx, conn, ca, kept)
				_ = conn.Close()
			}
		},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
		go func() {
			for {
				raw, err := l.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err == nil {
					go func() { serve(raw); raw.Close() }()
				}
			}
		}()
	}
	fmt.Println(strings.Join(addresses, " "))
	<-ctx.Done()
	return nil
}

// sign reads a request and answers with a certificate, once five documents are kept: as many as there must be of a device (twin,
// certificate, place, run and use of its claim), each in a write of its own that is synced, since each depends on the one before.
func sign(ctx context.Context, conn net.Conn, ca *pki.CA, kept bare) error {
	var text []byte
	lines := bufio.NewReader(conn)
	for !bytes.HasSuffix(text, []byte("\n\n")) {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		text = append(text, line...)
	}
	csr, id, err := pki.ReadCSR(string(text))
	if err != nil {
		return err
	}
	certificate, _, _, err := ca.Device(time.Now(), id[:32], csr, time.Hour)
	if err != nil {
		return err
	}
	for i := range 5 {
		if err := kept.insert(ctx, []document{{ID: fmt.Sprint(id, "/", i), Twin: id, Raw: string(certificate)}}); err != nil {
			return err
		}
	}
	_, err = conn.Write(certificate)
	return err
}
