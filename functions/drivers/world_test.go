package drivers_test

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/contract"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

// The workers of the tests' drivers are the test program itself.
func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// A world has the function, an object store, and people of the groups press and paint.
type world struct {
	*functiontest.World
	t     *testing.T
	admin *api.Client
	press *api.Client // a developer
	paint *api.Client // a configurator

	meanwhile atomic.Pointer[func()] // what happens once a driver is about to be run
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: functiontest.New(t, nil), t: t}
	w.Base.Objects = objecttest.Start(t)
	workers := w.Base.Drivers
	w.Base.Drivers = func() (*sandbox.Pool, error) {
		if happen := w.meanwhile.Swap(nil); happen != nil {
			(*happen)()
		}
		return workers()
	}
	w.Add("drivers", drivers.New)
	w.Add("twins", twins.New)
	w.admin = w.checked(w.Admin())
	w.press = w.checked(w.User("dev", []access.Role{access.Developer}, "press"))
	w.paint = w.checked(w.User("con", []access.Role{access.Configurator}, "paint"))
	return w
}

// checked holds a client's calls against openapi.yaml.
func (w *world) checked(c *api.Client) *api.Client {
	doc, err := contract.Load()
	w.must(err)
	held := *c
	held.HTTP = &http.Client{Transport: doc.Transport(w.t, http.DefaultTransport)}
	return &held
}

// connector is the connector of a gateway.
func (w *world) connector(gateway string) *api.Client { return w.checked(w.Part("connector", gateway)) }

// typeOf makes a type of a group, with its model.
func (w *world) typeOf(id twin.ID, owner string, model twin.Model) {
	w.t.Helper()
	c, err := platform.OpenTwins(bg, w.Base.DB)
	w.must(err)
	w.must(c.Insert(bg, twin.Twin{ID: id, Kind: twin.Type, Definition: twin.Definition{Version: 1, Owner: owner, Model: &model}}))
}

// devices makes instances of a type, of the same owner, whose devices are at gateway gw-1. Firmware is what they report; nil = nothing.
func (w *world) devices(of twin.TypeID, firmware any, ids ...twin.ID) {
	w.t.Helper()
	c, err := platform.OpenTwins(bg, w.Base.DB)
	w.must(err)
	kind, err := c.Get(bg, string(of))
	w.must(err)
	for _, id := range ids {
		v := twin.Twin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: of, Owner: kind.Definition.Owner, Phase: twin.Operational}}
		if firmware != nil {
			v.Live.Reported = []twin.Reading{{Property: "firmware", Value: firmware}}
		}
		w.must(c.Insert(bg, v))
	}
	w.Enrol("gw-1", 1, ids...)
}

// used is what the connector of gw-1 is told of a twin.
func (w *world) used(id twin.ID) api.UsedDriver {
	w.t.Helper()
	all, err := w.connector("gw-1").ResolveDrivers(bg, []twin.ID{id})
	w.must(err)
	if len(all) != 1 {
		w.t.Fatalf("of %s is told %v", id, all)
	}
	return all[0]
}

// reads is the version that reads a twin's messages, or why none does.
func (w *world) reads(id twin.ID) string {
	w.t.Helper()
	u := w.used(id)
	if u.Parked != "" {
		return u.Parked
	}
	return u.Version
}

func (w *world) promote(c *api.Client, name, version string) {
	w.t.Helper()
	_, err := c.PromoteDriver(bg, name, version)
	w.must(err)
}

// must ends the test at an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// script is a JavaScript driver that reads a temperature of tenths of a degree, shifted by what says which version answered.
func script(name, version string, shift int) api.PublishDriver {
	return api.PublishDriver{Driver: driver.Driver{Name: name, Version: version, Kind: driver.JavaScript, Title: name + " " + version,
		Code: fmt.Appendf(nil, "function decodeUplink(input) {\n  return {data: {temperature: (input.bytes[0] + %d) / 10}};\n}\n", shift),
		Tests: []driver.Test{{Name: "cold", Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{15}, Port: 1},
			Want: driver.Want{Data: map[string]any{"temperature": float64(15+shift) / 10}}}}}}
}

func (w *world) publish(c *api.Client, in api.PublishDriver) api.DriverVersion {
	w.t.Helper()
	v, err := c.PublishDriver(bg, in)
	w.must(err)
	return v
}

// history is what is kept of a twin, oldest first.
func (w *world) history(id twin.ID) (all []api.Record) {
	w.t.Helper()
	c, err := platform.OpenHistory(bg, w.Base.DB)
	w.must(err)
	w.must(c.Scan(bg, store.Query{Filter: store.And(store.Gte("_id", string(id)+"|0"), store.Lt("_id", string(id)+"|~"))},
		func(r api.Record) error { all = append(all, r); return nil }))
	return all
}

// model gives a type another model, as its owner would.
func (w *world) model(id twin.ID, m twin.Model) {
	w.t.Helper()
	c, err := platform.OpenTwins(bg, w.Base.DB)
	w.must(err)
	_, err = c.Update(bg, string(id), func(t *twin.Twin) error { t.Definition.Model = &m; return nil })
	w.must(err)
}
