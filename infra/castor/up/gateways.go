package up

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/castor-iot/castor/connectors/events"
	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
)

// The ids of the two gateways that `castor up` runs.
const (
	ProvisioningGateway = "provisioning-1"
	OperationalGateway  = "operational-1"
)

// An mqttGateway is one IoT gateway with its own transformer (paper 6).
type mqttGateway struct {
	id       string
	phase    gateway.Phase
	listener net.Listener
	url      string

	connector *mqtt.Connector
	cancel    context.CancelFunc
	done      chan struct{}
}

func (g *mqttGateway) stop() {
	if g.cancel != nil {
		g.cancel()
		<-g.done
	} else {
		g.listener.Close()
	}
}

// listenGateways opens the addresses that devices dial, so that claims can name them before anybody is served.
func (c *Castor) listenGateways() error {
	for _, g := range []struct {
		id, setting, address string
		phase                gateway.Phase
		url                  *string
	}{
		{ProvisioningGateway, "provisioning", c.config.Provisioning, gateway.Provisioning, &c.Provisioning},
		{OperationalGateway, "operational", c.config.Operational, gateway.Operational, &c.Operational},
	} {
		l, err := listen(g.setting, g.address)
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		*g.url = "tls://" + net.JoinHostPort(c.config.Hosts[0], port)
		c.gateways = append(c.gateways, &mqttGateway{id: g.id, phase: g.phase, listener: l, url: *g.url})
	}
	c.base.Provisioning = c.Provisioning
	return nil
}

func (c *Castor) startGateways(_, serving context.Context) (string, error) {
	cert, err := c.ca.Server(c.config.Now(), c.config.Hosts...)
	if err != nil {
		return "", err
	}
	for _, g := range c.gateways {
		t := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		door := gateway.Config{ID: g.id, Phase: g.phase, Listener: g.listener, TLS: t, Dir: c.dir.sub("gateways", g.id),
			Bus: c.base.Bus, Now: c.config.Now, Log: c.base.Log, Knocks: g.phase == gateway.Provisioning}
		if g.phase == gateway.Operational {
			t.ClientAuth, t.ClientCAs = tls.VerifyClientCertIfGiven, c.ca.Pool()
			if door.VerifierKey, err = c.base.Secrets(platform.SecretVerify); err != nil {
				return "", err
			}
		}
		g.connector, err = mqtt.New(mqtt.Config{
			Gateway: door, API: platform.New(c.base, "connector", g.id).API, URL: g.url, Region: c.config.Region,
		})
		if err != nil {
			return "", err
		}
		// Not under serving: gateways stop before everything that their messages need.
		var ctx context.Context
		ctx, g.cancel = context.WithCancel(context.WithoutCancel(serving))
		g.done = make(chan struct{})
		go func() {
			defer close(g.done)
			if err := g.connector.Run(ctx); ctx.Err() == nil {
				select {
				case c.failed <- fmt.Errorf("gateway %s ended: %w", g.id, err):
				default:
				}
			}
		}()
	}
	return fmt.Sprintf("MQTT on TLS: provisioning %s, operational %s", c.Provisioning, c.Operational), nil
}

// eventsUser is who connector events is at the user gateway; its password is the part's own secret.
const eventsUser = "castor-events"

func (c *Castor) startTriggers(_, serving context.Context) (string, error) {
	secret, err := c.base.Secrets(platform.PartSecret("events", ""))
	if err != nil {
		return "", err
	}
	client := platform.New(c.base, "events", "").API
	config := events.Config{Bus: c.base.Bus, Gateway: c.base.Gateway, User: eventsUser, Password: string(secret),
		Authorize: client.Authorize, Renew: client.Renew, API: client, PrivateCallbacks: loopback(c.config.Listen), Log: c.base.Log, Now: c.config.Now}
	if c.base.HTTP != nil {
		config.Transport = c.base.HTTP.Transport
	}
	c.run(serving, "connector events", events.New(config).Run)
	return "events, schedules and the asynchronous queue", nil
}

// maintainer tells who may manage functions: maintainers by their password, and connector events by its own.
func (c *Castor) maintainer(ctx context.Context, user, password string) bool {
	if user == eventsUser {
		secret, err := c.base.Secrets(platform.PartSecret("events", ""))
		return err == nil && subtle.ConstantTimeCompare(secret, []byte(password)) == 1
	}
	anyone := &api.Client{URL: c.base.Gateway, HTTP: c.base.HTTP}
	token, err := anyone.Login(ctx, api.Login{Name: user, Password: password})
	if err != nil || token.User == nil {
		return false
	}
	for _, r := range token.User.Roles {
		if r == access.Maintainer {
			return true
		}
	}
	return false
}
