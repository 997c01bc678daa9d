package up

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/castor-iot/castor/connectors/events"
	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/grpc"
	devicehttp "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/platform"
)

// The ids of the two gateways for MQTT that `castor up` runs; those of others have the protocol's name in them.
const (
	ProvisioningGateway = "provisioning-1"
	OperationalGateway  = "operational-1"
)

// A connector is a gateway with its transformer, whatever it speaks.
type connector interface {
	Run(ctx context.Context) error
	Stats() (gateway.Stats, link.Stats)
}

// A protocol is what devices may speak: how its URLs begin, and who makes its connector. private tells that it may call private addresses that
// others have named.
type protocol struct {
	name, title, scheme string
	open                func(door gateway.Config, api *api.Client, drivers *sandbox.Pool, url, region string, private bool) (connector, error)
}

var protocols = []protocol{
	{mqtt.Protocol, "MQTT", "tls", func(door gateway.Config, api *api.Client, drivers *sandbox.Pool, url, region string, _ bool) (connector, error) {
		return mqtt.New(mqtt.Config{Gateway: door, API: api, Drivers: drivers, URL: url, Region: region})
	}},
	{grpc.Protocol, "gRPC", "grpcs", func(door gateway.Config, api *api.Client, drivers *sandbox.Pool, url, region string, _ bool) (connector, error) {
		return grpc.New(grpc.Config{Gateway: door, API: api, Drivers: drivers, URL: url, Region: region})
	}},
	{devicehttp.Protocol, "HTTP", "https", func(door gateway.Config, api *api.Client, drivers *sandbox.Pool, url, region string, private bool) (connector, error) {
		return devicehttp.New(devicehttp.Config{Gateway: door, API: api, Drivers: drivers, URL: url, Region: region, PrivateDownlinks: private})
	}},
}

// A runningGateway is one IoT gateway with its own transformer (paper 6).
type runningGateway struct {
	id       string
	phase    gateway.Phase
	protocol protocol
	listener net.Listener
	url      string

	connector connector
	cancel    context.CancelFunc
	done      chan struct{}
}

func (g *runningGateway) stop() {
	if g.cancel != nil {
		g.cancel()
		<-g.done
	} else {
		g.listener.Close()
	}
}

// listenGateways opens the addresses that devices dial, so that claims can name them before anybody is served.
func (c *Castor) listenGateways() error {
	c.Devices, c.base.Gateways = map[string]string{}, map[string]string{}
	for _, g := range c.config.gateways() {
		if *g.address == Off {
			continue
		}
		l, err := listen(g.setting, *g.address)
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		url := g.protocol.scheme + "://" + net.JoinHostPort(c.config.Hosts[0], port)
		c.gateways = append(c.gateways, &runningGateway{id: g.id, phase: g.phase, protocol: g.protocol, listener: l, url: url})
		c.Devices[g.id] = url
		if g.phase == gateway.Provisioning {
			c.base.Gateways[g.protocol.name] = url
		}
	}
	c.Provisioning, c.Operational = c.Devices[ProvisioningGateway], c.Devices[OperationalGateway]
	c.base.Provisioning = c.Provisioning
	return nil
}

func (c *Castor) startGateways(_, serving context.Context) (string, error) {
	cert, err := c.ca.Server(c.config.Now(), c.config.Hosts...)
	if err != nil {
		return "", err
	}
	verify, err := c.base.Secrets(platform.SecretVerify)
	if err != nil {
		return "", err
	}
	drivers, err := sandbox.New(sandbox.Config{Log: c.base.Log, Now: c.config.Now})
	if err != nil {
		return "", err
	}
	c.onClose(func() error { drivers.Close(); return nil })
	var told []string
	for _, p := range protocols {
		var ports []string
		for _, g := range c.gateways {
			if g.protocol.name != p.name {
				continue
			}
			if err := c.startGateway(serving, g, drivers, cert, verify); err != nil {
				return "", err
			}
			_, port, _ := net.SplitHostPort(g.listener.Addr().String())
			ports = append(ports, string(g.phase)+" "+port)
		}
		if ports != nil {
			told = append(told, p.title+" ("+strings.Join(ports, ", ")+")")
		}
	}
	return strings.Join(told, ", ") + " on TLS", nil
}

func (c *Castor) startGateway(serving context.Context, g *runningGateway, drivers *sandbox.Pool, cert tls.Certificate, verify []byte) (err error) {
	t := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	door := gateway.Config{ID: g.id, Phase: g.phase, Listener: g.listener, TLS: t, Dir: c.dir.sub("gateways", g.id),
		Bus: c.base.Bus, Now: c.config.Now, Log: c.base.Log, Knocks: g.phase == gateway.Provisioning}
	if g.phase == gateway.Operational {
		t.ClientAuth, t.ClientCAs, door.VerifierKey = tls.VerifyClientCertIfGiven, c.ca.Pool(), verify
	} else {
		drivers = nil // nobody reports there
	}
	if g.connector, err = g.protocol.open(door, platform.New(c.base, "connector", g.id).API, drivers, g.url, c.config.Region, c.base.AllowPrivateWebhooks); err != nil {
		return err
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
	return nil
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
