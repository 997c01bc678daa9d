package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/foreign"
	relay "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/platform"
)

// relay takes what the devices of somebody else's gateway say, beside configuring it, until ctx ends.
func (p *process) relay(ctx context.Context, b *bus.Bus, part *platform.Platform, g api.Gateway, c *configurator.Configurator, target *foreign.Target, ready func() error) error {
	account := p.settings.get("CASTOR_RELAY_ACCOUNT")
	if account == "" {
		return errors.New("CASTOR_RELAY_ACCOUNT is not set; with CASTOR_RELAY_LISTEN it is the id of the service account that speaks for the gateway")
	}
	config, err := p.serverTLS(gateway.Provisioning) // as that: nobody shows a certificate here
	if err != nil {
		return err
	}
	lobby := gateway.NewLobby()
	authenticate := func(ctx context.Context, h http.Header) (access.Caller, http.Header, error) {
		c, shown, err := part.SignedIn(ctx, h)
		if err == nil && c.Kind == access.Service && c.ID == account {
			gateway.Known(ctx)
		}
		return c, shown, err
	}
	drivers, err := p.drivers()
	if err != nil {
		return err
	}
	defer drivers.Close()
	r, err := relay.NewRelay(relay.RelayConfig{Gateway: g, API: part.API, Bus: b, Drivers: drivers, Account: account, Authenticate: authenticate, Ending: ctx.Done(), Log: p.log,
		Admitted: func(client string) bool { _, in := c.Get(client); return in },
		Shown: func(client string) api.Shown {
			a, _ := c.Get(client)
			return api.Shown{Fingerprint: newest(a.Fingerprints), Verifier: newest(a.Verifiers)}
		},
		Alive: func(ctx context.Context) error { _, err := target.State(ctx); return err }})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.settings.get("CASTOR_RELAY_LISTEN"))
	if err != nil {
		return fmt.Errorf("CASTOR_RELAY_LISTEN: %w", err)
	}
	server := &http.Server{Handler: r, MaxHeaderBytes: streamHeader, ReadHeaderTimeout: streamHeaderTime, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		ConnContext: lobby.Enter, ConnState: lobby.State,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var beside sync.WaitGroup
	serving, relaying := make(chan error, 1), make(chan error, 1)
	beside.Go(func() { c.Run(work) })
	beside.Go(func() { serving <- server.Serve(tls.NewListener(l, config)) })
	beside.Go(func() { relaying <- r.Run(work) })
	p.serving(b, ready)
	select {
	case <-ctx.Done():
	case err = <-serving:
	}
	// Requests end before the link that they wait for.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), relayGrace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		_ = server.Close()
	}
	stop()
	beside.Wait()
	return errors.Join(err, <-relaying)
}

// relayGrace is how long requests that are under way may take when the process stops.
const relayGrace = 2 * time.Second
