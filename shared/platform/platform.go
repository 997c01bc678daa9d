package platform

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// Base is what all parts in one process may share.
type Base struct {
	DB      *store.DB
	Bus     *bus.Bus
	Objects *artifact.Store // nil where a part needs none

	// Gateway is the user gateway's URL, HTTP the client that reaches it (nil = http.DefaultClient).
	Gateway string
	HTTP    *http.Client

	// Provisioning is the URL that claims tell devices to dial: "tls://host:8884".
	Provisioning string

	// Gateways are the URLs of all provisioning gateways, by what they speak: "mqtt", "grpc", "http".
	Gateways map[string]string

	Secrets Secrets
	Mail    Mail
	Now     func() time.Time // nil = time.Now
	Log     *slog.Logger     // nil = slog.Default()

	// AllowPrivateWebhooks lets webhooks go to loopback and private addresses. Off unless the operator says so, because a
	// webhook is an owner's way to make the platform call an address.
	AllowPrivateWebhooks bool

	// Drivers are the workers in which functions run payload drivers; nil = this process's own, few and small, made when they are
	// first needed. The workers are this program started anew: its main calls sandbox.Work where sandbox.Worker says so.
	Drivers func() (*sandbox.Pool, error)

	// Bench are those for what people try, apart, so that it holds up nothing else; nil as with Drivers.
	Bench func() (*sandbox.Pool, error)

	// PasswordMemory is how much memory hashing a password takes, in KiB; 0 = what users says is safe. Tests of other things take
	// less: most of their time went there.
	PasswordMemory uint32
}

// What functions run payload drivers with: their tests, the bench, messages that are read again. What devices send is decoded in
// connectors. The memory limit of function drivers holds all of them, which tests/deploy sees to.
const (
	DriverWorkers   = 3
	BenchWorkers    = 1 // of function drivers, beside: for what people try
	DriverMegabytes = 256
)

// Mail is how e-mail goes out.
type Mail struct {
	// URL is "smtp://user@host:port" or "smtps://…"; "" = no e-mail. The password is secret SecretSMTP.
	URL  string
	From string // sender's address
}

// A Platform is a Base as one part sees it, with the part's own name and rights.
type Platform struct {
	Base
	Part string
	API  *api.Client

	tokens *tokens
	keys   *keys
	grants *grants

	collections []func() error // what Ready opens
}

// New makes the platform for the part of that name: a function's, or "connector" and "events". gateway is set for connectors only.
func New(b Base, part, gateway string) *Platform {
	if b.Now == nil {
		b.Now = time.Now
	}
	if b.Log == nil {
		b.Log = slog.Default()
	}
	b.Log = trace.Logger(b.Log)
	if b.Drivers == nil {
		b.Drivers = pool(DriverWorkers, b.Log)
	}
	if b.Bench == nil {
		b.Bench = pool(BenchWorkers, b.Log)
	}
	p := &Platform{Base: b, Part: part}
	plain := &api.Client{URL: b.Gateway, HTTP: b.HTTP, Retries: true}
	p.tokens = &tokens{api: plain, secrets: b.Secrets, part: part, gateway: gateway, now: p.Time}
	p.keys = &keys{fetch: plain.Keys, now: p.Time}
	p.grants = newGrants(b.DB, b.Bus, p.Time)
	p.API = &api.Client{URL: b.Gateway, HTTP: b.HTTP, Authorize: p.tokens.authorize, Renew: p.tokens.renew, Retries: true}
	asker := *p.API
	r := &services{now: p.Now, ask: func(ctx context.Context, cursor string) (api.Page[api.Advertisement], error) {
		return asker.ListServices(ctx, api.ServiceQuery{Kind: "function", Cursor: cursor})
	}}
	p.API.Route = r.of
	return p
}

// pool makes workers for payload drivers when they are first asked for.
func pool(workers int, log *slog.Logger) func() (*sandbox.Pool, error) {
	return sync.OnceValues(func() (*sandbox.Pool, error) {
		return sandbox.New(sandbox.Config{Workers: workers, Megabytes: DriverMegabytes, Log: log})
	})
}

// Name is the part's name.
func (p *Platform) Name() string { return p.Part }

// Logger is where the part logs.
func (p *Platform) Logger() *slog.Logger { return p.Log }

// Time is now, in UTC, cut to the milliseconds that every store keeps.
func (p *Platform) Time() time.Time { return p.Now().UTC().Truncate(time.Millisecond) }

// Problem turns an error into the answer it stands for.
func (p *Platform) Problem(err error) *api.Problem { return api.ProblemOf(translate(err)) }

// translate says errors of the stores in the words of package api, whose table knows their statuses.
func translate(err error) error {
	for _, t := range []struct{ from, to error }{
		{store.ErrNotFound, api.ErrNotFound},
		{store.ErrExists, api.ErrExists},
		{store.ErrConflict, api.ErrConflict},
		{store.ErrInvalid, twin.ErrInvalid},
		{store.ErrTooBroad, twin.ErrInvalid},
		{store.ErrTooLarge, api.ErrTooLarge},
		{store.ErrUnavailable, api.ErrUnavailable},
		{bus.ErrUnavailable, api.ErrUnavailable},
		{ErrNoSecret, api.ErrUnavailable},   // the operator will bring it
		{bus.ErrClosed, api.ErrUnavailable}, // this process is going down; another will answer
		{context.DeadlineExceeded, api.ErrUnavailable},
		{context.Canceled, api.ErrUnavailable},
	} {
		if errors.Is(err, t.from) && !errors.Is(err, t.to) {
			return fmt.Errorf("%w: %w", t.to, err)
		}
	}
	return err
}

// NewID makes an id that nobody has: prefix, a dash and 16 random hexadecimal digits.
func NewID(prefix string) string {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return prefix + "-" + hex.EncodeToString(b[:])
}

// May returns nil if the caller may use right on o, the object that people call what ("twin"). One who may not even read it
// is told that there is none, in the same words as if there were none.
func (p *Platform) May(ctx context.Context, c access.Caller, right access.Right, o access.Object, what string) error {
	grants, err := p.Grants(ctx, c)
	if err != nil {
		return err
	}
	d := access.Decide(c, right, o, grants)
	if d.Allowed {
		return nil
	}
	if right == access.Write && access.Decide(c, access.Read, o, grants).Allowed {
		return fmt.Errorf("%w: you may read %s, not change it; somebody who may write it can grant you that", access.ErrDenied, strings.Replace(o.Name, ":", " ", 1))
	}
	_, id, _ := strings.Cut(o.Name, ":")
	return NotFound(what, id)
}

// NotFound is the error for an object that is not there, or that the caller may not know of.
func NotFound(what, id string) error {
	return &api.Problem{Title: "Not found", Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no %s %q", what, id)}
}

// Grants returns the grants made to the caller (and, for a call on someone's behalf, to that user), at most 5 s old.
func (p *Platform) Grants(ctx context.Context, c access.Caller) ([]access.Grant, error) {
	subjects := c.Subjects()
	if c.For != nil {
		subjects = append(subjects, c.For.Subjects()...)
	}
	if c.Kind == access.Part && c.For == nil || c.Is(access.Maintainer) {
		return nil, nil
	}
	return p.grants.of(ctx, subjects)
}

// Visible is the scope of twins the caller may read.
func (p *Platform) Visible(ctx context.Context, c access.Caller) (access.Scope, error) {
	grants, err := p.Grants(ctx, c)
	if err != nil {
		return access.Scope{}, err
	}
	return access.Visible(c, grants), nil
}

// MayCall tells whether a service account was granted this function.
func (p *Platform) MayCall(ctx context.Context, c access.Caller, r access.Right) bool {
	grants, err := p.Grants(ctx, c)
	return err == nil && access.Decide(c, r, access.Object{Name: "service:" + p.Part}, grants).Allowed
}
