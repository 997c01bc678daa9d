package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	identity "github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

// A castor is `castor up` as a process of its own.
type castor struct {
	dir      string
	url      string
	password string
	admin    *api.Client
	cmd      *exec.Cmd
	took     time.Duration // to be ready

	operational  string // where devices that have come in connect, over MQTT
	provisioning string // where new ones do
	profiles     string // where it serves its profiles
}

var passwordShown = regexp.MustCompile(`password (\S+)`)

// up starts the platform in dir, on ports of its own, and returns when it is ready.
// args are more of its flags.
func (b *bench) up(ctx context.Context, dir, password string, args ...string) (*castor, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	c := &castor{dir: dir, password: password}
	var addresses []string
	for range 4 {
		address, err := free()
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	c.url, c.provisioning, c.operational = "http://"+addresses[0], addresses[1], addresses[2]
	c.cmd = exec.CommandContext(ctx, b.castor, append([]string{"up", "--data", dir, "--no-agent", "--listen", addresses[0],
		"--provisioning", addresses[1], "--operational", addresses[2], "--provisioning-grpc", "127.0.0.1:0", "--operational-grpc", "127.0.0.1:0",
		"--provisioning-http", "127.0.0.1:0", "--operational-http", "127.0.0.1:0"}, args...)...)
	c.cmd.Stderr = os.Stderr
	c.profiles = addresses[3]
	c.cmd.Env = append(os.Environ(), "NO_COLOR=1", "CASTOR_PPROF="+c.profiles)
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for ready := false; !ready; {
		if !lines.Scan() {
			return nil, fmt.Errorf("castor up ended: %w", c.cmd.Wait())
		}
		if m := passwordShown.FindStringSubmatch(lines.Text()); m != nil {
			c.password = m[1]
		}
		ready = strings.Contains(lines.Text(), "Ctrl-C stops")
	}
	c.took = time.Since(begin)
	go func() {
		for lines.Scan() { // what it says later must not block it
		}
	}()
	return c, c.login(ctx)
}

func (c *castor) login(ctx context.Context) error {
	anyone := &api.Client{URL: c.url}
	token, err := anyone.Login(ctx, api.Login{Name: "admin", Password: c.password})
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	c.admin = &api.Client{URL: c.url, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
		Authorize: func(context.Context, string) (string, error) { return "Bearer " + token.Access, nil }}
	return nil
}

// stop ends the platform; a second time does nothing.
func (c *castor) stop() error {
	if c.cmd.ProcessState != nil {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	return c.cmd.Wait()
}

// calls are how often a function was called.
func (c *castor) calls(ctx context.Context, function string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", c.url+"/system/function/"+function, nil)
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth("admin", c.password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var f struct {
		InvocationCount float64 `json:"invocationCount"`
	}
	return f.InvocationCount, json.NewDecoder(resp.Body).Decode(&f)
}

const model = "load"

// perClaim is how many devices share a claim. A gateway takes 20 requests of one claim per second, after the first 100: with one
// for all that would be what is measured.
const perClaim = 50

// enrol makes a type, n identities and claims for them.
func (c *castor) enrol(ctx context.Context, prefix string, n int, dirs func(i int) string) ([]device.Config, error) {
	_, err := c.admin.CreateTwin(ctx, api.NewTwin{ID: model, Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{
		Properties: []twin.Property{{Name: "rpm", Unit: "/min"}, {Name: "temperature", Unit: "Cel"}}}}})
	if err != nil && !errors.Is(err, api.ErrExists) {
		return nil, err
	}
	if _, err = c.admin.CreateGroup(ctx, api.Group{ID: "plant"}); err != nil && !errors.Is(err, api.ErrExists) {
		return nil, err
	}
	configs := make([]device.Config, n)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	var claim api.ClaimFile
	for i := range configs {
		if i%perClaim == 0 {
			claim, err = c.admin.CreateClaim(ctx, api.NewClaim{Type: model, Owner: "plant", MaxUses: perClaim, Serials: prefix + "-*", Expires: twin.Duration(time.Hour)})
			if err != nil {
				return nil, err
			}
		}
		configs[i] = device.Config{Claim: claim, Serial: fmt.Sprintf("%s-%04d", prefix, i)}
		if dirs != nil {
			configs[i].Dir = dirs(i)
		}
		g.Go(func() error {
			_, err := c.admin.CreateIdentity(gctx, identity.Identity{Serial: configs[i].Serial})
			return err
		})
	}
	return configs, g.Wait()
}

// A peer is a provisioned device without its agent.
type peer struct {
	ref    string
	twin   twin.ID
	tls    *tls.Config
	addr   string
	secret string // that it shows; "" = its certificate
}

// peers provisions n devices, switches their agents off, and returns what one needs to connect as them.
func (c *castor) peers(ctx context.Context, n int) ([]peer, error) {
	dirs := func(i int) string { return filepath.Join(c.dir, "..", "devices", fmt.Sprint(i)) }
	configs, err := c.enrol(ctx, "P", n, dirs)
	if err != nil {
		return nil, err
	}
	all, err := device.StartAll(ctx, configs, 8, nil)
	if err != nil {
		return nil, err
	}
	peers := make([]peer, n)
	for i, d := range all {
		peers[i] = peer{ref: string(d.Ref()), twin: d.Twin()}
	}
	if err := device.CloseAll(all); err != nil {
		return nil, err
	}
	for i := range peers {
		if err := peers[i].read(dirs(i)); err != nil {
			return nil, err
		}
	}
	return peers, nil
}

func (p *peer) read(dir string) error {
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		return err
	}
	var kept struct{ Bundle api.Bundle }
	if err := json.Unmarshal(data, &kept); err != nil {
		return err
	}
	cert, err := tls.X509KeyPair([]byte(kept.Bundle.Certificate), key)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(kept.Bundle.CA))
	p.addr = strings.TrimPrefix(kept.Bundle.Gateway, "tls://")
	p.tls = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	return nil
}
