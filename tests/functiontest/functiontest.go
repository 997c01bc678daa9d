// Package functiontest runs some functions in one process for their own tests: a real store, a real bus, a real HTTP server
// in the place of the user gateway, and function users to sign tokens. It is not the platform: nothing is triggered by
// events or schedules here, tests call those operations themselves.
package functiontest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Functions names what runs, beside users: name → New.
type Functions map[string]func(*platform.Platform) faas.Func

// A World is the functions of one test.
type World struct {
	Base platform.Base
	URL  string

	// Folders are where store and bus keep their files, uncompressed: a test can look for what must not be there.
	Folders []string

	t    testing.TB
	nats *server.Server
	now  atomic.Pointer[time.Time]

	mu  sync.RWMutex
	fns map[string]faas.Func

	admin struct {
		sync.Mutex
		*api.Client
		since time.Time
	}
	parts struct {
		sync.Mutex
		of    map[[2]string]*api.Client // by part and gateway
		since time.Time
	}
}

// Admin is the first administrator, a maintainer.
const (
	Admin    = "admin"
	Password = "correct horse battery staple"
)

// New starts the functions. They stop when the test ends.
func New(t testing.TB, fs Functions) *World {
	t.Helper()
	w := &World{t: t, fns: map[string]faas.Func{}}
	gw := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(gw.Close)
	w.URL = gw.URL

	w.Folders = []string{t.TempDir(), t.TempDir()}
	disk := vfs.Default
	if _, measures := t.(*testing.B); !measures {
		disk = unsynced{disk}
	}
	db, err := embedded.Open(w.Folders[0], embedded.NoCompression(), embedded.WithFS(disk))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ns, err := server.NewServer(&server.Options{ServerName: "test", DontListen: true, JetStream: true, StoreDir: w.Folders[1], NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	ctx := context.Background()
	b, err := bus.Connect(ctx, "", bus.InProcess(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })

	w.nats = ns
	w.Base = platform.Base{DB: db, Bus: b, Gateway: w.URL, Provisioning: "tls://127.0.0.1:8884", Secrets: testSecrets(t), Now: w.Now,
		Log: slog.New(slog.NewTextHandler(logTo(t), nil)), AllowPrivateWebhooks: true, PasswordMemory: 64}
	w.Base.Drivers, w.Base.Bench = w.workers(platform.DriverWorkers), w.workers(platform.BenchWorkers)
	w.Add("users", users.New)
	for name, build := range fs {
		w.Add(name, build)
	}
	return w
}

// workers are a pool for payload drivers, with the time that the race detector takes, made when it is first asked for.
func (w *World) workers(n int) func() (*sandbox.Pool, error) {
	return sync.OnceValues(func() (*sandbox.Pool, error) {
		pool, err := sandbox.New(sandbox.Config{Workers: n, Megabytes: platform.DriverMegabytes, Limit: time.Second, Log: w.Base.Log})
		if err == nil {
			w.t.Cleanup(pool.Close)
		}
		return pool, err
	})
}

// Add starts a function, or a new instance of one that runs already.
func (w *World) Add(name string, build func(*platform.Platform) faas.Func) {
	w.run(w.Base, name, build)
}

func (w *World) run(b platform.Base, name string, build func(*platform.Platform) faas.Func) {
	p := platform.New(b, name, "")
	p.API.Retries = false // one replica runs of each: who calls again finds the same
	f := build(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fns[name] = f
}

// running are the instances that serve.
func (w *World) running() map[string]faas.Func {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return maps.Clone(w.fns)
}

func (w *World) serveBy(fns map[string]faas.Func) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fns = fns
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/function/"), "/")
	w.mu.RLock()
	f, ok := w.fns[name]
	w.mu.RUnlock()
	if !ok {
		http.Error(rw, "no function "+name, http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h := r.Header.Clone()
	h.Set(faas.HeaderPath, "/"+path)
	if h.Get("X-Call-Id") == "" {
		h.Set("X-Call-Id", rand.Text())
	}
	req := handler.Request{Body: body, Header: h, Method: r.Method, QueryString: r.URL.RawQuery, Host: r.Host}
	req.WithContext(r.Context())
	resp, err := f(req)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	for k, v := range resp.Header {
		rw.Header()[k] = v
	}
	rw.WriteHeader(resp.StatusCode)
	rw.Write(resp.Body)
}

// Now is the world's clock: the machine's until SetTime.
func (w *World) Now() time.Time {
	if t := w.now.Load(); t != nil {
		return *t
	}
	return time.Now()
}

// SetTime stops the world's clock at t.
func (w *World) SetTime(t time.Time) { w.now.Store(&t) }

// Part is a client that calls as a part of the platform: a function's name, "events", "connector" with its gateway. For a minute
// it is the same one, with its tokens: each that is made anew gets others.
func (w *World) Part(part, gateway string) *api.Client {
	w.parts.Lock()
	defer w.parts.Unlock()
	if d := w.Now().Sub(w.parts.since); w.parts.of == nil || d < 0 || d > time.Minute {
		w.parts.of, w.parts.since = map[[2]string]*api.Client{}, w.Now()
	}
	key := [2]string{part, gateway}
	if w.parts.of[key] == nil {
		c := platform.New(w.Base, part, gateway).API
		c.Retries = false // as in run: what has crashed is still so a moment later
		w.parts.of[key] = c
	}
	return w.parts.of[key]
}

// Platform is the platform as a part sees it, to look into stores and bus.
func (w *World) Platform(part string) *platform.Platform { return platform.New(w.Base, part, "") }

// Nobody is a client without a token.
func (w *World) Nobody() *api.Client { return &api.Client{URL: w.URL} }

// Admin is a client of the first administrator, who signs in anew when ten minutes have passed: signing in is made to be slow.
func (w *World) Admin() *api.Client {
	w.t.Helper()
	a := &w.admin
	a.Lock()
	defer a.Unlock()
	if d := w.Now().Sub(a.since); a.Client == nil || d < 0 || d > 10*time.Minute {
		a.Client, a.since = w.Login(Admin, Password), w.Now()
	}
	return a.Client
}

// Login is a client of a user.
func (w *World) Login(name, password string) *api.Client {
	w.t.Helper()
	tok, err := w.Nobody().Login(context.Background(), api.Login{Name: name, Password: password})
	if err != nil {
		w.t.Fatalf("login of %s: %v", name, err)
	}
	return Bearer(w.URL, tok.Access)
}

// Bearer is a client with a token.
func Bearer(url, token string) *api.Client {
	return &api.Client{URL: url, Authorize: func(context.Context, string) (string, error) { return "Bearer " + token, nil }}
}

// User makes a user with the roles in the groups, and returns a client of the user.
func (w *World) User(name string, roles []access.Role, groups ...string) *api.Client {
	w.t.Helper()
	admin := w.Admin()
	for _, g := range groups {
		// Several users may share a group.
		if _, err := admin.CreateGroup(context.Background(), api.Group{ID: g}); err != nil && !strings.Contains(err.Error(), "exists") {
			w.t.Fatal(err)
		}
	}
	if _, err := admin.CreateUser(context.Background(), api.NewUser{User: api.User{ID: name, Roles: roles, Groups: groups}, Password: Password}); err != nil {
		w.t.Fatal(err)
	}
	return w.Login(name, Password)
}

// Event hands events to a function, as connector events does.
func (w *World) Event(function string, events ...event.Event) error {
	return w.Part("events", "").Call(context.Background(), "POST", function, "/events", events, nil)
}

// Tick fires a function's schedule as planned for t.
func (w *World) Tick(function string, t time.Time) error {
	resp, err := w.Part("events", "").Do(context.Background(), "POST", function, "/schedule",
		http.Header{faas.HeaderPlanned: {t.UTC().Format(time.RFC3339Nano)}}, nil)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// Collect returns what is published on topics from now on, live, as it comes in.
func (w *World) Collect(topics ...event.Topic) func() []event.Event {
	w.t.Helper()
	var mu sync.Mutex
	var got []event.Event
	stop, err := w.Base.Bus.Watch(topics, func(e event.Event) { mu.Lock(); got = append(got, e); mu.Unlock() }, func() {})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(stop)
	return func() []event.Event { mu.Lock(); defer mu.Unlock(); return append([]event.Event(nil), got...) }
}

// Eventually polls ok for half a minute: a machine may be busy with other things.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if ok() {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("after 30 s it is still not so: %s", what)
}

func testSecrets(t testing.TB) platform.Secrets {
	random := func() []byte {
		b := make([]byte, 32)
		rand.Read(b)
		return []byte(base64.RawStdEncoding.EncodeToString(b))
	}
	cert, key, err := pki.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	has := map[string][]byte{platform.SecretParts: random(), platform.SecretSeal: random(), platform.SecretVerify: random(), platform.SecretCACert: cert, platform.SecretCAKey: key,
		platform.SecretAdmin: []byte(Password)}
	return func(name string) ([]byte, error) {
		if rest, ok := strings.CutPrefix(name, "castor-part-"); ok {
			part, gateway := rest, ""
			if g, ok := strings.CutPrefix(rest, "connector-"); ok {
				part, gateway = "connector", g
			}
			return []byte(platform.DerivePart(has[platform.SecretParts], part, gateway)), nil
		}
		if b, ok := has[name]; ok {
			return b, nil
		}
		return nil, fmt.Errorf("%w: %s", platform.ErrNoSecret, name)
	}
}

// logTo writes to the test's log until the test ends.
func logTo(t testing.TB) io.Writer {
	w := &testLog{t: t}
	t.Cleanup(func() { w.done.Store(true) })
	return w
}

type testLog struct {
	t    testing.TB
	done atomic.Bool
}

func (l *testLog) Write(b []byte) (int, error) {
	if !l.done.Load() && testing.Verbose() {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}
