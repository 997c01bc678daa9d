// Package cluster runs the platform as deployed functions for tests: every function is the program that its image has, in
// replicas picked at random per call; two event connectors; a provisioning gateway and two replicas of the operational one, and gateways for gRPC and HTTP;
// MongoDB, NATS and the object store behind links that can be cut. The user gateway repeats calls and kills replicas, as a
// seed says. It is no part of the product: compose and Kubernetes run the same programs.
package cluster

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/tests/images"
	"github.com/castor-iot/castor/tests/mongo"
)

// Config says what to run.
type Config struct {
	Dir        string // for everything; removed by who made it
	SMTP, From string

	// Replicas of each function; 2 if 0.
	Replicas int

	// Seed decides which calls are repeated and which replicas are killed; 0 takes CASTOR_SEED, or any.
	Seed uint64

	// Calm leaves calls and replicas alone.
	Calm bool
}

// A Cluster is a running platform.
type Cluster struct {
	URL      string // of the user gateway
	Password string // of the first administrator

	// Mongo, NATS and Objects are the ways to the stores. Operational is where devices connect, in front of Gateways.
	Mongo, NATS, Objects, Operational *Link

	// Secrets is the folder of all secrets, as castor init made it.
	Secrets string

	Functions    map[string][]*Replica
	Events       []*Process
	Streams      []*Process
	Provisioning *Process
	Gateways     []*Process // replicas of the operational gateway
	Others       []*Process // gateways for gRPC and HTTP

	t       testing.TB
	config  Config
	log     *os.File
	starter *starter
	byHost  map[string]*Replica
	streams []string // where Streams are
	chaos   *chaos
	calm    atomic.Bool
	watch   atomic.Pointer[func(Call)]
}

// A Replica is one process of a function.
type Replica struct {
	*Process
	Function string
	Host     string // address

	dying  sync.Mutex   // held while it is killed, and while a person's call begins
	people atomic.Int64 // calls of people under way
}

// crash kills the replica unless a person's call is under way, or another one than the caller's own: a person whose call was
// broken off could not know what came of it.
func (r *Replica) crash(own bool) bool {
	r.dying.Lock()
	defer r.dying.Unlock()
	if n := r.people.Load(); n > 1 || n == 1 && !own || !r.Running() {
		return false
	}
	r.Crash()
	return true
}

// spares tells whether another replica of the function takes calls: killing the last one would be an outage, which no caller
// can make up for.
func (c *Cluster) spares(r *Replica) bool {
	return slices.ContainsFunc(c.Functions[r.Function], func(other *Replica) bool {
		if other == r {
			return false
		}
		conn, err := net.DialTimeout("tcp", other.Host, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// forPerson counts a person's call at the replica, or at another one if that does not run.
func (c *Cluster) forPerson(r *Replica) *Replica {
	for try := uint64(0); ; try++ {
		r.dying.Lock()
		if r.Running() || try > 20 {
			r.people.Add(1)
			r.dying.Unlock()
			return r
		}
		r.dying.Unlock()
		r = c.anyOf(r.Function, try<<32)
		<-time.After(10 * time.Millisecond)
	}
}

// errGone is a call whose replica has ended: nobody can tell what came of it.
var errGone = errors.New("the replica has gone")

const (
	operationalID  = "operational-1"
	provisioningID = "provisioning-1"
)

// Start starts a platform, which ends with the test. When the test fails it says the seed that repeats it.
func Start(t testing.TB, config Config) *Cluster {
	t.Helper()
	config.complete(t)
	c := &Cluster{t: t, config: config, starter: newStarter(), Functions: map[string][]*Replica{}, byHost: map[string]*Replica{}}
	c.openLog()
	t.Cleanup(c.end)
	programs, err := build()
	c.must(err, "the programs")
	c.makeSecrets(programs)
	settings, objects := c.startStores()
	c.prepare(programs, settings, objects)
	c.startGateway()
	c.startAll()
	return c
}

func (config *Config) complete(t testing.TB) {
	if config.Replicas == 0 {
		config.Replicas = 2
	}
	if s := os.Getenv("CASTOR_SEED"); config.Seed == 0 && s != "" {
		var err error
		if config.Seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("CASTOR_SEED: %v", err)
		}
	}
	if config.Seed == 0 {
		config.Seed = rand.Uint64N(1 << 32)
	}
}

// openLog keeps what all processes say for a test that fails.
func (c *Cluster) openLog() {
	var err error
	c.log, err = os.CreateTemp("", "castor-cluster-*.log")
	c.must(err, "log")
	c.t.Cleanup(func() {
		c.log.Close()
		if !c.t.Failed() {
			os.Remove(c.log.Name())
			return
		}
		fmt.Fprintf(os.Stderr, "%s failed; CASTOR_SEED=%d repeats it, the log of all processes is %s\n", c.t.Name(), c.config.Seed, c.log.Name())
	})
}

// startStores starts NATS and the object store, finds the MongoDB of the tests, and returns how processes reach them, the
// object store apart: only some do.
func (c *Cluster) startStores() (settings, forObjects []string) {
	c.t.Helper()
	u, err := url.Parse(mongo.Start(c.t))
	c.must(err, "MongoDB's URL")
	c.Mongo = NewLink(c.t, u.Host)
	u.Host = c.Mongo.Addr

	nats, err := local.StartNATS(local.NATSConfig{Dir: filepath.Join(c.config.Dir, "nats"), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	c.must(err, "NATS")
	c.t.Cleanup(nats.Close)
	c.NATS = NewLink(c.t, strings.TrimPrefix(nats.URL(), "nats://"))
	c.secret("castor-nats-token", nats.Token())

	objects, err := local.StartObjects(local.ObjectsConfig{Dir: filepath.Join(c.config.Dir, "objects")})
	c.must(err, "object store")
	c.t.Cleanup(objects.Close)
	c.Objects = NewLink(c.t, objects.Config().Endpoint)
	c.secret("castor-s3-access", objects.Config().AccessKey)
	c.secret("castor-s3-secret", objects.Config().SecretKey)
	c.secret("castor-mongo-url", u.String())
	return []string{"CASTOR_NATS_URL=nats://" + c.NATS.Addr}, []string{"CASTOR_S3_ENDPOINT=" + c.Objects.Addr, "CASTOR_S3_BUCKET=" + objects.Config().Bucket}
}

// startGateway starts the user gateway in this process, with chaos on the way to the functions.
func (c *Cluster) startGateway() {
	c.t.Helper()
	stack, err := images.ReadStack(root())
	c.must(err, "stack.yml")
	var served []gateway.Function
	for name, f := range stack.Functions {
		var upstreams []string
		for _, r := range c.Functions[name] {
			upstreams = append(upstreams, "http://"+r.Host)
		}
		served = append(served, gateway.Function{Name: name, Image: "castor/" + name, Annotations: f.Annotations, Upstreams: upstreams})
	}
	token, err := os.ReadFile(filepath.Join(c.Secrets, "castor-nats-token"))
	c.must(err, "the bus's token")
	queue, err := bus.Connect(c.t.Context(), "nats://"+c.NATS.Addr, bus.Token(string(token)), bus.Logger(slog.New(slog.DiscardHandler)))
	c.must(err, "the bus")
	c.t.Cleanup(func() { queue.Close() })
	user, err := os.ReadFile(filepath.Join(c.Secrets, "basic-auth-user"))
	c.must(err, "who may manage functions")
	password, err := os.ReadFile(filepath.Join(c.Secrets, "basic-auth-password"))
	c.must(err, "who may manage functions")
	c.chaos = &chaos{cluster: c, next: gateway.NewTransport(), calls: map[string]uint64{}}
	h := gateway.New(gateway.Config{Functions: served, StreamUpstreams: c.streams, Queue: queue, Transport: c.chaos, Log: slog.New(slog.NewJSONHandler(c.log, nil)),
		Authenticate: func(_ context.Context, u, p string) bool {
			return u == strings.TrimSpace(string(user)) && subtle.ConstantTimeCompare([]byte(p), []byte(strings.TrimSpace(string(password)))) == 1
		}})
	l, err := net.Listen("tcp", strings.TrimPrefix(c.URL, "http://"))
	c.must(err, "the user gateway's address")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gateway.Serve(ctx, l, h, nil) }()
	c.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			c.t.Error(err)
		}
	})
}

// HTTP is a client for the user gateway.
func (c *Cluster) HTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
}

// Calm has calls and replicas left alone from now on, or no longer.
func (c *Cluster) Calm(on bool) { c.calm.Store(on) }

// Chaos tells how many calls were made twice, and how many replicas were killed.
func (c *Cluster) Chaos() (repeated, killed uint64) {
	return c.chaos.repeated.Load(), c.chaos.killed.Load()
}

// Restart stops every process by SIGTERM and starts it again. The stores and the user gateway stay.
func (c *Cluster) Restart() {
	c.t.Helper()
	var all sync.WaitGroup
	for _, p := range c.processes() {
		all.Go(func() {
			if err := p.Stop(); err != nil {
				c.t.Error(err)
			}
		})
	}
	all.Wait()
	c.startAll()
}

func (c *Cluster) startAll() {
	c.t.Helper()
	begin := time.Now()
	for _, p := range c.processes() {
		c.must(p.Start(), p.Name)
	}
	c.ready()
	c.t.Logf("%d processes are ready after %s", len(c.processes()), time.Since(begin).Round(time.Millisecond))
}

// ready waits until functions answer and the gateways listen.
func (c *Cluster) ready() {
	c.t.Helper()
	end := time.Now().Add(60 * time.Second)
	wait := func(what string, ok func() bool) {
		for !ok() {
			if time.Now().After(end) {
				c.t.Fatalf("the platform is not ready after a minute: %s", what)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	for _, r := range c.byHost {
		wait(r.Name, func() bool { return answers("http://" + r.Host + "/_/ready") })
	}
	for _, p := range append(append([]*Process{c.Provisioning}, c.Gateways...), slices.Concat(c.Others, c.Events, c.Streams)...) {
		wait(p.Name, func() bool { return answers("http://" + p.metrics + "/readyz") })
	}
}

func answers(url string) bool {
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (c *Cluster) anyOf(function string, dice uint64) *Replica {
	replicas := c.Functions[function]
	return replicas[int(dice>>32)%len(replicas)]
}

func (c *Cluster) processes() (all []*Process) {
	for _, rs := range c.Functions {
		for _, r := range rs {
			all = append(all, r.Process)
		}
	}
	if c.Provisioning != nil {
		all = append(all, c.Provisioning)
	}
	return slices.Concat(all, c.Gateways, c.Others, c.Events, c.Streams)
}

// PIDs are the processes that run, by name.
func (c *Cluster) PIDs() map[string]int {
	all := map[string]int{}
	for _, p := range c.processes() {
		if pid := p.pid(); pid != 0 {
			all[p.Name] = pid
		}
	}
	return all
}

func (c *Cluster) end() {
	if c.chaos != nil {
		repeated, killed := c.Chaos()
		c.t.Logf("seed %d: %d calls were made twice, %d replicas killed", c.config.Seed, repeated, killed)
	}
	for _, p := range c.processes() {
		p.Kill()
	}
}

func (c *Cluster) must(err error, what string) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}
