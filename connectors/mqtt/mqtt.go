// Package mqtt is the connector for MQTT: it turns the topics of the wire contract into calls of a link, and what the link
// brings into topics. It decodes no payload and lets nobody in: that is package link's and package gateway's.
//
// On an operational gateway a device publishes castor/{ref}/telemetry, state/reported, event, log/{app},
// command/{id}/response, provision/confirm, credential/renew and credential/confirm, and receives castor/{ref}/ack, state/delta,
// command/{id}, credential/renewed and gateway. On a provisioning gateway a claimant publishes castor/provision/{type}/request,
// and who has no claim castor/provision/knock; both receive castor/provision/{client}/accepted, rejected and status.
//
// Devices whose firmware has topics of its own keep to those (docs/legacy.md).
package mqtt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/broker"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// Protocol is the name of this protocol in the service directory.
const Protocol = broker.Protocol

// Config says which gateway to run and how it reaches the platform.
type Config struct {
	// Gateway to run; its Bus, Now and Log are the link's too.
	Gateway gateway.Config

	API *api.Client

	// URL is what devices dial; "tls://" and the address listened on if empty.
	URL      string
	Region   string // the operator's word for where the gateway stands; "" = none
	Capacity int64  // devices; 0 = what the gateway manager takes for it

	// Location is where the gateway stands, for the distance to devices; nil = not told.
	Location *twin.Location

	Limits link.Limits // zero fields have defaults

	Drivers *sandbox.Pool // as link.Config's

	Relayed int // devices that a bridge speaks for at a time: one more ends the session of that which was silent longest; 0 = 5,000
}

// A Connector is an MQTT gateway together with the link that connects it to the platform.
type Connector struct {
	gateway *broker.Broker
	link    *link.Link
	phase   gateway.Phase
	log     *slog.Logger
	relayed int // as Config's

	sessions sync.Map // *gateway.Session → *link.Session, *login, *link.Claimant or *link.Knocker
	logins   sync.Map // *link.Session → *login, where there is one
}

// New opens the gateway's address. Devices are served by Run.
func New(c Config) (*Connector, error) {
	m := &Connector{phase: c.Gateway.Phase, log: c.Gateway.Log, relayed: cmp.Or(c.Relayed, maxRelayed)}
	if m.log == nil {
		m.log = slog.Default()
	}
	m.log = trace.Logger(m.log)
	var err error
	if m.gateway, err = broker.New(c.Gateway, m); err != nil {
		return nil, err
	}
	if c.URL == "" {
		c.URL = "tls://" + m.gateway.Addr().String()
	}
	m.link, err = link.New(link.Config{
		Gateway: api.Gateway{
			ID: c.Gateway.ID, Phase: string(c.Gateway.Phase), Protocol: Protocol, URL: c.URL, Region: c.Region, Capacity: c.Capacity, Location: c.Location,
		},
		API: c.API, Bus: c.Gateway.Bus, Protocol: m, Drivers: c.Drivers, Limits: c.Limits, Now: c.Gateway.Now, Log: c.Gateway.Log,
	})
	if err != nil {
		return nil, errors.Join(err, m.gateway.Close())
	}
	return m, nil
}

// Addr is the address devices connect to.
func (m *Connector) Addr() net.Addr { return m.gateway.Addr() }

// Ready returns nil while devices can be served.
func (m *Connector) Ready() error { return m.gateway.Ready() }

// Run serves until ctx ends; the gateway first, so that what it has taken is still brought to the platform.
func (m *Connector) Run(ctx context.Context) error {
	return m.link.Around(ctx, m.gateway.Run)
}

// Stats are the counts of both halves.
func (m *Connector) Stats() (gateway.Stats, link.Stats) { return m.gateway.Stats(), m.link.Stats() }

// Connected opens the link's side of a session.
func (m *Connector) Connected(s *gateway.Session) {
	switch {
	case s.Anonymous():
		m.sessions.Store(s, m.link.OpenKnock(s.ID, s.Client, s.Address.String(), s.Done()))
	case m.phase == gateway.Provisioning:
		m.sessions.Store(s, m.link.OpenClaim(s.ID, s.Name, s.Client, s.Done()))
	case s.Topics != nil:
		m.sessions.Store(s, m.openLogin(s))
	default:
		m.sessions.Store(s, m.link.Open(s.ID, device.Ref(s.Client), s.Number, s.Done()))
	}
}

// Disconnected closes the link's side of a session.
func (m *Connector) Disconnected(s *gateway.Session) {
	if v, ok := m.sessions.LoadAndDelete(s); ok {
		switch d := v.(type) {
		case *link.Session:
			d.Close()
		case *login:
			d.close()
		}
	}
}

// Subscribed tells the link that commands reach the device now.
func (m *Connector) Subscribed(s *gateway.Session, filter string) {
	v, _ := m.sessions.Load(s)
	switch d := v.(type) {
	case *link.Session:
		if filter == "castor/"+s.Client+"/command/+" {
			d.Listen()
		}
	case *login:
		d.listen()
	}
}

// Received passes on what a device published. The gateway has seen to it that the topic is one of the contract.
func (m *Connector) Received(s *gateway.Session, topic string, payload []byte, received time.Time, done func(stored bool)) {
	v, _ := m.sessions.Load(s)
	switch d := v.(type) {
	case *link.Knocker:
		d.Knock(payload, func(a api.ProvisionAnswer) { m.answer(d.ID, d.Client, a) }, done)
		return
	case *link.Claimant:
		kind, ok := strings.CutSuffix(strings.TrimPrefix(topic, "castor/provision/"), "/request")
		if ok {
			d.Request(twin.TypeID(kind), payload, done)
			return
		}
	case *login:
		d.received(topic, payload, received, done)
		return
	case *link.Session:
		rest := strings.TrimPrefix(topic, "castor/"+s.Client+"/")
		switch rest {
		case "provision/confirm":
			d.Confirm(done)
			return
		case "credential/renew":
			d.Renew(payload, func(a api.RenewAnswer) { m.renewed(d, a) }, done)
			return
		case "credential/confirm":
			d.ConfirmCredential(s.Proof(), done)
			return
		}
		if kind, ok := kindOf(rest); ok {
			d.Publish(kind, topic, payload, received, done)
			return
		}
	}
	m.log.Error("message on a topic nobody handles", "topic", topic, "client", s.Client)
	done(false)
}

func kindOf(rest string) (telemetry.Kind, bool) {
	switch {
	case rest == "telemetry":
		return telemetry.Telemetry, true
	case rest == "state/reported":
		return telemetry.State, true
	case rest == "event":
		return telemetry.Event, true
	case strings.HasPrefix(rest, "log/"):
		return telemetry.Log, true
	case strings.HasPrefix(rest, "command/"):
		return telemetry.Response, true
	}
	return "", false
}

// Stored publishes castor/{ref}/ack. It needs no acknowledgement of its own: the next one stands for it.
func (m *Connector) Stored(s *link.Session, o twin.Order) {
	if _, own := m.logins.Load(s); own {
		return // it knows no such topic
	}
	payload, err := json.Marshal(o)
	if err == nil {
		err = m.gateway.Publish(string(s.Ref), fmt.Sprintf("castor/%s/ack", s.Ref), payload, broker.Options{})
	}
	if err != nil && !errors.Is(err, broker.ErrNotConnected) {
		m.log.Warn("device was not told what is stored", "ref", s.Ref, "error", err)
	}
}

// Answer publishes castor/provision/{client}/accepted, rejected or status, if the session that asked is still there.
func (m *Connector) Answer(c *link.Claimant, a api.ProvisionAnswer) { m.answer(c.ID, c.Client, a) }

func (m *Connector) answer(session, client string, a api.ProvisionAnswer) {
	topic := "status"
	if a.Status == "accepted" || a.Status == "rejected" {
		topic = a.Status
	}
	payload, err := json.Marshal(a)
	if err == nil {
		err = m.gateway.Publish(client, fmt.Sprintf("castor/provision/%s/%s", client, topic), payload, broker.Options{Acknowledged: true, Session: session})
	}
	if err != nil {
		m.log.Info("provisioning answer was not delivered, the device will ask again", "client", client, "error", err)
	}
}

// renewed publishes castor/{ref}/credential/renewed to the session that asked.
func (m *Connector) renewed(s *link.Session, a api.RenewAnswer) {
	payload, err := json.Marshal(a)
	if err == nil {
		err = m.gateway.Publish(string(s.Ref), fmt.Sprintf("castor/%s/credential/renewed", s.Ref), payload, broker.Options{Acknowledged: true, Session: s.ID})
	}
	if err != nil {
		m.log.Info("renewed credential was not delivered, the device will ask again", "ref", s.Ref, "error", err)
	}
}

// Deliver publishes a message of the platform. One to a device that is not here is for another connector, or too late.
func (m *Connector) Deliver(d bus.Downlink) {
	err := m.gateway.Publish(d.Device, d.Topic, d.Payload, broker.Options{Acknowledged: true, Retain: d.Retain, Name: d.Claim})
	if err != nil && !errors.Is(err, broker.ErrNotConnected) && !errors.Is(err, broker.ErrOwn) {
		m.log.WarnContext(trace.With(context.Background(), d.Trace), "message to a device was not delivered", "device", d.Device, "topic", d.Topic, "id", d.ID, "error", err)
	}
}

// Command publishes castor/{ref}/command/{id} to the session, with QoS 1; to a device that has topics of its own on the one that its
// driver names.
func (m *Connector) Command(s *link.Session, d link.Down) error {
	if l, ok := m.logins.Load(s); ok {
		return l.(*login).command(s, d)
	}
	if err := d.Own(); err != nil {
		return err
	}
	topic := fmt.Sprintf("castor/%s/command/%s", s.Ref, d.ID)
	return m.gateway.Publish(string(s.Ref), topic, d.Payload, broker.Options{Acknowledged: true, Session: s.ID})
}
