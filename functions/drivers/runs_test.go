package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/driver/wasm/wasmtest"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/fxamacker/cbor/v2"
)

// The bench makes calls of what is not published yet, and of what is.
func TestRun(t *testing.T) {
	w := newWorld(t)
	in := script("draft", "1.0.0", 0)
	in.Tests[0].Want.Data = map[string]any{"temperature": 7}
	run, err := w.press.RunDriver(bg, api.RunDriver{Driver: &in.Driver, Tests: true, Calls: []driver.Call{
		{Op: driver.DecodeUplink, Bytes: []byte{215}, Port: 1}, {Op: driver.EncodeDownlink, Data: map[string]any{}}}})
	w.must(err)
	if data, _ := run.Results[0].Data.(map[string]any); data["temperature"] != 21.5 || run.Results[1].Failure != driver.Missing || len(run.Took) != 2 {
		t.Errorf("%+v", run)
	}
	if len(run.Tests) != 1 || len(run.Tests[0].Differences) != 1 || run.Tests[0].Differences[0].String() != "data.temperature: want 7, got 1.5" {
		t.Errorf("%+v", run.Tests)
	}
	w.publish(w.press, script("acme-th1", "1.0.0", 0))
	w.publish(w.press, script("acme-th1", "1.1.0", 5))
	for version, want := range map[string]float64{"": 2, "1.1.0": 2, "1.0.0": 1.5} {
		run, err := w.press.RunDriver(bg, api.RunDriver{Name: "acme-th1", Version: version, Calls: []driver.Call{{Op: driver.DecodeUplink, Bytes: []byte{15}}}})
		w.must(err)
		if data, _ := run.Results[0].Data.(map[string]any); data["temperature"] != want {
			t.Errorf("version %q: %+v", version, run)
		}
	}
	loop := driver.Driver{Kind: driver.JavaScript, Code: []byte("function decodeUplink() { for (;;) {} }"), Limit: 20 * time.Millisecond}
	if run, err = w.press.RunDriver(bg, api.RunDriver{Driver: &loop, Calls: []driver.Call{{Op: driver.DecodeUplink}}}); err != nil || run.Results[0].Failure != driver.Timeout {
		t.Errorf("a loop: %+v, %v", run, err)
	}
	for what, tt := range map[string]struct {
		in   api.RunDriver
		says string
	}{
		"a name twice":    {api.RunDriver{Driver: &driver.Driver{Kind: driver.Declarative, Code: []byte("castor: 1\nuplink: {fields: [{name: t, type: u8}, {name: t, type: u8}]}")}}, "too, whose value"},
		"nothing":         {api.RunDriver{}, "driver or name must say what is run"},
		"both":            {api.RunDriver{Driver: &in.Driver, Name: "acme-th1"}, "one must be given, not both"},
		"too many":        {api.RunDriver{Name: "acme-th1", Calls: make([]driver.Call, 101)}, "calls: at most 100 at once"},
		"no operation":    {api.RunDriver{Name: "acme-th1", Calls: []driver.Call{{Op: "x"}}}, "calls[0].op"},
		"a long limit":    {api.RunDriver{Driver: &driver.Driver{Kind: driver.JavaScript, Code: []byte("1"), Limit: time.Hour}}, "limit 1h0m0s must be"},
		"another version": {api.RunDriver{Name: "acme-th1", Version: "3.0.0"}, "there is no version"},
	} {
		if _, err := w.unchecked().RunDriver(bg, tt.in); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %s", what, err, tt.says)
		}
	}
}

// unchecked calls as the developer does, past the contract: what it sends is wrong.
func (w *world) unchecked() *api.Client {
	c := *w.press
	c.HTTP = nil
	return &c
}

// A module and a document are drivers as a script is.
func TestTheOtherKinds(t *testing.T) {
	w := newWorld(t)
	said, err := cbor.Marshal(map[string]any{"version": 1, "data": map[string]any{"t": 21}})
	w.must(err)
	module := wasmtest.Module{Data: said, Exports: map[string][]byte{"decode": wasmtest.Answer(len(said))}}.Bytes()
	in := api.PublishDriver{Driver: driver.Driver{Name: "module", Version: "1.0.0", Kind: driver.WASM, Code: module, Tests: []driver.Test{
		{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1}}, Want: driver.Want{Data: map[string]any{"t": 21}}}}}}
	if v := w.publish(w.press, in); v.Kind != driver.WASM || v.Size != int64(len(module)) {
		t.Errorf("%+v", v)
	}
	in = api.PublishDriver{Driver: driver.Driver{Name: "document", Version: "1.0.0", Kind: driver.Declarative,
		Code:  []byte("castor: 1\nuplink:\n  topic: tele/{device}/STATE\n  format: json\n  fields:\n    - {path: t, name: t}\n"),
		Tests: []driver.Test{{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte(`{"t":21}`), Topic: "tele/x/STATE"}, Want: driver.Want{Data: map[string]any{"t": 21}}}}}}
	if v := w.publish(w.press, in); len(v.Topics) != 1 || v.Topics[0] != "tele/{device}/STATE" {
		t.Errorf("%+v", v)
	}
}

// What comes with the platform is there from the start, and everybody's to use.
func TestShipped(t *testing.T) {
	w := newWorld(t)
	names := declarative.Shipped()
	for _, name := range names {
		d, err := w.press.GetDriver(bg, name)
		w.must(err)
		if d.Owner != "" || d.Title == "" || d.Versions[0].State != api.DriverActive || d.Versions[0].By != "castor" {
			t.Errorf("%+v", d)
		}
	}
	tasmota, err := w.press.GetDriver(bg, "tasmota")
	w.must(err)
	if v := tasmota.Versions[0]; len(v.Topics) == 0 || len(v.Downlinks) == 0 {
		t.Errorf("%+v", v)
	}
	w.typeOf("plug", "press", twin.Model{Driver: "tasmota"})
	w.devices("plug", nil, "plug-1")
	if u := w.used("plug-1"); u.Parked != "" || u.Kind != driver.Declarative {
		t.Errorf("%+v", u)
	}
	// One that is newer than what there was is added, active.
	w.publish(w.admin, script("shelly-gen2", "0.9.0", 0))
	_, err = w.admin.WithdrawDriver(bg, "shelly-gen2", "1.0.0", "")
	w.must(err)
	w.must(w.admin.DeleteDriverVersion(bg, "shelly-gen2", "1.0.0"))
	w.Add("drivers", drivers.New)
	shelly, err := w.admin.GetDriver(bg, "shelly-gen2")
	w.must(err)
	if v := shelly.Versions[0]; len(shelly.Versions) != 2 || v.Version != "1.0.0" || v.State != api.DriverActive {
		t.Errorf("%+v", shelly)
	}
	w.must(w.admin.DeleteDriverVersion(bg, "shelly-gen2", "0.9.0"))
	// Another replica leaves what people have decided, and adds nothing twice.
	_, err = w.admin.WithdrawDriver(bg, "tasmota", "", "ours is better")
	w.must(err)
	w.Add("drivers", drivers.New)
	page, err := w.admin.ListDrivers(bg, "")
	w.must(err)
	if len(page.Items) != len(names) {
		t.Errorf("%d drivers, %d are shipped", len(page.Items), len(names))
	}
	for _, d := range page.Items {
		if want := map[bool]api.DriverState{true: api.DriverWithdrawn, false: api.DriverActive}[d.Name == "tasmota"]; len(d.Versions) != 1 || d.Versions[0].State != want {
			t.Errorf("%+v", d)
		}
	}
}

// Drivers that hang at the bench hold up nobody who publishes, and few of one caller go on at a time.
func TestABenchThatHangs(t *testing.T) {
	w := newWorld(t)
	calls := make([]driver.Call, 5)
	for i := range calls {
		calls[i].Op = driver.DecodeUplink
	}
	done := make(chan error)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	for i := range 6 {
		go func() {
			d := driver.Driver{Kind: driver.JavaScript, Limit: time.Second, Code: fmt.Appendf(nil, "/*%d*/function decodeUplink() { for (;;) {} }", i)}
			_, err := w.unchecked().RunDriver(ctx, api.RunDriver{Driver: &d, Calls: calls})
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; !errors.Is(err, api.ErrTooMany) || !strings.Contains(err.Error(), "2 of your runs go on already") {
			t.Errorf("a third run: %v", err)
		}
	}
	if _, err := w.paint.PublishDriver(bg, script("innocent", "1.0.0", 0)); err != nil {
		t.Errorf("publishing meanwhile: %v", err)
	}
	cancel()
	<-done
	<-done
}
