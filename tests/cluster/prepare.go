package cluster

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/tests/images"
	"github.com/castor-iot/castor/tests/ports"
)

// programs are the files of what was built.
type programs struct {
	functions         map[string]string
	castor, connector string
}

// build builds every program, once per test binary.
var build = sync.OnceValues(func() (p programs, err error) {
	if p.castor, p.connector, err = own(); err == nil {
		p.functions, err = images.BuildAll(built)
	}
	return p, err
})

// own is castor and castor-connector, built once per test binary, with what their image is built with: then nothing is compiled
// twice.
func own() (castor, connector string, err error) {
	dir, err := buildOwn()
	return filepath.Join(dir, "castor"), filepath.Join(dir, "castor-connector"), err
}

var buildOwn = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "castor-programs-*"); err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/", "./infra/castor", "./connectors/castor-connector")
	cmd.Dir, cmd.Env = root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// Castor returns the castor program, built once per test binary.
func Castor() (file string, err error) {
	file, _, err = own()
	return file, err
}

// Connector returns the castor-connector program, built once per test binary.
func Connector() (file string, err error) {
	_, file, err = own()
	return file, err
}

var built string

// Clean removes the programs; for TestMain.
func Clean() {
	if built != "" {
		os.RemoveAll(built)
	}
}

func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..")
}

// makeSecrets has `castor init` make all secrets, as an operator would.
func (c *Cluster) makeSecrets(p programs) {
	c.t.Helper()
	c.Secrets = filepath.Join(c.config.Dir, "secrets")
	out, err := exec.Command(p.castor, "init", c.Secrets, "--host", "127.0.0.1", "--host", "localhost",
		"--gateway", operationalID, "--gateway", provisioningID, "--gateway", "provisioning-grpc-1", "--gateway", "operational-grpc-1",
		"--gateway", "provisioning-http-1", "--gateway", "operational-http-1").CombinedOutput()
	if err != nil {
		c.t.Fatalf("castor init: %v\n%s", err, out)
	}
	password, err := os.ReadFile(filepath.Join(c.Secrets, "castor-admin"))
	c.must(err, "the first administrator")
	c.Password = strings.TrimSpace(string(password))
}

// secret puts a secret in that castor init cannot know.
func (c *Cluster) secret(name, value string) {
	c.t.Helper()
	c.must(os.WriteFile(filepath.Join(c.Secrets, name), []byte(value), 0o600), name)
}

// mount makes a folder with some secrets, those that a process is given and no others.
func (c *Cluster) mount(process string, names ...string) string {
	c.t.Helper()
	dir := filepath.Join(c.config.Dir, "mounts", process)
	c.must(os.MkdirAll(dir, 0o700), "secrets of "+process)
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(c.Secrets, name))
		if os.IsNotExist(err) && name == "castor-smtp" {
			continue
		}
		c.must(err, "secret "+name+" of "+process)
		c.must(os.WriteFile(filepath.Join(dir, name), b, 0o600), name)
	}
	return dir
}

// prepare says what runs, where, and with which settings.
func (c *Cluster) prepare(p programs, settings, objects []string) {
	c.t.Helper()
	stack, err := images.ReadStack(root())
	c.must(err, "stack.yml")
	gatewayAddr := FreePort(c.t)
	c.URL = "http://" + gatewayAddr
	settings = append(settings, "CASTOR_GATEWAY_URL="+c.URL)

	var operational []string
	for range 2 {
		operational = append(operational, FreePort(c.t))
	}
	c.Operational = NewLink(c.t, operational...)
	provisioning := FreePort(c.t)
	others := []*other{{protocol: "grpc", scheme: "grpcs"}, {protocol: "http", scheme: "https"}}
	dialled := []string{"tls://" + provisioning}
	for _, o := range others {
		o.provisioning, o.operational = FreePort(c.t), FreePort(c.t)
		dialled = append(dialled, o.scheme+"://"+o.provisioning)
	}

	names := slices.Sorted(maps.Keys(stack.Functions))
	for _, name := range names {
		secrets, settings := c.mount(name, stack.Functions[name].Secrets...), settings
		if slices.Contains(stack.Functions[name].Secrets, "castor-s3-secret") {
			settings = append(slices.Clone(settings), objects...)
		}
		for i := range c.config.Replicas {
			r := &Replica{Function: name, Host: FreePort(c.t)}
			r.Process = c.process(fmt.Sprintf("%s/%d", name, i+1), p.functions[name], nil, append(slices.Clone(settings), "CASTOR_LISTEN="+r.Host, "CASTOR_SECRETS="+secrets,
				"CASTOR_PROVISIONING="+strings.Join(dialled, ","), "CASTOR_SMTP_URL="+c.config.SMTP, "CASTOR_SMTP_FROM="+c.config.From, "CASTOR_WEBHOOKS=private"))
			c.Functions[name] = append(c.Functions[name], r)
			c.byHost[r.Host] = r
		}
	}
	secrets := c.mount("events", "castor-part-events", "castor-nats-token", "basic-auth-user", "basic-auth-password")
	for i := range 2 {
		c.Events = append(c.Events, c.process(fmt.Sprintf("events/%d", i+1), p.connector, []string{"events"}, append(settings, "CASTOR_SECRETS="+secrets)))
	}
	secrets = c.mount("stream", "castor-part-stream", "castor-nats-token")
	for i := range 2 {
		listen := FreePort(c.t)
		c.Streams = append(c.Streams, c.process(fmt.Sprintf("stream/%d", i+1), p.connector, []string{"stream"}, append(slices.Clone(settings), "CASTOR_SECRETS="+secrets, "CASTOR_LISTEN="+listen)))
		c.streams = append(c.streams, "http://"+listen)
	}
	gateway := func(protocol, name, id, phase, listen, public string) *Process {
		given := []string{"castor-part-connector-" + id, "castor-nats-token", "castor-gateway-cert", "castor-gateway-key"}
		if phase == "operational" {
			given = append(given, "castor-ca", "castor-verifier")
		}
		secrets := c.mount(name, given...)
		env := append(slices.Clone(settings), "CASTOR_CALLBACKS=private") // only gateways that call network servers look at it
		return c.process(name, p.connector, []string{protocol}, append(env, "CASTOR_SECRETS="+secrets, "CASTOR_GATEWAY_ID="+id, "CASTOR_GATEWAY_PHASE="+phase,
			"CASTOR_LISTEN="+listen, "CASTOR_PUBLIC_URL="+public, "CASTOR_DIR="+filepath.Join(c.config.Dir, "gateways", name)))
	}
	c.Provisioning = gateway("mqtt", "provisioning", provisioningID, "provisioning", provisioning, "tls://"+provisioning)
	for i, listen := range operational {
		c.Gateways = append(c.Gateways, gateway("mqtt", fmt.Sprintf("operational-%d", i+1), operationalID, "operational", listen, "tls://"+c.Operational.Addr))
	}
	for _, o := range others {
		for phase, listen := range map[string]string{"provisioning": o.provisioning, "operational": o.operational} {
			id := phase + "-" + o.protocol + "-1"
			c.Others = append(c.Others, gateway(o.protocol, id, id, phase, listen, o.scheme+"://"+listen))
		}
	}
}

// An other is a protocol beside MQTT, and where its gateways listen.
type other struct{ protocol, scheme, provisioning, operational string }

// process describes a program, which has its settings from the environment and nothing else of this one.
func (c *Cluster) process(name, file string, args, env []string) *Process {
	metrics := FreePort(c.t)
	return &Process{Name: name, cluster: c, file: file, args: args, metrics: metrics, env: append(slices.Clone(env), "CASTOR_METRICS="+metrics)}
}

// FreePort is an address that nobody listens at: a process shall have its address again each time it is started.
func FreePort(t testing.TB) string { return ports.Free(t) }
