// Package grpc is the connector for gRPC: it turns the calls of shared/api/devicepb into calls of a link, and what the link brings
// into messages of streams. It decodes no payload and lets nobody in: that is package link's and package gateway's.
//
// A provisioning gateway serves service Provisioning, an operational one service Device; both serve health and reflection, which
// show what is in device.proto and nothing else.
package grpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// Protocol is the name of this protocol in the service directory.
const Protocol = "grpc"

// Config says which gateway to run and how it reaches the platform.
type Config struct {
	// Gateway without a Protocol; its Bus, Now and Log are the link's too. Its Limits.Window, 0 = 64 on operational gateways, is what a
	// stream may have under way without acknowledgement.
	Gateway gateway.Config

	API *api.Client

	// URL is what devices dial; "grpcs://" and the address listened on if empty.
	URL      string
	Region   string // the operator's word for where the gateway stands; "" = none
	Capacity int64  // devices; 0 = what the gateway manager takes for it

	// Location is where the gateway stands, for the distance to devices; nil = not told.
	Location *twin.Location

	Limits  link.Limits   // zero fields have defaults
	Drivers *sandbox.Pool // as link.Config's

	// Keepalive is how long a connection may be silent before the gateway asks whether the device is still there; who does not answer
	// for a third of it is disconnected. 0 = 1 min.
	Keepalive time.Duration
}

// A Connector is a gRPC gateway together with the link that connects it to the platform.
type Connector struct {
	door   *gateway.Door
	link   *link.Link
	server *grpc.Server
	now    func() time.Time
	log    *slog.Logger

	sessions sync.Map       // id of a session → *device, *asking or *knocking
	working  sync.WaitGroup // what goes on after a call has returned
}

// New opens the gateway's address. Devices are served by Run.
func New(c Config) (*Connector, error) {
	m := &Connector{log: c.Gateway.Log, now: c.Gateway.Now}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.log = trace.Logger(m.log)
	if c.Gateway.TLS == nil {
		return nil, fmt.Errorf("gateway %s: devices are served on TLS only", c.Gateway.ID)
	}
	c.Gateway.Protocol, c.Gateway.TLS = Protocol, c.Gateway.TLS.Clone()
	c.Gateway.TLS.NextProtos = []string{"h2"}
	if c.Gateway.Phase == gateway.Operational && c.Gateway.Limits.Window == 0 {
		c.Gateway.Limits.Window = window
	}
	var err error
	if m.door, err = gateway.NewDoor(c.Gateway); err != nil {
		return nil, err
	}
	if c.URL == "" {
		c.URL = "grpcs://" + m.door.Addr().String()
	}
	m.link, err = link.New(link.Config{
		Gateway: api.Gateway{
			ID: c.Gateway.ID, Phase: string(c.Gateway.Phase), Protocol: Protocol, URL: c.URL, Region: c.Region, Capacity: c.Capacity, Location: c.Location,
		},
		API: c.API, Bus: c.Gateway.Bus, Protocol: m, Drivers: c.Drivers, Limits: c.Limits, Now: c.Gateway.Now, Log: c.Gateway.Log,
	})
	if err != nil {
		return nil, errors.Join(err, m.door.Close())
	}
	m.server = grpc.NewServer(m.options(c.Keepalive)...)
	if c.Gateway.Phase == gateway.Provisioning {
		pb.RegisterProvisioningServer(m.server, &provisioning{Connector: m})
	} else {
		o := &operational{Connector: m}
		m.server.RegisterService(o.calls(pb.Device_ServiceDesc), o)
	}
	grpc_health_v1.RegisterHealthServer(m.server, &vital{Connector: m})
	reflection.Register(m.server)
	return m, nil
}

// Addr is the address devices connect to.
func (m *Connector) Addr() net.Addr { return m.door.Addr() }

// Ready returns nil while devices can be served.
func (m *Connector) Ready() error { return m.door.Ready() }

// Stats are the counts of both halves.
func (m *Connector) Stats() (gateway.Stats, link.Stats) { return m.door.Stats(), m.link.Stats() }

// goodbye is how long a connection that is ended has to read why.
const goodbye = 250 * time.Millisecond

// Run serves until ctx ends; the gateway first, so that what it has taken is still brought to the platform.
func (m *Connector) Run(ctx context.Context) error {
	return m.link.Around(ctx, func(ctx context.Context) error {
		defer m.working.Wait()
		defer m.server.Stop()
		return m.door.Run(ctx, m.server.Serve, func() {
			hard := time.AfterFunc(goodbye, m.server.Stop)
			m.server.GracefulStop()
			hard.Stop()
		})
	})
}
