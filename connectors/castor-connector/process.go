package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/platform"
)

// secretNATSToken names the secret that NATS is shown.
const secretNATSToken = "castor-nats-token"

// A process is what every connector stands on.
type process struct {
	settings settings
	secrets  platform.Secrets
	log      *slog.Logger

	state atomic.Pointer[state]
}

// A state is what is not there from the start.
type state struct {
	bus   *bus.Bus
	ready func() error // of the connector; nil while it is not made
}

func newProcess(s settings, log *slog.Logger) *process {
	p := &process{settings: s, secrets: platform.SecretFiles(s.get("CASTOR_SECRETS")), log: log}
	p.state.Store(&state{})
	return p
}

// ready is what /readyz says.
func (p *process) ready(ctx context.Context) error {
	s := p.state.Load()
	switch {
	case ctx.Err() != nil:
		return errors.New("the connector is stopping")
	case s.bus == nil:
		return fmt.Errorf("the bus at %s is not reached yet: look at CASTOR_NATS_URL and secret %s", p.settings.get("CASTOR_NATS_URL"), secretNATSToken)
	case s.ready == nil:
		return errors.New("the connector is starting")
	}
	ping, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.bus.Ping(ping); err != nil {
		return err
	}
	return s.ready()
}

// connect opens the bus. It waits for one that is not there yet, because processes of a platform start in any order.
func (p *process) connect(ctx context.Context, name string) (*bus.Bus, error) {
	for tries := 0; ; tries++ {
		opts, err := platform.BusOptions(p.settings.get, p.secrets)
		if err != nil {
			return nil, err
		}
		opts = append(opts, bus.Name(name), bus.Logger(p.log))
		b, err := bus.Connect(ctx, p.settings.get("CASTOR_NATS_URL"), opts...)
		if err == nil {
			p.state.Store(&state{bus: b})
			return b, nil
		}
		if tries%30 == 0 {
			p.log.Warn("bus is not reached, trying again", "setting", "CASTOR_NATS_URL", "url", p.settings.get("CASTOR_NATS_URL"), "error", err)
		}
		if !pause.For(ctx, time.Second) {
			return nil, nil
		}
	}
}

// serving tells that the connector is made; ready is asked from now on.
func (p *process) serving(b *bus.Bus, ready func() error) {
	p.state.Store(&state{bus: b, ready: ready})
}

// platform is the platform as the part of that name sees it.
func (p *process) platform(b *bus.Bus, part, gateway string) (*platform.Platform, error) {
	if _, err := p.secret(platform.PartSecret(part, gateway)); err != nil {
		return nil, err
	}
	base := platform.Base{Bus: b, Gateway: p.settings.get("CASTOR_GATEWAY_URL"), Secrets: p.secrets, Log: p.log}
	if strings.HasPrefix(base.Gateway, "https:") {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if ca, err := p.secrets(platform.SecretCACert); err == nil {
			roots.AppendCertsFromPEM(ca) // a user gateway's certificate may be the platform's own
		}
		base.HTTP = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		}}
	}
	return platform.New(base, part, gateway), nil
}

// teller is how a guest on the bus tells what its gateway has applied: it may publish no events. nil if this process is none.
func (p *process) teller(client *api.Client, gateway string) func(context.Context, []api.GatewayApplied) error {
	if p.settings.get("CASTOR_NATS_USER") == "" {
		return nil
	}
	return func(ctx context.Context, applied []api.GatewayApplied) error {
		return client.TellApplied(ctx, gateway, applied)
	}
}

// secret is a secret that must be there.
func (p *process) secret(name string) ([]byte, error) {
	b, err := p.secrets(name)
	if err != nil {
		return nil, fmt.Errorf("%w; `castor init` makes it, CASTOR_SECRETS names its folder", err)
	}
	return b, nil
}
