package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	identity "github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
)

// calm are the types that are measured: they do nothing wrong.
var calm = [...]struct {
	name    string
	driver  *driver.Driver // nil = the wire contract
	payload []byte
}{
	{name: "without a driver", payload: []byte(`{"data":{"temperature":22,"humidity":50}}`)},
	{name: "declarative", payload: frame, driver: &driver.Driver{Name: "calm-document", Kind: driver.Declarative, Code: []byte(`
castor: 1
uplink:
  - name: measurement
    fields:
      - { name: temperature, type: i16, scale: 0.01, unit: Cel }
      - { name: humidity, type: u8, scale: 0.5, unit: "%" }
`)}},
	{name: "JavaScript", payload: frame, driver: &driver.Driver{Name: "calm-script", Kind: driver.JavaScript,
		Code: []byte(`function decodeUplink(i) { return {data: {temperature: (i.bytes[0] << 24 >> 16 | i.bytes[1]) / 100, humidity: i.bytes[2] / 2}}; }`)}},
}

var frame = []byte{8, 0x98, 100}

// A hostility is what a driver does with a message that bears its marker.
type hostility struct{ name, does string }

var hostilities = [...]hostility{
	{"loop for ever", "for (;;) {}"},
	{"take all memory", "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))"},
	{"stay in a built-in", "[].indexOf.call({length: 2 ** 53 - 1}, 1)"},
}

// busyCode computes for as many units as the message says, and has an answer.
const busyCode = `function decodeUplink(i) {
  let x = 0;
  for (let k = 0; k < (i.bytes[1] << 8 | i.bytes[2]) * 1e4; k++) x += k;
  return {data: {n: x}};
}`

const (
	busyName  = "busy"
	crowdName = "crowd"
)

func hostileName(i int) string { return fmt.Sprintf("hostile-%02d", i) }

// tenants are all devices of the platform.
type tenants struct {
	calm                 [len(calm)]*neighbours
	hostile, busy, crowd *neighbours
	cost                 time.Duration // of a unit of what a busy driver computes: the processor's time
}

// settleIn publishes what drivers there are from the beginning, and provisions the devices.
func (c *castor) settleIn(ctx context.Context) (*tenants, error) {
	t := &tenants{hostile: &neighbours{}}
	if _, err := c.admin.CreateGroup(ctx, api.Group{ID: "plant"}); err != nil {
		return nil, err
	}
	for i, k := range calm {
		d, err := k.driver, error(nil)
		if d != nil {
			d.Version, d.Tests = "1.0.0", []driver.Test{{Name: "warm", Call: driver.Call{Op: driver.DecodeUplink, Bytes: frame}, Want: driver.Want{Data: map[string]any{"temperature": 22, "humidity": 50}}}}
			err = c.publish(ctx, d)
		}
		if t.calm[i], err = c.arrive(ctx, err, fmt.Sprintf("calm-%d", i), d, 4); err != nil {
			return nil, err
		}
	}
	busy := &driver.Driver{Name: busyName, Version: "1.0.0", Kind: driver.JavaScript, Code: []byte(busyCode), Limit: time.Second, Tests: answers(0)}
	var err error
	if t.busy, err = c.arrive(ctx, c.publish(ctx, busy), busyName, busy, hostileTypes); err != nil {
		return nil, err
	}
	for i := range hostileTypes {
		n, err := c.arrive(ctx, nil, hostileName(i), &driver.Driver{Name: hostileName(i)}, 1)
		if err != nil {
			return nil, err
		}
		t.hostile.peers = append(t.hostile.peers, n.peers...)
	}
	crowd := armed(crowdName, "1.0.0", hostilities[0], 1)
	t.crowd, err = c.arrive(ctx, c.publish(ctx, crowd), crowdName, crowd, crowdOf)
	return t, err
}

// answers is a test that an answer satisfies, whatever it is, to a message that begins with the byte.
func answers(first byte) []driver.Test {
	return []driver.Test{{Name: "answers", Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{first, 0, 1}}}}
}

// armed is a driver that does its worst with messages that begin with the marker; it passes its tests with others.
func armed(name, version string, h hostility, marker byte) *driver.Driver {
	code := fmt.Sprintf("function decodeUplink(i) { if (i.bytes[0] === %d) { %s } return {data: {n: 1}}; }", marker, h.does)
	return &driver.Driver{Name: name, Version: version, Kind: driver.JavaScript, Code: []byte(code), Tests: answers(0)}
}

// arm gives the hostile types a new version each, so that no failure is counted against it yet.
func (c *castor) arm(ctx context.Context, h hostility, marker byte) error {
	for i := range hostileTypes {
		if err := c.publish(ctx, armed(hostileName(i), fmt.Sprintf("1.%d.0", marker), h, marker)); err != nil {
			return err
		}
	}
	return nil
}

// publish publishes a driver for all its devices.
func (c *castor) publish(ctx context.Context, d *driver.Driver) error {
	if _, err := c.admin.PublishDriver(ctx, api.PublishDriver{Driver: *d}); err != nil {
		return fmt.Errorf("driver %s: %w", d.Name, err)
	}
	_, err := c.admin.PromoteDriver(ctx, d.Name, d.Version)
	return err
}

// arrive makes a type whose payloads the driver reads, nil = none does, and provisions n devices of it. It returns err if that is not nil.
func (c *castor) arrive(ctx context.Context, err error, typ string, d *driver.Driver, n int) (*neighbours, error) {
	model := &twin.Model{}
	if d != nil {
		model.Driver = d.Name
	}
	if err != nil {
		return nil, err
	}
	return c.provision(ctx, typ, model, n)
}

// provision makes a type, and provisions n devices of it.
func (c *castor) provision(ctx context.Context, typ string, model *twin.Model, n int) (*neighbours, error) {
	_, err := c.admin.CreateTwin(ctx, api.NewTwin{ID: twin.ID(typ), Kind: twin.Type, Definition: twin.Definition{Model: model}})
	if err != nil {
		return nil, err
	}
	claim, err := c.admin.CreateClaim(ctx, api.NewClaim{Type: twin.TypeID(typ), Owner: "plant", MaxUses: int64(n), Serials: typ + "-*", Expires: twin.Duration(time.Hour)})
	if err != nil {
		return nil, err
	}
	dirs := func(i int) string { return filepath.Join(c.dir, "..", "devices", typ, fmt.Sprint(i)) }
	configs := make([]device.Config, n)
	for i := range configs {
		configs[i] = device.Config{Claim: claim, Serial: fmt.Sprintf("%s-%d", typ, i), Dir: dirs(i)}
		if _, err := c.admin.CreateIdentity(ctx, identity.Identity{Serial: configs[i].Serial}); err != nil {
			return nil, err
		}
	}
	all, err := device.StartAll(ctx, configs, 8, nil)
	if err != nil {
		return nil, err
	}
	out := &neighbours{peers: make([]peer, n)}
	errs := []error{device.CloseAll(all)}
	for i, d := range all {
		out.peers[i] = peer{ref: string(d.Ref()), twin: d.Twin()}
		errs = append(errs, out.peers[i].read(dirs(i)))
	}
	return out, errors.Join(errs...)
}

// workersUsed is the processor time of the platform's workers: of those that run, and of those that have ended.
func (c *castor) workersUsed() (sum time.Duration) {
	pid := c.cmd.Process.Pid
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				one, _ := used(child) // or it has just ended
				sum += one
			}
		}
	}
	ended, _ := usedByEnded(pid)
	return sum + ended
}
