// Package bridge is the connector for an MQTT broker that is not the platform's own: it is a client of that broker and turns the
// topics of the wire contract into calls of a link, as package mqtt does behind a gateway of ours. The broker lets devices in, and
// sees to it that each uses its own topics alone.
//
// Such a broker acknowledges a device's message before it is stored. The bridge acknowledges to the broker when it is, so the broker
// keeps what the bridge has not brought away; a device that counts its messages keeps them until castor/{ref}/ack says more.
package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Config says which broker is bridged.
type Config struct {
	// Client is the bridge's login at the broker, with a client id of the gateway's own; see mosquitto.Login.Options.
	Client *mqtt.ClientOptions

	Gateway api.Gateway // whose devices they are
	API     *api.Client
	Bus     *bus.Bus

	// Alive tells whether the broker can be reached and configured; nil = whether the bridge is connected to it.
	Alive func(ctx context.Context) error

	// Shown is what a device shows at the broker, as far as can be known; nil = nothing is.
	Shown func(ref device.Ref) api.Shown

	Limits  link.Limits
	Drivers *sandbox.Pool    // as link.Config's
	Now     func() time.Time // time.Now if nil
	Log     *slog.Logger     // slog.Default() if nil
}

// drainFor is how long what was received may take to be stored when the bridge ends. The broker keeps the rest.
const drainFor = 5 * time.Second

// tellFor is how long the broker may take, when the bridge ends, to have what devices are told.
const tellFor = 2 * time.Second

// maxPayload is the most of one message, in bytes; larger ones are dropped.
const maxPayload = telemetry.MaxPayload

// A Bridge brings the messages of one broker's devices to the platform.
type Bridge struct {
	config Config
	link   *link.Link
	client mqtt.Client
	log    *slog.Logger

	numbers link.Numbers

	mu      sync.Mutex
	closed  bool
	devices map[device.Ref]*visitor
	working sync.WaitGroup
	over    chan struct{} // closed when Run ends

	dropped atomic.Uint64
	told    atomic.Value // the newest mqtt.Token of what was published
}

// New makes the bridge. It connects in Run.
func New(c Config) (*Bridge, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	m := &Bridge{config: c, log: trace.Logger(c.Log).With("gateway", c.Gateway.ID), devices: make(map[device.Ref]*visitor), over: make(chan struct{})}
	alive := c.Alive
	if alive == nil {
		alive = func(context.Context) error { return m.Ready() }
	}
	var err error
	m.link, err = link.New(link.Config{Gateway: c.Gateway, API: c.API, Bus: c.Bus, Protocol: m, Drivers: c.Drivers, Alive: alive, Limits: c.Limits, Now: c.Now, Log: c.Log})
	if err != nil {
		return nil, err
	}
	// The broker keeps for this client what it has not acknowledged, also while it is away.
	c.Client.SetCleanSession(false).SetResumeSubs(false).SetAutoAckDisabled(true).SetOrderMatters(true)
	c.Client.SetOnConnectHandler(m.connected)
	c.Client.SetDefaultPublishHandler(m.received) // also of what came before the subscription was taken
	m.client = mqtt.NewClient(c.Client)
	return m, nil
}

// topics are what devices publish, and the broker's own log of connections.
var topics = map[string]byte{
	"castor/+/telemetry": 1, "castor/+/state/reported": 1, "castor/+/event": 1, "castor/+/log/+": 1, "castor/+/command/+/response": 1,
	"castor/+/provision/confirm": 1, "castor/+/credential/renew": 1, "castor/+/credential/confirm": 1, connections: 0, subscriptions: 0,
}

func (m *Bridge) connected(c mqtt.Client) {
	t := c.SubscribeMultiple(topics, nil)
	if t.WaitTimeout(10*time.Second) && t.Error() == nil {
		m.log.Info("broker is bridged")
		return
	}
	m.log.Warn("broker does not let the bridge hear its devices, it connects again", "error", t.Error())
	go func() {
		c.Disconnect(0)
		if pause.Unless(context.Background(), m.over, time.Second) { // who has ended comes to no broker any more
			c.Connect()
		}
	}()
}

// Ready returns nil while the bridge is connected.
func (m *Bridge) Ready() error {
	if !m.client.IsConnectionOpen() {
		return errors.New("the bridge is not connected to its broker")
	}
	return nil
}

// Run works until ctx ends, once; what was received by then is still brought to the platform.
func (m *Bridge) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	linked := make(chan error, 1)
	go func() { linked <- m.link.Run(work) }()
	m.client.Connect()
	<-ctx.Done()
	close(m.over)
	m.mu.Lock()
	m.closed = true
	all := m.devices
	m.devices = make(map[device.Ref]*visitor)
	m.mu.Unlock()
	for _, v := range all {
		close(v.over)
	}
	patience := time.AfterFunc(drainFor, func() {
		for _, v := range all {
			v.end()
		}
	})
	m.working.Wait()
	patience.Stop()
	stop()
	err := <-linked
	// A broker that ends now, too, reads nothing more: what it has answered for is on its way to the devices.
	if last, ok := m.told.Load().(mqtt.Token); ok && m.Ready() == nil {
		last.WaitTimeout(tellFor)
	}
	m.client.Disconnect(250) // after the last acknowledgement
	return err
}

// publish says something to devices.
func (m *Bridge) publish(topic string, retain bool, payload []byte) {
	m.told.Store(m.client.Publish(topic, 1, retain, payload))
}

// Stored publishes castor/{ref}/ack.
func (m *Bridge) Stored(s *link.Session, o twin.Order) {
	if payload, err := json.Marshal(o); err == nil {
		m.publish(fmt.Sprintf("castor/%s/ack", s.Ref), false, payload)
	}
}

// Answer is for provisioning gateways, which a bridge is none of.
func (m *Bridge) Answer(*link.Claimant, api.ProvisionAnswer) {}

// Deliver publishes a message of the platform, if it is one of the device's own topics.
func (m *Bridge) Deliver(d bus.Downlink) {
	if device.Ref(d.Device).Valid() != nil || !strings.HasPrefix(d.Topic, "castor/"+d.Device+"/") || strings.ContainsAny(d.Topic, "+#\x00") {
		return
	}
	m.publish(d.Topic, d.Retain, d.Payload)
}

// Command publishes castor/{ref}/command/{id}.
func (m *Bridge) Command(s *link.Session, d link.Down) error {
	if err := d.Own(); err != nil {
		return err
	}
	if err := m.Ready(); err != nil {
		return err
	}
	m.publish(fmt.Sprintf("castor/%s/command/%s", s.Ref, d.ID), false, d.Payload)
	return nil
}
