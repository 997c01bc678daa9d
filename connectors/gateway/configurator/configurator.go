// Package configurator is the configurator of an IoT gateway (paper 4.10), whatever the gateway is. It keeps in step with the
// gateway's bucket, in which function gateways puts whom the gateway lets in, tells the gateway of every change, and the
// platform of what the gateway has taken over.
//
// A gateway is a Target. Those of the platform's own live in the same process (package gateway); mosquitto and gateways of
// somebody else's are told by their own means. Package configuratortest is the suite that all of them pass.
package configurator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
)

// A Target is how one gateway is told whom it lets in. All its methods may be called again with the same, and while the gateway
// is away they return errors. They are called one after the other, unless it is a Wide.
type Target interface {
	// Apply lets the client in by what the admission says, and by nothing else: sessions that were begun by another credential
	// end, others go on. It returns when the gateway acts by it. An error that is ErrLost is the last word on this change; any
	// other has Apply called again.
	Apply(ctx context.Context, a api.Admission) error

	// Remove ends the client's sessions and lets it in no more. That it is not known does not matter.
	Remove(ctx context.Context, client string) error

	// List names the clients that the gateway lets in, of those that were applied by this contract.
	List(ctx context.Context) ([]string, error)

	// State returns a word that changes when the gateway has lost what it was told; an error while it cannot be reached.
	State(ctx context.Context) (epoch string, err error)
}

// A Wide is a Target whose Apply and Remove may be called for several clients at a time, each for another one: it answers late, and to many
// as late as to one.
type Wide interface {
	Width() int
}

// A Keeper is a Target that alone has the secrets of some clients, and keeps them while those are suspended. Of others a suspended client is
// removed.
type Keeper interface {
	// Suspend does what Remove does, but that an Apply that follows needs no more than was known before.
	Suspend(ctx context.Context, a api.Admission) error
}

// A Separator is a Target that keeps devices apart whose firmware has topics of its own (api.Admission.Topics). Others do not let them in:
// two devices that call themselves alike would hear each other.
type Separator interface {
	OwnTopics()
}

// A Counter is a Target that can tell how many devices are connected.
type Counter interface {
	Sessions(ctx context.Context) (int64, error)
}

// ErrLost is what Apply returns, wrapped into a text for people, where the gateway cannot let a client in: it would need a
// secret that nobody has any more.
var ErrLost = errors.New("must be issued anew")

// errTopics is told of a device whose firmware has topics of its own, where the target is no Separator.
var errTopics = fmt.Errorf("%w: this gateway does not keep devices apart that have topics of their own; one of the platform's does", ErrLost)

// Config says which gateway is configured.
type Config struct {
	// Gateway is what function gateways is to know of it. ID and Phase are needed.
	Gateway api.Gateway

	// API, if set, is told that the gateway is alive while its State says so.
	API *api.Client

	Bus    *bus.Bus
	Target Target

	// Tell brings to the platform what the target has taken over; nil = it is published. A guest on the bus may publish nothing.
	Tell func(ctx context.Context, applied []api.GatewayApplied) error

	// Dir keeps what was applied, in a file named by the gateway's id. It is made if missing.
	Dir string

	Call      time.Duration    // the longest call of the target: 10 s if 0
	Backoff   time.Duration    // the longest pause between attempts: 5 s if 0
	Reconcile time.Duration    // how often the target is compared with the bucket: 5 min if 0
	Heartbeat time.Duration    // 15 s if 0
	Now       func() time.Time // time.Now if nil
	Log       *slog.Logger     // slog.Default() if nil
}

// A Configurator keeps one gateway in step with its bucket.
type Configurator struct {
	config  Config
	log     *slog.Logger
	book    *book
	changed chan struct{} // there is something to be brought to the target
	applied chan struct{} // there is something to be told
	all     atomic.Bool   // the target is to be compared with the book now

	bucket   atomic.Pointer[bus.Bucket]
	looking  chan struct{} // places for looks into the bucket
	position atomic.Uint64 // the revision that the bucket has told last
	told     atomic.Bool   // everything that belongs into the bucket has been told
}

// New opens the file. Nothing is applied before Run.
func New(c Config) (*Configurator, error) {
	if c.Gateway.ID == "" || c.Gateway.Phase == "" || c.Bus == nil || c.Target == nil || c.Dir == "" {
		return nil, errors.New("a configurator needs a gateway's id and phase, a bus, a target and a directory")
	}
	or(&c.Call, 10*time.Second)
	or(&c.Backoff, 5*time.Second)
	or(&c.Reconcile, 5*time.Minute)
	or(&c.Heartbeat, 15*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.Gateway.ID, err)
	}
	k := &Configurator{config: c, log: trace.Logger(c.Log).With("gateway", c.Gateway.ID), changed: make(chan struct{}, 1), applied: make(chan struct{}, 1),
		looking: make(chan struct{}, maxLooks)}
	var err error
	if k.book, err = openBook(filepath.Join(c.Dir, c.Gateway.ID+".json"), k.log); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.Gateway.ID, err)
	}
	return k, nil
}

func or(v *time.Duration, otherwise time.Duration) {
	if *v == 0 {
		*v = otherwise
	}
}

// Run works until ctx ends.
func (k *Configurator) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { k.watch(ctx) })
	all.Go(func() { k.bring(ctx) })
	all.Go(func() { k.tell(ctx) })
	if k.config.API != nil {
		all.Go(func() { k.beat(ctx) })
	}
	all.Wait()
	if _, err := k.book.save(); err != nil { // what was removed in the last moment must stay out after a restart
		k.log.Error("gateway stops with changes that are not in its file", "error", err)
	}
}

// Ready tells whether everything that the bucket holds is known.
func (k *Configurator) Ready() bool { return k.told.Load() }

// Get returns what the client is let in by, as far as known.
func (k *Configurator) Get(client string) (api.Admission, bool) {
	a, ok := k.book.get(client)
	if a.Suspended() {
		return api.Admission{}, false
	}
	return a.Admission, ok
}

// Named is the client that has this user name; "" if none.
func (k *Configurator) Named(user string) string { return k.book.named(user) }

// Clients are those that are let in.
func (k *Configurator) Clients() []string { return k.book.clients() }

// Number is how many there are.
func (k *Configurator) Number() int { return k.book.number() }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
