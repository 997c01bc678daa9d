package drivers_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

// The workers of the tests' drivers are the test program itself.
func TestMain(m *testing.M) {
	if megabytes, ok := sandbox.Worker(os.Args); ok {
		if err := sandbox.Work(os.Stdin, os.Stdout, megabytes); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A world has the function, an object store, and people of the groups press and paint.
type world struct {
	*functiontest.World
	t     *testing.T
	admin *api.Client
	press *api.Client // a developer
	paint *api.Client // a configurator
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: functiontest.New(t, nil), t: t}
	w.Base.Objects = objecttest.Start(t)
	w.Add("drivers", drivers.New)
	w.Add("twins", twins.New)
	w.admin = w.Admin()
	w.press = w.User("dev", []access.Role{access.Developer}, "press")
	w.paint = w.User("con", []access.Role{access.Configurator}, "paint")
	return w
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
	v, err := c.PublishDriver(context.Background(), in)
	w.must(err)
	return v
}
