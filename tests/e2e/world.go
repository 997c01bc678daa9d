package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/host"
	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/cluster"
	"github.com/castor-iot/castor/tests/contract"
)

// A World is one platform with the people of one story.
type World struct {
	*testing.T
	Config  Settings
	Castor  *up.Castor       // nil where the platform is no part of this process
	Cluster *cluster.Cluster // nil where it is not many processes
	URL     string           // of the user gateway
	HTTP    *http.Client
	Admin   *api.Client

	password string
	ahead    atomic.Int64 // how far the platform's clock is ahead, in nanoseconds
	mu       sync.Mutex
	owners   map[string]bool
}

// Settings are how the platform of a story is started.
type Settings struct {
	up.Config

	// Processes has every part be processes of its own, see package cluster; of Config, mail and this machine as a device count.
	Processes bool
}

// Option changes how the platform of a story is started.
type Option func(*Settings)

// NewWorld starts a platform on free ports, without this machine as a device. It stops when the test ends.
func NewWorld(t *testing.T, options ...Option) *World {
	t.Helper()
	w := &World{T: t, owners: map[string]bool{}}
	w.Config.Config = up.Config{Dir: t.TempDir(), NoAgent: true, Now: w.Now}
	for _, o := range options {
		o(&w.Config)
	}
	if w.Config.Processes {
		w.startCluster()
		return w
	}
	w.Config.Listen, w.Config.Provisioning, w.Config.Operational = "127.0.0.1:0", cluster.FreePort(t), cluster.FreePort(t)
	w.Config.ProvisioningGRPC, w.Config.OperationalGRPC, w.Config.ProvisioningHTTP, w.Config.OperationalHTTP = cluster.FreePort(t), cluster.FreePort(t), cluster.FreePort(t), cluster.FreePort(t)
	if w.Config.Log == nil {
		w.Config.Log = slog.NewJSONHandler(logFile(t), nil)
	}
	t.Cleanup(func() {
		if w.Castor == nil {
			return
		}
		if err := w.Castor.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	w.start()
	return w
}

func (w *World) start() {
	w.Helper()
	var err error
	if w.Castor, err = up.Start(w.Context(), w.Config.Config); err != nil {
		w.Fatalf("start: %v", err)
	}
	if w.password == "" {
		w.password = w.Castor.Password
	}
	if err := w.Castor.Shown(); err != nil {
		w.Fatal(err)
	}
	w.URL, w.HTTP = w.Castor.URL, w.Castor.HTTP()
	w.Admin = w.Login("admin", w.password)
}

// startCluster starts the platform as processes, and this machine's agent as castor up would.
func (w *World) startCluster() {
	w.Helper()
	w.Cluster = cluster.Start(w.T, cluster.Config{Dir: w.Config.Dir, SMTP: w.Config.SMTP, From: w.Config.From})
	w.URL, w.HTTP, w.password = w.Cluster.URL, w.Cluster.HTTP(), w.Cluster.Password
	w.Admin = w.Login("admin", w.password)
	if w.Config.NoAgent {
		return
	}
	serial, err := host.Serial(w.Context())
	w.must(err, "this machine's serial")
	who := device.Identity{Serial: serial, MAC: host.MAC(), Model: host.Model(), Type: "host"}
	claim, err := up.ClaimHost(w.Context(), w.Admin, who, w.Config.Interval, "")
	w.must(err, "this machine's claim")
	a, err := agent.New(agent.Config{Dir: w.TempDir(), Claim: func(context.Context) (api.ClaimFile, error) { return claim, nil }, Serial: who.Serial, MAC: who.MAC,
		Model: who.Model, Source: host.New().Measure, Interval: w.Config.Interval, Log: slog.New(slog.DiscardHandler)})
	w.must(err, "this machine's agent")
	ctx, stop := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, a.Close()); err != nil {
			w.Errorf("this machine's agent: %v", err)
		}
	})
}

// In is the same platform for a part of the story that may run beside others.
func (w *World) In(t *testing.T) *World {
	return &World{T: t, Config: w.Config, Castor: w.Castor, Cluster: w.Cluster, URL: w.URL, HTTP: w.HTTP, Admin: w.Admin, password: w.password, owners: map[string]bool{}}
}

// Now is the platform's clock.
func (w *World) Now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// Soon is how long something lasts that shall be over after Later: processes have the machine's clock, which does not jump.
func (w *World) Soon(d time.Duration) time.Duration {
	if w.Cluster != nil {
		return time.Second
	}
	return d
}

// Later has the platform's clock go ahead; with many processes it waits until what lasts Soon is over.
func (w *World) Later(d time.Duration) {
	if w.Cluster != nil {
		<-time.After(1500 * time.Millisecond)
		return
	}
	w.ahead.Add(int64(d))
}

// keys is the folder of the platform's own secrets.
func (w *World) keys() string {
	if w.Cluster != nil {
		return w.Cluster.Secrets
	}
	return filepath.Join(w.Config.Dir, "keys")
}

// Restart stops the platform and starts it again on the same data.
func (w *World) Restart() {
	w.Helper()
	if w.Cluster != nil {
		w.Cluster.Restart()
		return
	}
	if err := w.Castor.Stop(); err != nil {
		w.Fatalf("stop: %v", err)
	}
	w.start()
}

// Client is somebody's way in; token "" = nobody.
func (w *World) Client(token string) *api.Client {
	w.Helper()
	doc, err := contract.Load()
	if err != nil {
		w.Fatalf("functions/openapi.yaml: %v", err)
	}
	c := &api.Client{URL: w.URL, HTTP: &http.Client{Transport: doc.Transport(w, w.HTTP.Transport)}}
	if token != "" {
		c.Authorize = func(context.Context, string) (string, error) { return "Bearer " + token, nil }
	}
	return c
}

// Login signs somebody in.
func (w *World) Login(name, password string) *api.Client {
	w.Helper()
	tok, err := w.Client("").Login(w.Context(), api.Login{Name: name, Password: password})
	if err != nil {
		w.Fatalf("login of %s: %v", name, err)
	}
	return w.Client(tok.Access)
}

const password = "a password of these stories"

// User makes somebody with roles, in groups that are made too, and signs in.
func (w *World) User(name string, roles []access.Role, groups ...string) *api.Client {
	w.Helper()
	for _, g := range groups {
		w.Group(g)
	}
	_, err := w.Admin.CreateUser(w.Context(), api.NewUser{User: api.User{ID: name, Roles: roles, Groups: groups}, Password: password})
	w.must(err, "user "+name)
	return w.Login(name, password)
}

// Owner is a device owner of a group of the same name.
func (w *World) Owner(group string) *api.Client {
	w.Helper()
	return w.User(group+"-owner", []access.Role{access.Owner}, group)
}

// Group makes a group if there is none.
func (w *World) Group(id string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owners[id] {
		return
	}
	_, err := w.Admin.CreateGroup(w.Context(), api.Group{ID: id})
	if !errors.Is(err, api.ErrExists) {
		w.must(err, "group "+id)
	}
	w.owners[id] = true
}

// Type makes a device type whose instances are provisioned automatically.
func (w *World) Type(id twin.TypeID, change ...func(*twin.Model)) {
	w.Helper()
	m := &twin.Model{Properties: []twin.Property{{Name: "rpm", Unit: "/min"}, {Name: "temperature", Unit: "Cel"}}}
	for _, c := range change {
		c(m)
	}
	_, err := w.Admin.CreateTwin(w.Context(), api.NewTwin{ID: id, Kind: twin.Type, Definition: twin.Definition{Model: m}})
	w.must(err, "type "+string(id))
}

// Identity makes the platform know a device's serial.
func (w *World) Identity(serial string) {
	w.Helper()
	_, err := w.Admin.CreateIdentity(w.Context(), device.Identity{Serial: serial})
	w.must(err, "identity "+serial)
}

// Claim makes a claim for devices of a type that will belong to a group.
func (w *World) Claim(t twin.TypeID, owner string, change ...func(*api.NewClaim)) api.ClaimFile {
	w.Helper()
	w.Group(owner)
	in := api.NewClaim{Type: t, Owner: owner, MaxUses: 10}
	for _, c := range change {
		c(&in)
	}
	claim, err := w.Admin.CreateClaim(w.Context(), in)
	w.must(err, "claim")
	return claim
}

// Rule watches a twin, type or aggregate.
func (w *World) Rule(target twin.ID, condition string, s monitor.Severity) monitor.Rule {
	w.Helper()
	c, err := monitor.ParseCondition(condition)
	w.must(err, "condition")
	r, err := w.Admin.CreateRule(w.Context(), api.NewRule{Target: target, Condition: c, Severity: s})
	w.must(err, "rule")
	return r
}

// Twin reads a twin as the administrator.
func (w *World) Twin(id twin.ID) twin.Twin {
	w.Helper()
	t, err := w.Admin.GetTwin(w.Context(), id)
	w.must(err, "twin "+string(id))
	return t
}

// Runs are the provisioning runs of a twin, newest first.
func (w *World) Runs(id twin.ID) []string {
	w.Helper()
	p, err := w.Admin.ListRuns(w.Context(), api.RunQuery{Twin: id})
	w.must(err, "runs")
	var all []string
	for _, r := range p.Items {
		all = append(all, r.ID)
	}
	return all
}

// History is everything that history has of a property of a twin, oldest first.
func (w *World) History(id twin.ID, property string) (all []api.Record) {
	w.Helper()
	q := api.HistoryQuery{Twin: id, Property: property, From: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC), Limit: 10_000}
	for {
		p, err := w.Admin.History(w.Context(), q)
		w.must(err, "history")
		all = append(all, p.Items...)
		if q.Cursor = p.Next; q.Cursor == "" {
			return all
		}
	}
}

// Alarms are a twin's alarms, newest first.
func (w *World) Alarms(id twin.ID) (all []api.Alarm) {
	w.Helper()
	for q := (api.AlarmQuery{Twin: id, Limit: 1000}); ; {
		p, err := w.Admin.ListAlarms(w.Context(), q)
		w.must(err, "alarms")
		all = append(all, p.Items...)
		if q.Cursor = p.Next; q.Cursor == "" {
			return all
		}
	}
}

// Eventually polls until ok, for a minute: a machine may be busy with other things.
func (w *World) Eventually(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if ok() {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	w.Fatalf("after a minute it is still not so: %s", what)
}

func (w *World) must(err error, what string) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// logFile keeps the platform's log for a story that fails.
func logFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp("", "castor-e2e-*.log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		if t.Failed() {
			fmt.Fprintf(os.Stderr, "%s failed; the platform's log: %s\n", t.Name(), f.Name())
		} else {
			os.Remove(f.Name())
		}
	})
	return f
}
