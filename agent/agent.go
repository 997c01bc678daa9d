// Package agent is the IoT device client (paper 4.6): it brings a device into the platform with a claim, then measures
// and reports. What is measured comes from a Source (package host has the machine's own metrics); what is measured while
// the platform cannot be reached is kept in a spool and sent, in order, when it can be. The agent decodes nothing, knows
// nothing of the platform's inside and listens on no port.
//
// The way of a device (the wire contract is ARCHITECTURE.md's): it makes a key that never leaves it, shows its claim at
// the provisioning gateway and asks for a certificate for that key, goes to the operational gateway with the certificate,
// confirms, and from then on needs no claim. A device that has no claim knocks there, and asks the same once people let it in.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/castor-iot/castor/agent/internal/disk"
	"github.com/castor-iot/castor/agent/spool"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Errors that end Run, or New.
var (
	// ErrRejected tells that the platform has refused to provision the device; the text has the platform's reason.
	ErrRejected = errors.New("provisioning was rejected")

	// ErrNoClaim tells that the device has not been provisioned and has no claim to ask with.
	ErrNoClaim = errors.New("the device is not provisioned and has no claim")

	// ErrInUse tells that another agent works in the directory.
	ErrInUse = errors.New("another agent is running")
)

// Config says who the device is and how its agent works.
type Config struct {
	// Dir holds key, bundle and spool; it is made if missing, for its owner only. "" keeps everything in memory, for
	// devices that are only played.
	Dir string

	// Claim is asked for a claim when the device has not been provisioned yet; see Claim and ClaimAt. nil = none.
	Claim ClaimSource

	// Knock is where a device without a claim makes itself known until people let it in; used if Claim is nil. nil = nowhere.
	Knock *Knock

	// Serial is what the device is known by. MAC and Model may be "", Facts nil.
	Serial string
	MAC    string
	Model  string
	Facts  map[string]string

	// Source measures, every Interval (0 = 5s). nil = only what Measure is told.
	Source   Source
	Interval time.Duration

	// Commands are what the platform may have the device do, by name, beside ping and (with a Source) measure, which
	// every agent can. nil = nothing else.
	Commands map[string]Handler

	// Progress is told of each phase as it is entered, one call at a time. It must not block. nil = nobody.
	Progress func(Progress)

	SpoolBytes int64 // bound of the spool; 0 = 64 MiB

	// Retry is the pause between attempts; it doubles from Min (0 = 1s) to Max (0 = 1m) and is varied at random.
	Retry Retry

	// AnswerTimeout is how long one answer is waited for: to a request, a confirmation, to messages (then the connection
	// is made anew and all that is unacknowledged is sent again). 0 = 30s.
	AnswerTimeout time.Duration

	// Dial opens TCP connections; nil = net.Dialer. TLS is the agent's own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Log *slog.Logger     // nil = none
	Now func() time.Time // nil = time.Now
}

// A Source returns what the device measures now, as nested objects of numbers, booleans and texts.
type Source func(ctx context.Context) (map[string]any, error)

// An Agent is one device's client. Its methods may be called by several goroutines.
type Agent struct {
	cfg   Config
	vault vault
	lock  io.Closer // nil in memory
	spool *spool.Spool
	deeds *deeds

	orders chan order           // commands to be carried out
	moves  chan api.GatewayMove // to other gateways
	tries  int                  // attempts to connect since the last session

	mu    sync.Mutex
	id    identity
	phase Progress
	sent  twin.Order // the newest message that was ever published
	again *backoff   // of asking for the next certificate

	operational chan struct{}
	once        sync.Once // closes operational
}

// New opens the device's directory. The caller closes the agent.
func New(cfg Config) (*Agent, error) {
	cfg.Interval = cmp.Or(cfg.Interval, 5*time.Second)
	cfg.AnswerTimeout = cmp.Or(cfg.AnswerTimeout, 30*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	who := device.Identity{Serial: cfg.Serial, MAC: cfg.MAC, Model: cfg.Model}
	if err := who.Normalise(); err != nil {
		return nil, err
	}
	cfg.Serial, cfg.MAC = who.Serial, who.MAC

	a := &Agent{cfg: cfg, vault: vault{dir: cfg.Dir}, operational: make(chan struct{}), orders: make(chan order, maxQueued), moves: make(chan api.GatewayMove, 1), again: cfg.Retry.start()}
	if err := a.open(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Agent) open() (err error) {
	spoolDir := ""
	if dir := a.cfg.Dir; dir != "" {
		if a.lock, err = a.vault.lock(); errors.Is(err, disk.ErrInUse) {
			return fmt.Errorf("%w in %s", ErrInUse, dir)
		} else if err != nil {
			return err
		}
		spoolDir = filepath.Join(dir, spoolName)
	}
	if a.id, err = loadIdentity(&a.vault, a.cfg.Log); err != nil {
		return err
	}
	if a.deeds, err = loadDeeds(&a.vault, a.cfg.Log); err != nil {
		return err
	}
	a.spool, err = spool.Open(spool.Options{Dir: spoolDir, MaxBytes: a.cfg.SpoolBytes, Now: a.cfg.Now, Log: a.cfg.Log})
	return err
}

// Close closes the directory; what is not acknowledged is sent after the next start. Call it when Run has returned.
func (a *Agent) Close() error {
	var errs []error
	if a.spool != nil {
		errs = append(errs, a.spool.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
		a.lock = nil
	}
	return errors.Join(errs...)
}

// Run provisions the device if it is not yet, then measures and reports until ctx ends, and returns nil. It returns
// ErrRejected or ErrNoClaim if the device cannot come in; what may pass (no network, an unknown certificate) it tries
// again for ever, telling Progress why it waits.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.provision(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		a.tell(Failed, err.Error())
		return err
	}
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() { a.obey(ctx) })
	if a.cfg.Source != nil {
		working.Go(func() { a.measure(ctx) })
	}
	a.operate(ctx)
	return nil
}

// Operational returns a channel that is closed when the device has been connected and confirmed for the first time since
// New.
func (a *Agent) Operational() <-chan struct{} { return a.operational }

// Identity tells as what the platform knows the device; both are "" before it is provisioned.
func (a *Agent) Identity() (device.Ref, twin.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.id.bundle == nil {
		return "", ""
	}
	return a.id.bundle.Ref, a.id.bundle.Twin
}
