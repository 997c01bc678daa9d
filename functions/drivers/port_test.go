package drivers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
)

// encoder is a codec as they were before TS013: whoever sends the frame says its port.
func encoder(port int) api.PublishDriver {
	return api.PublishDriver{Driver: driver.Driver{Name: "old", Version: "1.0.0", Kind: driver.JavaScript, Port: port, Code: []byte("function Encoder(object, port) { return [object.percent, port]; }"),
		Tests: []driver.Test{{Name: "open", Call: driver.Call{Op: driver.EncodeDownlink, Data: map[string]any{"percent": 40}}, Want: driver.Want{Bytes: []byte{40, 10}, Port: 10}}}}}
}

// A driver says by which port its commands go out where its code cannot: its tests, the bench and connectors hold to that.
func TestThePortOfADriver(t *testing.T) {
	w := newWorld(t)
	if _, err := w.press.PublishDriver(bg, encoder(0)); err == nil || !strings.Contains(err.Error(), `tests[0] "open"`) {
		t.Errorf("without a port its own test passes: %v", err)
	}
	if _, err := w.unchecked().PublishDriver(bg, encoder(224)); err == nil || !strings.Contains(err.Error(), "port 224 must be 1 to 223") {
		t.Errorf("a port of LoRaWAN's own: %v", err)
	}
	if v := w.publish(w.press, encoder(10)); v.Port != 10 {
		t.Errorf("%+v", v)
	}
	whole, err := w.press.GetDriverVersion(bg, "old", "1.0.0")
	w.must(err)
	run, err := w.press.RunDriver(bg, api.RunDriver{Name: "old", Calls: []driver.Call{{Op: driver.EncodeDownlink, Data: map[string]any{"percent": 1}}}})
	w.must(err)
	if got := fmt.Sprint(whole.Port, run.Results[0].Port, run.Results[0].Bytes); got != "10 10 [1 10]" {
		t.Error(got)
	}
	w.promote(w.press, "old", "1.0.0")
	w.typeOf("valve", "press", twin.Model{Driver: "old"})
	w.devices("valve", nil, "v-1")
	if u := w.used("v-1"); u.Port != 10 {
		t.Errorf("its connector is told %+v", u)
	}
	document := driver.Driver{Kind: driver.Declarative, Port: 10, Code: []byte("castor: 1\ndownlink:\n- fields: [{name: percent, type: u8}]\n")}
	if run, err = w.press.RunDriver(bg, api.RunDriver{Driver: &document, Calls: []driver.Call{{Op: driver.EncodeDownlink, Data: map[string]any{"percent": 1}}}}); err != nil || run.Results[0].Port != 10 {
		t.Errorf("a document: %+v, %v", run, err)
	}
}
