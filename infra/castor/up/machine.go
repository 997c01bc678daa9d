package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/host"
	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// What the first start sets up for this machine. People may change all of it afterwards.
const (
	hostType  = twin.TypeID("host")
	hostGroup = "operators"
)

// ThisMachine names the phases of this machine on its way in; they go on when Start has returned.
const ThisMachine = "this machine"

// A machine is the agent that makes this machine a device, as on any other machine: it has a claim file and the gateways'
// addresses, nothing else of this process.
type machine struct {
	cancel context.CancelFunc
	done   chan struct{}
	agent  *agent.Agent
}

func (m *machine) stop() {
	m.cancel()
	<-m.done
}

// startMachine sets up what this machine needs to come in, on the first start, and starts its agent.
func (c *Castor) startMachine(serving context.Context) error {
	serial, err := host.Serial(serving)
	if err != nil {
		return err
	}
	who := device.Identity{Serial: serial, MAC: host.MAC(), Model: host.Model(), Type: string(hostType)}
	claim := c.dir.sub("agent", "claim.json")
	if _, err := os.Stat(claim); errors.Is(err, os.ErrNotExist) && c.Password != "" {
		ctx, cancel := context.WithTimeout(serving, 30*time.Second)
		defer cancel()
		begin := time.Now()
		if err := c.prepare(ctx, claim, who); err != nil {
			return err
		}
		c.config.Tell(Phase{Name: "first device", Detail: fmt.Sprintf("type %s, serial %s and a claim for it are made", hostType, who.Serial), Took: time.Since(begin)})
	}
	a, err := agent.New(agent.Config{Dir: c.dir.sub("agent"), Claim: claimAt(claim), Serial: who.Serial, MAC: who.MAC, Model: who.Model,
		Facts: host.Facts(serving, c.config.Version), Source: host.New().Measure, Interval: c.config.Interval, Log: c.base.Log, Now: c.config.Now,
		Progress: func(p agent.Progress) { c.config.Tell(Phase{Name: ThisMachine, Detail: describe(p)}) }})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(serving)
	m := &machine{cancel: cancel, done: make(chan struct{}), agent: a}
	c.machine = m
	go func() {
		defer close(m.done)
		if err := errors.Join(a.Run(ctx), a.Close()); err != nil {
			c.config.Tell(Phase{Name: ThisMachine, Err: err, Detail: err.Error()})
		}
	}()
	return nil
}

// claimAt is the claim file that the first start made, with what to do when it has gone.
func claimAt(file string) agent.ClaimSource {
	return func(ctx context.Context) (api.ClaimFile, error) {
		claim, err := agent.ClaimAt(file)(ctx)
		if errors.Is(err, os.ErrNotExist) {
			return claim, fmt.Errorf("this machine has lost its certificate and its claim: let it come in anew with `castor run reset RUN \"lost its key\"` (castor run list names the run) and `castor claim create %s --owner %s --file %s`, then start again", hostType, hostGroup, file)
		}
		return claim, err
	}
}

func describe(p agent.Progress) string {
	if p.Detail == "" {
		return string(p.Phase)
	}
	return string(p.Phase) + ": " + p.Detail
}

// prepare makes, as the first administrator, what this machine's claim stands on, and writes the claim file.
func (c *Castor) prepare(ctx context.Context, claimFile string, who device.Identity) error {
	anyone := &api.Client{URL: c.base.Gateway, HTTP: c.base.HTTP}
	token, err := anyone.Login(ctx, api.Login{Name: "admin", Password: c.Password})
	if err != nil {
		return fmt.Errorf("the first administrator: %w", err)
	}
	admin := &api.Client{URL: c.base.Gateway, HTTP: c.base.HTTP, Authorize: func(context.Context, string) (string, error) { return "Bearer " + token.Access, nil }}
	claim, err := ClaimHost(ctx, admin, who, c.config.Interval, c.config.Region)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(claim, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir.sub("agent"), 0o700); err != nil {
		return err
	}
	return secrets.Dir(filepath.Dir(claimFile)).Replace(filepath.Base(claimFile), b)
}

// ClaimHost makes what a computer that runs castor-agent comes in with: type host with its rules and configuration, the
// group operators, the computer's identity, and a claim for it. What is there already stays as it is.
func ClaimHost(ctx context.Context, admin *api.Client, who device.Identity, interval time.Duration, region string) (api.ClaimFile, error) {
	var claim api.ClaimFile
	k, err := readKit()
	if err != nil {
		return claim, err
	}
	k.Template.Parameters["interval"] = interval.String()
	made := func(err error) error {
		if errors.Is(err, api.ErrExists) {
			return nil
		}
		return err
	}
	_, err = admin.CreateGroup(ctx, api.Group{ID: hostGroup, Name: "Operators of this platform"})
	if err = made(err); err != nil {
		return claim, err
	}
	if _, err = admin.PutTemplate(ctx, k.Template); err != nil {
		return claim, err
	}
	_, err = admin.CreateTwin(ctx, k.Type)
	if err = made(err); err != nil {
		return claim, err
	}
	for _, r := range k.Rules {
		_, err = admin.CreateRule(ctx, r)
		if err = made(err); err != nil {
			return claim, err
		}
	}
	_, err = admin.CreateIdentity(ctx, who)
	if err = made(err); err != nil {
		return claim, err
	}
	return admin.CreateClaim(ctx, api.NewClaim{Type: hostType, Owner: hostGroup, Serials: who.Serial,
		Location: &twin.Location{Region: region, Site: "this machine"}})
}

// Shown tells that the first administrator's password has been shown. Its file is removed: from now on only its hash is kept.
func (c *Castor) Shown() error {
	err := os.Remove(c.dir.sub(keysDir, platform.SecretAdmin))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
