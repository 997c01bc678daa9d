// Package http is the connector for devices that speak HTTPS and nothing else: they report by POST, and are told by the answers and by
// a long poll. It turns requests into calls of a link, and what the link brings into answers. It decodes no payload of a device
// and lets nobody in: that is package link's and package gateway's. openapi.yaml is its contract, served at /v1/openapi.yaml.
//
// HTTP has no connections that mean anything, so a device's session is what its requests have in common: it begins with the
// first and ends when none came for a while.
package http

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// Protocol is the name of this protocol in the service directory.
const Protocol = "http"

// Config says which gateway to run and how it reaches the platform.
type Config struct {
	Gateway gateway.Config // without a Protocol; its Bus, Now and Log are the link's too

	API *api.Client

	// URL is what devices dial; "https://" and the address listened on if empty.
	URL      string
	Region   string // the operator's word for where the gateway stands; "" = none
	Capacity int64  // devices; 0 = what the gateway manager takes for it

	// Location is where the gateway stands, for the distance to devices; nil = not told.
	Location *twin.Location

	Link    link.Limits   // zero fields have defaults
	Limits  Limits        // zero fields have defaults
	Drivers *sandbox.Pool // as link.Config's

	// PrivateDownlinks allows commands to be handed to network servers at loopback and private addresses, there also without TLS. Which
	// address a network server has is said by its own requests.
	PrivateDownlinks bool
}

// A Connector is an HTTP gateway together with the link that connects it to the platform.
type Connector struct {
	door   *gateway.Door
	link   *link.Link
	phase  gateway.Phase
	limits Limits
	places chan struct{} // of requests under way

	behind    sync.Map // *endDevice by *link.Session, of devices that another one speaks for
	downlinks *downlinks
	private   bool // network servers may be at private addresses

	server *http.Server
	log    *slog.Logger
	now    func() time.Time
}

// New opens the gateway's address. Devices are served by Run.
func New(c Config) (*Connector, error) {
	h := &Connector{phase: c.Gateway.Phase, log: c.Gateway.Log, now: c.Gateway.Now, limits: c.Limits.withDefaults(c.Gateway.Phase)}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.log = trace.Logger(h.log)
	h.private, h.downlinks = c.PrivateDownlinks, newDownlinks(c.PrivateDownlinks, h.now, h.log)
	h.places = make(chan struct{}, h.limits.Requests)
	h.server = newServer(h, h.limits, h.log)
	c.Gateway.Protocol = Protocol
	if c.Gateway.TLS != nil {
		c.Gateway.TLS = c.Gateway.TLS.Clone()
		c.Gateway.TLS.NextProtos = []string{"h2", "http/1.1"}
	}
	var err error
	if h.door, err = gateway.NewDoor(c.Gateway); err != nil {
		return nil, err
	}
	if c.URL == "" {
		c.URL = "https://" + h.door.Addr().String()
	}
	h.link, err = link.New(link.Config{
		Gateway: api.Gateway{
			ID: c.Gateway.ID, Phase: string(c.Gateway.Phase), Protocol: Protocol, URL: c.URL, Region: c.Region, Capacity: c.Capacity, Location: c.Location,
		},
		API: c.API, Bus: c.Gateway.Bus, Protocol: h, Drivers: c.Drivers, Limits: c.Link, Now: c.Gateway.Now, Log: c.Gateway.Log,
	})
	if err != nil {
		return nil, errors.Join(err, h.door.Close())
	}
	return h, nil
}

// Addr is the address devices connect to.
func (h *Connector) Addr() net.Addr { return h.door.Addr() }

// Ready returns nil while devices can be served.
func (h *Connector) Ready() error { return h.door.Ready() }

// Stats are the counts of both halves.
func (h *Connector) Stats() (gateway.Stats, link.Stats) { return h.door.Stats(), h.link.Stats() }

// Run serves until ctx ends; the gateway first, so that what it has taken is still brought to the platform.
func (h *Connector) Run(ctx context.Context) error {
	return h.link.Around(ctx, func(ctx context.Context) error {
		defer h.downlinks.end()
		return h.door.Run(ctx, h.serve, h.end)
	})
}
