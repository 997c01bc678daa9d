// Package gateway is what all IoT gateways share (paper 4.10), whatever they speak: the door. It listens on TLS, turns away
// who comes too often before it costs anything, authenticates clients by what the gateway's configurator has put into its
// bucket, keeps one session per client across all replicas, and ends it when its admission ends. It decodes no payload, calls
// no function and forwards nothing. Package broker is MQTT on it; gRPC and HTTP are in connectors/grpc and connectors/http.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/singleflight"
)

// A Phase is what devices come to a gateway for. Gateways of the two phases are apart, so that provisioning cannot
// saturate the operational path (paper 7.2).
type Phase string

// The phases. Provisioning lets claims in by token, Operational devices by certificate or secret.
const (
	Provisioning Phase = Phase(twin.Provisioning)
	Operational  Phase = Phase(twin.Operational)
)

// Config says which gateway to run.
type Config struct {
	ID       string // as gateways knows it, the same for all replicas; letters, digits, '-' and '_'
	Phase    Phase
	Protocol string // what it speaks, in metrics: "mqtt"

	// Listener takes TCP connections; without one, Addr ("127.0.0.1:8883") is listened on. TLS is put on top of either.
	Listener net.Listener
	Addr     string

	// TLS is the server's side; for Operational it must verify client certificates: where one is given, or always.
	TLS *tls.Config

	// Dir keeps the admissions for a restart while the bus is away, in a file named by the gateway's id. It is made if missing. Each replica has its own.
	Dir string

	Bus *bus.Bus

	// VerifierKey is what devices' secrets are verified with (device.Verifier). Without it an operational gateway takes
	// certificates only.
	VerifierKey []byte

	// Knocks lets clients that show nothing into a provisioning gateway, to knock and to hear the answer.
	Knocks bool

	// Tell brings to the platform whom the gateway lets in now; nil = it is published. A guest on the bus may publish nothing.
	Tell func(ctx context.Context, applied []api.GatewayApplied) error

	// Dismissed, if set, is told of clients that were removed: nothing is to be kept for them.
	Dismissed func(client string)

	// Lost, if set, counts messages to devices that were lost beside those that Session.Dropped counts.
	Lost func() uint64

	Limits Limits           // zero fields have defaults
	Now    func() time.Time // time.Now if nil
	Log    *slog.Logger     // slog.Default() if nil
}

// A Door is what a running gateway of any protocol stands on.
type Door struct {
	config   Config
	replica  string // tells this one from others of the same id
	log      *slog.Logger
	now      func() time.Time
	listener net.Listener
	guard    *guard
	knocks   *knocks
	sessions *sessions
	visiting singleflight.Group // first visits, by client
	admitted *configurator.Configurator
	count    counters

	arrivals chan *Conn // past the handshake
	shut     chan struct{}
	conns    sync.WaitGroup
	closing  atomic.Bool

	listens atomic.Bool // to the other replicas
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NewDoor opens the gateway's address and its admissions file. Nobody is served before Run.
func NewDoor(c Config) (*Door, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Limits = c.Limits.withDefaults(c.Phase)
	d := &Door{config: c, replica: newReplica(), log: trace.Logger(c.Log).With("gateway", c.ID), now: c.Now, listener: c.Listener,
		guard: newGuard(c.Limits), knocks: newKnocks(c.Limits), arrivals: make(chan *Conn), shut: make(chan struct{})}
	d.sessions = &sessions{byClient: make(map[string]*Session)}
	var err error
	d.admitted, err = configurator.New(configurator.Config{
		Gateway: api.Gateway{ID: c.ID, Phase: string(c.Phase)}, Bus: c.Bus, Target: (*target)(d), Tell: c.Tell, Dir: c.Dir, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	if d.listener == nil {
		if d.listener, err = net.Listen("tcp", c.Addr); err != nil {
			return nil, fmt.Errorf("gateway %s: %w", c.ID, err)
		}
	}
	return d, nil
}

func (c *Config) check() error {
	switch {
	case !idPattern.MatchString(c.ID):
		return fmt.Errorf("gateway id %.80q must be 1 to 64 letters, digits, '-' or '_'", c.ID)
	case c.Bus == nil || c.Dir == "" || c.Protocol == "":
		return fmt.Errorf("gateway %s needs a bus, a directory and a protocol", c.ID)
	case c.Phase != Provisioning && c.Phase != Operational:
		return fmt.Errorf("gateway %s: phase %q must be %s or %s", c.ID, c.Phase, Provisioning, Operational)
	case c.TLS == nil:
		return fmt.Errorf("gateway %s: devices are served on TLS only", c.ID)
	case c.Phase == Operational && (c.TLS.ClientAuth < tls.VerifyClientCertIfGiven || c.TLS.ClientCAs == nil):
		return fmt.Errorf("gateway %s: TLS must verify client certificates: ClientAuth VerifyClientCertIfGiven, and ClientCAs", c.ID)
	case c.Knocks && c.Phase != Provisioning:
		return fmt.Errorf("gateway %s: only a provisioning gateway may take knocks", c.ID)
	}
	return nil
}

// Config is what the door was made with, with defaults where nothing was said.
func (d *Door) Config() Config { return d.config }

// Addr is the address devices connect to.
func (d *Door) Addr() net.Addr { return d.listener.Addr() }

// Ready returns nil once everything that the bucket holds has been applied, and until the gateway stops.
func (d *Door) Ready() error {
	switch {
	case d.closing.Load():
		return fmt.Errorf("gateway %s is stopping", d.config.ID)
	case !d.admitted.Ready():
		return fmt.Errorf("gateway %s has not read from the bus yet whom it lets in", d.config.ID)
	}
	return nil
}

// Run serves until ctx ends. serve takes connections from l, whose TLS stands, until Accept fails; what it returns counts as an
// error only while ctx has not ended. Then no more messages are taken, those that are under way get a moment to be acknowledged,
// all sessions end, and stop must end the connections that are left. Run returns when all are closed.
func (d *Door) Run(ctx context.Context, serve func(l net.Listener) error, stop func()) error {
	d.log.Info("gateway listens", "address", d.Addr().String(), "phase", d.config.Phase, "protocol", d.config.Protocol)
	defer metrics.Watch(d.measure)()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(d.meet(work))
	background.Go(func() { d.admitted.Run(work) })
	background.Go(func() { d.expire(work) })
	background.Go(func() { d.accept(work) })
	served := make(chan error, 1)
	go func() { served <- serve(&arrivals{d}) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		err = errors.Join(fmt.Errorf("gateway %s serves no more", d.config.ID), err)
		served <- nil
	}
	d.closing.Store(true)
	_ = d.listener.Close()
	d.sessions.drain(d.config.Limits.Drain)
	cancel()
	d.sessions.cutAll(ErrStopping)
	close(d.shut)
	stop()
	d.guard.hall.clear(0)
	<-served
	background.Wait()
	d.conns.Wait()
	d.sessions.wait(d.config.Limits.Drain)
	d.log.Info("gateway stopped")
	return err
}

// Close gives the address back; for a door that is not run.
func (d *Door) Close() error { return d.listener.Close() }

// Sessions returns the sessions there are now, in no order.
func (d *Door) Sessions() []*Session { return d.sessions.all() }

// Session returns the client's session, once it has its number.
func (d *Door) Session(client string) (*Session, bool) { return d.sessions.get(client) }
