package http

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// RelayConfig says whose devices a Relay brings.
type RelayConfig struct {
	Gateway api.Gateway // of somebody else's
	API     *api.Client
	Bus     *bus.Bus

	// Account is the service account that speaks for the gateway, Authenticate tells who a request shows to be.
	Account      string
	Authenticate func(context.Context, http.Header) (c access.Caller, shown http.Header, err error)

	// Admitted tells whether a device has its place at the gateway: what is said for others counts for nobody.
	Admitted func(client string) bool

	// Shown is what a device shows at the gateway, as far as can be known; nil = nothing is.
	Shown func(client string) api.Shown

	// Alive tells whether the gateway can be configured, before it is reported alive; nil = it is while the relay runs.
	Alive func(ctx context.Context) error

	// Ending is closed when the process is about to end: polls are answered then, so that requests end soon. nil = they wait.
	Ending <-chan struct{}

	Silence time.Duration // without a call, after which the gateway's devices have gone: 90 s if 0
	Link    link.Limits   // zero fields have defaults
	Drivers *sandbox.Pool // as link.Config's
	Now     func() time.Time
	Log     *slog.Logger
}

// A Relay is the connector for a gateway that is not the platform's own and brings the messages of its devices itself, over HTTPS: in
// batches up, by polls down (docs/gateways.md). The gateway has let the devices in.
type Relay struct {
	config RelayConfig
	link   *link.Link
	limits Limits
	log    *slog.Logger
	places chan struct{} // of requests under way
	down   *link.Mailbox[downlink]

	numbers link.Numbers

	mu      sync.Mutex
	devices map[device.Ref]*relayed
	listens bool // a poll is open
	heard   time.Time
}

// Bounds of one request, and of what waits for the gateway.
const (
	maxRelayed     = 4 << 20 // bytes of a batch
	maxReports     = 1000    // in it
	maxRelays      = 32      // requests at a time
	maxDownlinks   = 10_000
	maxDownlinkAll = 32 << 20 // bytes
)

// sweepEvery is how soon it is seen that a device has no place any more.
const sweepEvery = 250 * time.Millisecond

// NewRelay makes the relay. It serves requests by ServeHTTP while Run runs.
func NewRelay(c RelayConfig) (*Relay, error) {
	if c.Account == "" || c.Authenticate == nil || c.Admitted == nil {
		return nil, errors.New("a relay needs the service account that speaks for its gateway, and whom the gateway lets in")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	or(&c.Silence, 90*time.Second)
	r := &Relay{config: c, limits: Limits{Body: maxRelayed}.withDefaults(""), log: trace.Logger(c.Log).With("gateway", c.Gateway.ID), places: make(chan struct{}, maxRelays),
		down: link.NewMailbox[downlink](maxDownlinks, maxDownlinkAll), devices: make(map[device.Ref]*relayed), heard: c.Now()}
	var err error
	r.link, err = link.New(link.Config{Gateway: c.Gateway, API: c.API, Bus: c.Bus, Protocol: r, Drivers: c.Drivers, Alive: c.Alive, Limits: c.Link, Now: c.Now, Log: c.Log})
	return r, err
}

// Run works until ctx ends; what was taken by then is still brought to the platform. Requests should have ended before.
func (r *Relay) Run(ctx context.Context) error {
	return r.link.Around(ctx, func(ctx context.Context) error {
		tick := time.NewTicker(max(min(r.config.Silence/6, sweepEvery), time.Millisecond))
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-tick.C:
				r.sweep(false)
			case <-ctx.Done():
			}
		}
		r.sweep(true)
		return nil
	})
}

// A downlink is something for a device of the gateway.
type downlink struct {
	Client string `json:"client"`
	message
}

// Stored does nothing: the answer to a report says what is stored.
func (r *Relay) Stored(*link.Session, twin.Order) {}

// Answer is for provisioning gateways, which this is none of.
func (r *Relay) Answer(*link.Claimant, api.ProvisionAnswer) {}

// Command has a command go down by the gateway's poll.
func (r *Relay) Command(s *link.Session, d link.Down) error {
	if err := d.Own(); err != nil {
		return err
	}
	return r.send(string(s.Ref), "command/"+d.ID, d.Payload, true)
}

// Deliver has a message of the platform go down to a device that has its place here.
func (r *Relay) Deliver(d bus.Downlink) {
	name, own := strings.CutPrefix(d.Topic, "castor/"+d.Device+"/")
	if !own || !r.config.Admitted(d.Device) {
		return
	}
	if err := r.send(d.Device, name, d.Payload, false); err != nil {
		r.log.WarnContext(trace.With(context.Background(), d.Trace), "message to a device was not delivered", "device", d.Device, "topic", d.Topic, "id", d.ID, "error", err)
	}
}

func (r *Relay) send(client, name string, payload []byte, command bool) error {
	return r.down.Put(downlink{client, messageOf(name, payload)}, len(payload), command)
}

// Listen has commands come for all devices of the gateway: a poll is open.
func (r *Relay) Listen() { r.each(true, (*link.Session).Listen) }

// Mute ends that.
func (r *Relay) Mute() { r.each(false, (*link.Session).Mute) }

func (r *Relay) each(listens bool, do func(*link.Session)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listens = listens
	for _, d := range r.devices {
		if d.session != nil {
			do(d.session)
		}
	}
}

// Waiting is how many commands wait for devices of the gateway.
func (r *Relay) Waiting() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.devices {
		if d.session != nil {
			n += d.session.Waiting()
		}
	}
	return n
}

// relayedKinds are the kinds of messages, and where their topics have the word.
var relayedKinds = map[string]struct {
	kind          telemetry.Kind
	before, after string
	word          bool
}{
	"telemetry": {telemetry.Telemetry, "telemetry", "", false},
	"state":     {telemetry.State, "state/reported", "", false},
	"event":     {telemetry.Event, "event", "", false},
	"log":       {telemetry.Log, "log/", "", true},
	"response":  {telemetry.Response, "command/", "/response", true},
}

// messageOf is a message of the platform as JSON has it.
func messageOf(name string, payload []byte) message {
	if json.Valid(payload) {
		return message{Name: name, Body: json.RawMessage(payload)}
	}
	return message{Name: name, Raw: payload}
}
