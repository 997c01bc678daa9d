// Command castor-events connects a bus with a gateway, see package events. `castor up` does the same in process.
//
//	CASTOR_GATEWAY_URL    http://gateway:8080
//	CASTOR_NATS_URL       nats://nats:4222
//	CASTOR_SECRETS        /var/openfaas/secrets, with the files basic-auth-user, basic-auth-password, castor-part-events
//	                      (its own secret, traded for tokens) and, if they are needed, nats-token and nats-credentials
//	CASTOR_WORKERS        8
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/castor-iot/castor/connectors/events"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/platform"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("castor-events ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	secrets := secretDir(env("CASTOR_SECRETS", "/var/openfaas/secrets"))
	workers, err := strconv.Atoi(env("CASTOR_WORKERS", "8"))
	if err != nil {
		return fmt.Errorf("CASTOR_WORKERS must be a number: %w", err)
	}
	user, err := secrets.must("basic-auth-user")
	if err != nil {
		return err
	}
	password, err := secrets.must("basic-auth-password")
	if err != nil {
		return err
	}
	opts := []bus.Option{bus.Name("castor-events")}
	if token, err := secrets.read("nats-token"); err != nil {
		return err
	} else if token != "" {
		opts = append(opts, bus.Token(token))
	}
	if file := filepath.Join(string(secrets), "nats-credentials"); exists(file) {
		opts = append(opts, bus.Credentials(file))
	}
	b, err := bus.Connect(ctx, env("CASTOR_NATS_URL", "nats://nats:4222"), opts...)
	if err != nil {
		return err
	}
	gateway := env("CASTOR_GATEWAY_URL", "http://gateway:8080")
	client := platform.New(platform.Base{Bus: b, Gateway: gateway, Secrets: platform.SecretFiles(string(secrets))}, "events", "").API
	err = events.Run(ctx, events.Config{
		Bus: b, Gateway: gateway, User: user, Password: password, Workers: workers, Authorize: client.Authorize, API: client,
	})
	return errors.Join(err, b.Close())
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

type secretDir string

// read returns a secret without the line end that editors add, or "" if there is no such file.
func (d secretDir) read(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimRight(string(data), "\r\n"), err
}

func (d secretDir) must(name string) (string, error) {
	secret, err := d.read(name)
	if err == nil && secret == "" {
		err = fmt.Errorf("secret %s is missing in %s", name, string(d))
	}
	return secret, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
