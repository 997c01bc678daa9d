// Package gateway is the IoT gateway (paper 4.10): the communication mediator that devices connect to (an embedded MQTT
// broker on TLS) with its own authentication, and the configurator that keeps whom it lets in. It hands what devices say
// to a Handler and what the Handler says to devices; it decodes no payload, calls no function and forwards nothing from
// one device to another.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A Phase is what devices come to a gateway for. Gateways of the two phases are apart, so that provisioning cannot
// saturate the operational path (paper 7.2).
type Phase string

// The phases. Provisioning lets claims in by token, Operational devices by certificate.
const (
	Provisioning Phase = Phase(twin.Provisioning)
	Operational  Phase = Phase(twin.Operational)
)

// Errors of Publish.
var (
	ErrNotConnected = errors.New("client is not connected to this gateway")
	ErrTopic        = errors.New("client may not receive this topic")
)

// A Handler takes what devices do. Calls for one session come one after the other, Connected first, Disconnected last,
// and a client has one session at a time. A Handler that blocks holds back that device alone; it must return when
// Session.Done is closed.
type Handler interface {
	Connected(s *Session)
	Disconnected(s *Session)

	// Received takes one message. The device gets its acknowledgement when done(true) is called, which may be at any
	// time and from any goroutine, once per message; MQTT asks that it be in the order in which they were received
	// [MQTT-4.6.0-2]. After done(false) the device hears nothing and sends again when it has reconnected.
	Received(s *Session, topic string, payload []byte, received time.Time, done func(stored bool))

	// Subscribed tells of a filter that the broker has taken: what is published from then on reaches the device.
	Subscribed(s *Session, filter string)
}

// Config says which gateway to run.
type Config struct {
	ID    string // as gateways knows it, the same for all replicas; letters, digits, '-' and '_'
	Phase Phase

	// Listener takes TCP connections; without one, Addr ("127.0.0.1:8883") is listened on. TLS is put on top of either.
	Listener net.Listener
	Addr     string

	// TLS is the server's side; for Operational it must require and verify client certificates.
	TLS *tls.Config

	// Dir keeps the admissions for a restart while the bus is away, in a file named by the gateway's id. It is made if missing. Each replica has its own.
	Dir string

	Bus     *bus.Bus
	Handler Handler

	Limits Limits           // zero fields have defaults
	Now    func() time.Time // time.Now if nil
	Log    *slog.Logger     // slog.Default() if nil
}

// A Gateway is one running gateway.
type Gateway struct {
	config   Config
	replica  string // tells this one from others of the same id
	log      *slog.Logger
	now      func() time.Time
	listener net.Listener
	server   *mqtt.Server
	inline   *mqtt.Client
	guard    *guard
	sessions *sessions
	admitted *admissions
	count    counters
	closing  atomic.Bool
	listens  atomic.Bool   // to the other replicas
	changed  chan struct{} // something was applied
	bucket   atomic.Pointer[bus.Bucket]
	position atomic.Uint64 // the revision that the bucket has told last
	told     atomic.Bool   // everything that belongs into the bucket has been told
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// New opens the gateway's address and its admissions file. Nobody is served before Run.
func New(c Config) (*Gateway, error) {
	switch {
	case !idPattern.MatchString(c.ID):
		return nil, fmt.Errorf("gateway id %.80q must be 1 to 64 letters, digits, '-' or '_'", c.ID)
	case c.Handler == nil || c.Bus == nil || c.Dir == "":
		return nil, fmt.Errorf("gateway %s needs a handler, a bus and a directory", c.ID)
	case c.Phase != Provisioning && c.Phase != Operational:
		return nil, fmt.Errorf("gateway %s: phase %q must be %s or %s", c.ID, c.Phase, Provisioning, Operational)
	case c.TLS == nil:
		return nil, fmt.Errorf("gateway %s: devices are served on TLS only", c.ID)
	case c.Phase == Operational && (c.TLS.ClientAuth != tls.RequireAndVerifyClientCert || c.TLS.ClientCAs == nil):
		return nil, fmt.Errorf("gateway %s: TLS must require client certificates and verify them", c.ID)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.ID, err)
	}
	c.Limits = c.Limits.withDefaults(c.Phase)
	g := &Gateway{config: c, replica: newReplica(), log: trace.Logger(c.Log).With("gateway", c.ID), now: c.Now, listener: c.Listener,
		guard: newGuard(c.Limits), changed: make(chan struct{}, 1)}
	g.sessions = &sessions{byClient: make(map[string]*Session)}
	var err error
	if g.admitted, err = openAdmissions(filepath.Join(c.Dir, c.ID+".json"), g.log); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.ID, err)
	}
	if g.listener == nil {
		if g.listener, err = net.Listen("tcp", c.Addr); err != nil {
			return nil, fmt.Errorf("gateway %s: %w", c.ID, err)
		}
	}
	g.server = newBroker(c.Limits)
	g.inline = g.server.NewClient(nil, "gateway", "gateway", true) // no device sees it: it is in no list of clients
	if err := g.server.AddHook(&hook{g: g}, nil); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.ID, err)
	}
	return g, nil
}

// newBroker makes the broker with what facts of this library demand: its own acknowledgements and fan-out are not used
// for what devices publish, a session ends with its connection, and nothing of a payload reaches a log.
func newBroker(l Limits) *mqtt.Server {
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
func (g *Gateway) Addr() net.Addr { return g.listener.Addr() }

// Ready returns nil once everything that the bucket holds has been applied, and until the gateway stops.
func (g *Gateway) Ready() error {
	switch {
	case g.closing.Load():
		return fmt.Errorf("gateway %s is stopping", g.config.ID)
	case !g.told.Load():
		return fmt.Errorf("gateway %s has not read from the bus yet whom it lets in", g.config.ID)
	}
	return nil
}

// Run serves until ctx ends. Then it takes no more messages, gives those that are under way a moment to be acknowledged,
// and ends all sessions; the Handler must work until Run has returned.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.server.Serve(); err != nil {
		return fmt.Errorf("gateway %s: %w", g.config.ID, err)
	}
	g.log.Info("gateway listens", "address", g.Addr().String(), "phase", g.config.Phase)
	defer metrics.Watch(g.measure)()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(g.meet(work))
	background.Go(func() { g.configure(work) })
	background.Go(func() { g.expire(work) })
	accepted := make(chan error, 1)
	go func() { accepted <- g.accept(work) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-accepted:
		accepted <- nil
	}
	g.closing.Store(true)
	_ = g.listener.Close()
	g.sessions.drain(g.config.Limits.Drain)
	stop()
	g.sessions.cutAll(packets.ErrServerShuttingDown)
	<-accepted // all connections have ended
	background.Wait()
	_ = g.server.Close()
	g.log.Info("gateway stopped")
	return err
}

// Close gives the address back; for a gateway that is not run.
func (g *Gateway) Close() error { return g.listener.Close() }

// Publish hands a message to a connected client. It is gone if the client does not subscribe to the topic or is too slow;
// Stats counts the latter. Errors: ErrNotConnected, ErrTopic.
func (g *Gateway) Publish(client, topic string, payload []byte, o Options) error {
	if !g.config.Phase.mayReceive(client, topic) || strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("%w: %.200q for %s", ErrTopic, topic, client)
	}
	s, ok := g.sessions.get(client)
	retain := o.Retain && g.config.Phase == Operational && g.server.Topics.Retained.Len() < g.config.Limits.Retained
	if !retain && (!ok || o.Session != "" && s.ID != o.Session || o.Name != "" && s.Name != o.Name) {
		return ErrNotConnected
	}
	pk := packets.Packet{TopicName: topic, Payload: payload, FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: retain}}
	if o.Acknowledged && (s == nil || s.mayReceive()) {
		pk.FixedHeader.Qos, pk.PacketID = 1, 1 // the broker gives each receiver a packet id of its own
	}
	return g.server.InjectPacket(g.inline, pk)
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

// Sessions returns the sessions there are now, in no order.
func (g *Gateway) Sessions() []*Session { return g.sessions.all() }
