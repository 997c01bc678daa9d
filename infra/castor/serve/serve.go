// Package serve runs the user gateway as a process of its own, in front of functions that are processes too: `castor serve`.
// It reads where the functions are and keeps that up to date; what a gateway does is package infra/gateway's.
package serve

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/infra/gateway"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/platform"
	"golang.org/x/sync/errgroup"
)

// Config says what is served, and where.
type Config struct {
	// Listen is the address: ":8080".
	Listen string

	// Stack is the stack file that names the functions; Functions is the file that says where they are; one of both may be "".
	// Functions is read again when it changes.
	Stack, Functions string

	// Upstream is where a function is that Functions does not name: "http://{name}:8080". "" = nowhere.
	Upstream string

	// Streams are where the replicas of the connector of streams are: "http://stream:8080". Without any there is no /stream.
	Streams []string

	// Cert and Key are PEM files for HTTPS, read again when they change; both "" = HTTP.
	Cert, Key string

	// Timeout bounds one call.
	Timeout time.Duration

	// Env is read for CASTOR_SECRETS, CASTOR_NATS_URL, CASTOR_NATS_CREDS, CASTOR_METRICS and CASTOR_BALANCERS, and for variables
	// in Stack.
	Env func(string) string

	// Reload has the files read again at once, whenever something comes; nil = never.
	Reload <-chan struct{}

	Version string
	Log     *slog.Logger

	// Ready hears of the address when the gateway listens; nil = nobody.
	Ready func(address net.Addr)
}

// Run serves until ctx ends and calls under way have finished, or until it cannot go on.
func Run(ctx context.Context, c Config) error {
	s := platform.SecretFiles(orElse(c.Env("CASTOR_SECRETS"), platform.SecretsDir))
	for _, name := range []string{secrets.BasicUser, secrets.BasicPassword} {
		if _, err := s(name); err != nil {
			return fmt.Errorf("who may list functions (/system): %w", err)
		}
	}
	balancers, err := platform.Networks(c.Env("CASTOR_BALANCERS"))
	if err != nil {
		return fmt.Errorf("CASTOR_BALANCERS=%.80q: %w", c.Env("CASTOR_BALANCERS"), err)
	}
	watch, functions, err := newWatcher(c)
	if err != nil {
		return err
	}
	if err := (gateway.Function{Name: "stream", Upstreams: c.Streams}).Check(); err != nil {
		return fmt.Errorf("--stream: %w", err)
	}
	config, err := c.tls()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	queue, err := newQueue(c.Env, s, c.Log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	settings := gateway.Config{Functions: functions, StreamUpstreams: c.Streams, Timeout: c.Timeout, Release: c.Version, Log: c.Log, Balancers: balancers,
		Authenticate: func(_ context.Context, user, password string) bool { return matches(s, user, password) }}
	if queue != nil {
		settings.Queue = queue
	}
	g := gateway.New(settings)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return gateway.Serve(ctx, l, g, config) })
	group.Go(func() error { return metrics.Serve(ctx, orElse(c.Env("CASTOR_METRICS"), ":9102"), nil) })
	group.Go(func() error { watch.run(ctx, g.SetFunctions); return nil })
	if queue != nil {
		group.Go(func() error { return queue.run(ctx) })
	}
	c.Log.Info("user gateway listens", "address", l.Addr().String(), "functions", len(functions), "tls", config != nil)
	if c.Ready != nil {
		c.Ready(l.Addr())
	}
	return group.Wait()
}

// matches tells whether these are the user and password of the secrets. They are read each time: new ones count at once.
func matches(s platform.Secrets, user, password string) bool {
	wantUser, err1 := s(secrets.BasicUser)
	wantPassword, err2 := s(secrets.BasicPassword)
	return err1 == nil && err2 == nil &&
		subtle.ConstantTimeCompare(wantUser, []byte(user))&subtle.ConstantTimeCompare(wantPassword, []byte(password)) == 1
}

// tls is nil for plain HTTP.
func (c Config) tls() (*tls.Config, error) {
	if c.Cert == "" && c.Key == "" {
		return nil, nil
	}
	if c.Cert == "" || c.Key == "" {
		return nil, errors.New("--tls-cert and --tls-key go together: give both files")
	}
	pair := &keyPair{cert: c.Cert, key: c.Key, log: c.Log}
	if _, err := pair.get(nil); err != nil {
		return nil, fmt.Errorf("--tls-cert %s and --tls-key %s: %w", c.Cert, c.Key, err)
	}
	return &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

func orElse(s, otherwise string) string {
	if s = strings.TrimSpace(s); s == "" {
		return otherwise
	}
	return s
}
