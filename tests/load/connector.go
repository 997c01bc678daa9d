package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
)

// buildConnector builds the program of gateways that are processes of their own.
func (b *bench) buildConnector(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(b.dir, "castor-connector"), "./connectors/castor-connector")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, said)
	}
	return nil
}

// startGateway starts one more operational gateway of c as a process of its own, and returns when the platform knows it.
func (b *bench) startGateway(ctx context.Context, c *castor, id, region, nats string) (stop func(), err error) {
	dir := filepath.Join(b.dir, id)
	mounted := filepath.Join(dir, "secrets")
	if err := os.MkdirAll(mounted, 0o700); err != nil {
		return nil, err
	}
	if err := c.mount(mounted, id); err != nil {
		return nil, err
	}
	listen, err := free()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.dir, "castor-connector"), "mqtt")
	cmd.Env = []string{"CASTOR_SECRETS=" + mounted, "CASTOR_NATS_URL=nats://" + nats, "CASTOR_GATEWAY_URL=" + c.url, "CASTOR_GATEWAY_ID=" + id, "CASTOR_GATEWAY_PHASE=operational",
		"CASTOR_LISTEN=" + listen, "CASTOR_PUBLIC_URL=tls://" + listen, "CASTOR_DIR=" + filepath.Join(dir, "kept"), "CASTOR_REGION=" + region, "CASTOR_METRICS=off", "CASTOR_LOG=error"}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }
	for {
		g, err := c.admin.GetGateway(ctx, id)
		if err == nil && !g.Seen.IsZero() {
			return stop, nil
		}
		select {
		case <-ctx.Done():
			stop()
			return nil, errors.Join(fmt.Errorf("gateway %s is not known", id), ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// mount puts the secrets of a gateway into a folder.
func (c *castor) mount(dir, id string) error {
	keys := platform.SecretFiles(filepath.Join(c.dir, "keys"))
	parts, err1 := keys(platform.SecretParts)
	cert, err2 := keys(platform.SecretCACert)
	key, err3 := keys(platform.SecretCAKey)
	verify, err4 := keys(platform.SecretVerify)
	token, err5 := os.ReadFile(filepath.Join(c.dir, "nats", "token"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
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
	der, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		return err
	}
	for name, value := range map[string][]byte{
		platform.PartSecret("connector", id): []byte(platform.DerivePart(parts, "connector", id)),
		platform.SecretNATSToken:             token,
		platform.SecretCACert:                cert,
		platform.SecretVerify:                verify,
		"castor-gateway-cert":                pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate[0]}),
		"castor-gateway-key":                 pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// free is an address that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
