// Package broker is the IoT gateway for MQTT: an embedded broker behind the door of package gateway. It hands what devices say
// to a Handler and what the Handler says to devices; it decodes no payload and forwards nothing from one device to another.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/trace"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Protocol is what the broker speaks, in the service directory and in metrics.
const Protocol = "mqtt"

// Errors of Publish.
var (
	ErrNotConnected = errors.New("client is not connected to this gateway")
	ErrTopic        = errors.New("client may not receive this topic")
	ErrOwn          = fmt.Errorf("%w, it has topics of its own", ErrTopic)
)

// A Handler takes what devices do. Calls for one session come one after the other, Connected first, Disconnected last,
// and a client has one session at a time. A Handler that blocks holds back that device alone; it must return when
// Session.Done is closed.
type Handler interface {
	Connected(s *gateway.Session)
	Disconnected(s *gateway.Session)

	// Received takes one message. The device gets its acknowledgement when done(true) is called, which may be at any
	// time and from any goroutine, once per message; MQTT asks that it be in the order in which they were received
	// [MQTT-4.6.0-2]. After done(false) the device hears nothing and sends again when it has reconnected.
	Received(s *gateway.Session, topic string, payload []byte, received time.Time, done func(stored bool))

	// Subscribed tells of a filter that the broker has taken: what is published from then on reaches the device.
	Subscribed(s *gateway.Session, filter string)
}

// A Broker is one running gateway for MQTT.
type Broker struct {
	door    *gateway.Door
	handler Handler
	phase   gateway.Phase
	limits  gateway.Limits
	now     func() time.Time
	log     *slog.Logger
	server  *mqtt.Server
	inline  *mqtt.Client
}

// New opens the gateway's address and its admissions file. Nobody is served before Run.
func New(c gateway.Config, h Handler) (*Broker, error) {
	if h == nil {
		return nil, fmt.Errorf("gateway %s needs a handler", c.ID)
	}
	b := &Broker{handler: h, phase: c.Phase}
	c.Protocol, c.Dismissed = Protocol, b.forget
	c.Lost = func() uint64 { return uint64(atomic.LoadInt64(&b.server.Info.InflightDropped)) }
	var err error
	if b.door, err = gateway.NewDoor(c); err != nil {
		return nil, err
	}
	c = b.door.Config()
	b.limits, b.now, b.log = c.Limits, c.Now, trace.Logger(c.Log).With("gateway", c.ID)
	b.server = newServer(c.Limits)
	b.inline = b.server.NewClient(nil, "gateway", "gateway", true) // no device sees it: it is in no list of clients
	if err := b.server.AddHook(&hook{b: b}, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("gateway %s: %w", c.ID, err), b.door.Close())
	}
	return b, nil
}

// newServer makes the broker with what facts of this library demand: its own acknowledgements and fan-out are not used
// for what devices publish, a session ends with its connection, and nothing of a payload reaches a log.
func newServer(l gateway.Limits) *mqtt.Server {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClients = int64(l.Connections)
	c.MaximumPacketSize = uint32(l.PacketSize)
	c.MaximumQos = 1
	c.MaximumClientWritesPending = 256 // downlinks only; the queue is allocated for each client
	c.MaximumInflight = 1024
	c.ReceiveMaximum = uint16(min(l.Window, 65_535))
	c.TopicAliasMaximum = 0 // the broker asks for the right to a topic before it looks the alias up
	c.SharedSubAvailable = 0
	return mqtt.New(&mqtt.Options{Capabilities: c, Logger: slog.New(slog.DiscardHandler), SysTopicResendInterval: 24 * 60 * 60})
}

// Addr is the address devices connect to.
func (b *Broker) Addr() net.Addr { return b.door.Addr() }

// Ready returns nil while devices can be served.
func (b *Broker) Ready() error { return b.door.Ready() }

// Sessions returns the sessions there are now, in no order.
func (b *Broker) Sessions() []*gateway.Session { return b.door.Sessions() }

// Stats returns the counts so far.
func (b *Broker) Stats() gateway.Stats { return b.door.Stats() }

// Close gives the address back; for a gateway that is not run.
func (b *Broker) Close() error { return b.door.Close() }

// Run serves until ctx ends. Then it takes no more messages, gives those that are under way a moment to be acknowledged,
// and ends all sessions; the Handler must work until Run has returned.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.server.Serve(); err != nil {
		return err
	}
	err := b.door.Run(ctx, b.serve, func() {})
	_ = b.server.Close()
	return err
}

// serve leaves each connection to the broker, and returns when all have ended.
func (b *Broker) serve(l net.Listener) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		arrived, ok := gateway.ConnOf(c)
		if !ok {
			return fmt.Errorf("%T is no connection of the door", c)
		}
		serving.Go(func() { b.establish(&conn{Conn: arrived, largest: b.limits.PacketSize, log: b.log}) })
	}
}

func (b *Broker) establish(c *conn) {
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(b.limits.Handshake)) // for CONNECT; then the broker sets its own
	if err := b.server.EstablishConnection(Protocol, c); err != nil && c.session == nil {
		b.log.Debug("connection ended before its session", "address", c.Address(), "error", err)
	}
	if s := c.session; s != nil {
		s.End()
		if cl, ok := b.server.Clients.Get(s.Client); ok && cl == c.broker {
			b.server.Clients.Delete(s.Client) // where it ended before it had begun
		}
		s.Leave()
	}
}

// Publish hands a message to a connected client. It is gone if the client does not subscribe to the topic or is too slow;
// Stats counts the latter. Errors: ErrNotConnected, ErrTopic, ErrOwn.
func (b *Broker) Publish(client, topic string, payload []byte, o Options) error {
	s, ok := b.door.Session(client)
	to := topic
	if ok && s.Topics != nil {
		if _, its := s.Topics.To(topic); !its {
			return fmt.Errorf("%w: %.200q for %s", ErrOwn, topic, client)
		}
		to, o.Retain = inner(s, topic), false
	} else if !mayReceive(b.phase, client, topic) || strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("%w: %.200q for %s", ErrTopic, topic, client)
	}
	retain := o.Retain && b.phase == gateway.Operational && b.server.Topics.Retained.Len() < b.limits.Retained
	if !retain && (!ok || o.Session != "" && s.ID != o.Session || o.Name != "" && s.Name != o.Name) {
		return ErrNotConnected
	}
	pk := packets.Packet{TopicName: to, Payload: payload, FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: retain}}
	if o.Acknowledged && (!ok || mayTake(s)) {
		pk.FixedHeader.Qos, pk.PacketID = 1, 1 // the broker gives each receiver a packet id of its own
	}
	return b.server.InjectPacket(b.inline, pk)
}

// mayTake tells whether the client takes one more message that it has to acknowledge.
func mayTake(s *gateway.Session) bool {
	c, ok := s.Attached().(*conn)
	return !ok || c.receive == 0 || c.broker.State.Inflight.Len() < c.receive
}

// Options of a message to a device.
type Options struct {
	// Acknowledged sends with QoS 1, where the subscription has it.
	Acknowledged bool

	// Retain keeps the message in memory for sessions to come, on operational gateways.
	Retain bool

	// Session is the one session the message is for; "" = whichever the client has. Name is what the client must have been
	// admitted as; "" asks for none.
	Session string
	Name    string
}

// forget removes what was kept for the sessions of a device that is let in no more.
func (b *Broker) forget(client string) {
	if b.phase != gateway.Operational {
		return
	}
	for topic := range b.server.Topics.Retained.GetAll() {
		if strings.HasPrefix(topic, "castor/"+client+"/") {
			b.server.Topics.Retained.Delete(topic)
		}
	}
}
