package up

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/functions"
	"github.com/castor-iot/castor/infra/gateway"
	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/store/mongo"
	"github.com/castor-iot/castor/shared/trace"
	"gopkg.in/natefinch/lumberjack.v2"
)

// A Castor is a running platform.
type Castor struct {
	config Config
	dir    *dataDir
	ca     *pki.CA
	base   platform.Base
	logs   *gateway.Logs

	// URL is the user gateway's. Provisioning and Operational are what devices dial that speak MQTT: "tls://host:port".
	URL          string
	Provisioning string
	Operational  string

	// Devices is what devices dial, by the gateway's id.
	Devices map[string]string

	// Password is the first administrator's, until it has been shown (see Shown); "" on later starts.
	Password string

	nats     string // where other processes reach the bus; "" = nowhere
	gateways []*runningGateway
	machine  *machine

	counting *api.Client // calls as this process
	counted  time.Time
	messages int64 // at counted

	stopServing context.CancelFunc
	running     sync.WaitGroup
	closers     []func() error
	failed      chan error
}

// Start starts the platform and returns when it is ready for people and devices. An error has stopped everything again.
func Start(ctx context.Context, config Config) (*Castor, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	c := &Castor{config: config, failed: make(chan error, 8), logs: gateway.NewLogs()}
	var serving context.Context
	serving, c.stopServing = context.WithCancel(context.WithoutCancel(ctx))
	for _, phase := range []struct {
		name  string
		start func(ctx, serving context.Context) (string, error)
	}{
		{"data", c.openData},
		{"bus", c.startBus},
		{"store", c.openStore},
		{"objects", c.startObjects},
		{"functions", c.startFunctions},
		{"triggers", c.startTriggers},
		{"gateways", c.startGateways},
	} {
		begin := time.Now()
		detail, err := phase.start(ctx, serving)
		if err != nil {
			config.Tell(Phase{Name: phase.name, Err: err})
			return nil, errors.Join(err, c.Stop())
		}
		config.Tell(Phase{Name: phase.name, Detail: detail, Took: time.Since(begin)})
	}
	if err := c.dir.writeAddresses(Addresses{URL: c.URL, NATS: c.nats}); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if !config.NoAgent {
		if err := c.startMachine(serving); err != nil {
			return nil, errors.Join(fmt.Errorf("this machine as a device: %w", err), c.Stop())
		}
	}
	return c, nil
}

// Failed yields an error when a part of the platform ends by itself.
func (c *Castor) Failed() <-chan error { return c.failed }

// Stop ends everything in the reverse order of starting: devices first, so that nothing is taken that could not be kept.
func (c *Castor) Stop() error {
	if c.machine != nil {
		c.machine.stop()
	}
	for _, g := range c.gateways {
		g.stop()
	}
	c.stopServing()
	if c.base.HTTP != nil {
		c.base.HTTP.CloseIdleConnections() // the server waits 5 s for connections that were opened and not used yet
	}
	c.running.Wait()
	var errs []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		errs = append(errs, c.closers[i]())
	}
	c.closers = nil
	return errors.Join(errs...)
}

// run has part work until serving ends; a part that ends before that is a failure of the platform.
func (c *Castor) run(serving context.Context, name string, part func(context.Context) error) {
	c.running.Go(func() {
		err := part(serving)
		if serving.Err() == nil {
			select {
			case c.failed <- fmt.Errorf("%s ended: %w", name, err):
			default:
			}
		}
	})
}

func (c *Castor) onClose(f func() error) { c.closers = append(c.closers, f) }

func (c *Castor) openData(_, _ context.Context) (string, error) {
	var err error
	if c.dir, err = openDir(c.config.Dir); err != nil {
		return "", err
	}
	c.onClose(c.dir.close)
	if err := c.dir.makeSecrets(c.config.Now()); err != nil {
		return "", err
	}
	secrets, err := c.dir.secrets()
	if err != nil {
		return "", err
	}
	cert, err1 := secrets(platform.SecretCACert)
	key, err2 := secrets(platform.SecretCAKey)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	if c.ca, err = pki.LoadCA(cert, key); err != nil {
		return "", fmt.Errorf("%s: %w", c.dir.sub(keysDir), err)
	}
	if password, err := secrets(platform.SecretAdmin); err == nil {
		c.Password = string(password)
	}
	sink := c.config.Log
	if sink == nil {
		file := &lumberjack.Logger{Filename: c.dir.sub("castor.log"), MaxSize: 50, MaxBackups: 3}
		c.onClose(file.Close)
		sink = slog.NewJSONHandler(file, &slog.HandlerOptions{Level: c.config.LogLevel})
	}
	c.base = platform.Base{Secrets: secrets, Now: c.config.Now, Log: trace.Logger(slog.New(slog.NewMultiHandler(sink, c.logs))),
		Mail: platform.Mail{URL: c.config.SMTP, From: c.config.From}, AllowPrivateWebhooks: c.config.PrivateWebhooks || loopback(c.config.Listen)}
	if c.dir.new {
		return "new platform in " + c.dir.path, nil
	}
	return c.dir.path, nil
}

func (c *Castor) startBus(ctx, serving context.Context) (string, error) {
	parts, err := c.base.Secrets(platform.SecretParts)
	if err != nil {
		return "", err
	}
	nats, err := local.StartNATS(local.NATSConfig{Dir: c.dir.sub("nats"), Listen: c.config.NATS, Log: c.base.Log,
		Guests: func(user, password string) (bus.Scope, bool) { return guest(parts, user, password) }})
	if err != nil {
		return "", inUse(err, "nats", c.config.NATS)
	}
	c.onClose(func() error { nats.Close(); return nil })
	if c.base.Bus, err = nats.Connect(ctx, bus.Logger(c.base.Log)); err != nil {
		return "", err
	}
	c.onClose(c.base.Bus.Close)
	c.nats = nats.URL()
	c.run(serving, "the bus", c.watchBus)
	if c.config.NATS != "" {
		return "NATS JetStream at " + c.nats, nil
	}
	return "NATS JetStream, files synced", nil
}

func (c *Castor) openStore(ctx, _ context.Context) (string, error) {
	var err error
	if c.config.MongoURL != "" {
		c.base.DB, err = mongo.Open(ctx, c.config.MongoURL)
		if errors.Is(err, mongo.ErrNoAnswer) {
			err = fmt.Errorf("%w: start it, or leave --mongo out", err)
		}
	} else {
		c.base.DB, err = embedded.Open(c.dir.sub("store"))
	}
	if err != nil {
		return "", err
	}
	c.onClose(c.base.DB.Close)
	return c.base.DB.Name(), nil
}

func (c *Castor) startObjects(ctx, _ context.Context) (string, error) {
	objects, err := local.StartObjects(local.ObjectsConfig{Dir: c.dir.sub("objects"), Listen: c.config.Objects})
	if err != nil {
		return "", inUse(err, "objects", c.config.Objects)
	}
	c.onClose(func() error { objects.Close(); return nil })
	config := objects.Config()
	// Signed URLs name the host that people and devices reach this machine by, if they reach the store at all.
	if _, port, err := net.SplitHostPort(config.Endpoint); err == nil && !loopback(config.Endpoint) {
		config.Public = net.JoinHostPort(c.config.Hosts[0], port)
	}
	if c.base.Objects, err = artifact.Open(ctx, config); err != nil {
		return "", err
	}
	if config.Public != "" {
		return "S3 at " + config.Public, nil
	}
	return "S3 at " + config.Endpoint, nil
}

func (c *Castor) startFunctions(_, serving context.Context) (string, error) {
	l, err := listen("listen", c.config.Listen)
	if err != nil {
		return "", err
	}
	config, err := c.userTLS()
	if err != nil {
		l.Close()
		return "", err
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
		// Parts in this process call through the same door as everybody; they trust the certificate it shows.
		c.base.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64,
			TLSClientConfig: &tls.Config{RootCAs: c.trust(config), ServerName: c.serverName(config), MinVersion: tls.VersionTLS12}}}
	} else {
		c.base.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	host, _, _ := net.SplitHostPort(c.config.Listen)
	c.base.Gateway = scheme + "://" + net.JoinHostPort(reachable(host), port)
	c.URL = c.base.Gateway
	// Claims name the provisioning gateway, so its address must be known before functions are made.
	if err := c.listenGateways(); err != nil {
		l.Close()
		return "", err
	}
	var served []gateway.Function
	for _, f := range functions.All {
		served = append(served, gateway.Function{Name: f.Name, Image: "castor/" + f.Name + ":built-in",
			Annotations: annotations(f), Invoke: f.New(platform.New(c.base, f.Name, ""))})
	}
	changes, err := c.startStream(serving)
	if err != nil {
		l.Close()
		return "", err
	}
	h := gateway.New(gateway.Config{Functions: served, Stream: changes, Queue: c.base.Bus, Authenticate: c.maintainer, Metrics: metrics.Handler(), SecretsDir: c.dir.sub(secretsDir),
		Logs: c.logs, Release: "castor up", Log: c.base.Log, Now: c.config.Now})
	c.run(serving, "the user gateway", func(ctx context.Context) error { return gateway.Serve(ctx, l, h, config) })
	return fmt.Sprintf("%d behind %s/function/", len(served), c.URL), nil
}

func annotations(f functions.Function) map[string]string {
	a := map[string]string{}
	for k, v := range map[string]string{"topic": f.Topics, "schedule": f.Schedule, "castor.capabilities": f.Capabilities} {
		if v != "" {
			a[k] = v
		}
	}
	return a
}

// HTTP is a client that trusts the user gateway.
func (c *Castor) HTTP() *http.Client { return c.base.HTTP }
