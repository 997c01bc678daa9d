package declarative

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// A program is for any number of goroutines, and answers each call in its place.
func TestManyRunAProgram(t *testing.T) {
	p := ship(t, "tasmota")
	calls := []driver.Call{
		{Op: driver.DecodeUplink, Topic: "tele/x/SENSOR", Bytes: []byte(`{"AM2301":{"Temperature":215,"Humidity":40},"TempUnit":"F"}`), Time: at},
		{Op: driver.EncodeDownlink, Data: m{"power": true}},
		{Op: driver.DecodeUplink, Topic: "tele/x/SENSOR", Bytes: []byte(`nothing`), Time: at},
		{Op: driver.NormalizeUplink, Data: m{}},
		{Op: driver.DecodeUplink, Topic: "tele/x/LWT", Bytes: []byte(`Online`), Time: at},
	}
	want := []string{`{"AM2301.humidity":40,"AM2301.temperature":101.7}`, "4f4e", `error: sensor: the message is no JSON: invalid character 'o' in literal null (expecting 'u')`,
		"missing: the document has nothing for normalizeUplink", `{"online":true}`}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				results, err := p.Run(context.Background(), calls)
				if err != nil || len(results) != len(calls) {
					t.Error(results, err)
					return
				}
				for i := range results {
					if got := told(results[i]); got != want[i] {
						t.Errorf("%d: %s", i, got)
					}
				}
			}
		})
	}
	all.Wait()
}

// Calls whose context has ended are not made: they may be made again.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, end := context.WithCancel(context.Background())
	end()
	if r, err := ship(t, "tasmota").Run(ctx, make([]driver.Call, 1)); r != nil || !errors.Is(err, context.Canceled) {
		t.Error(r, err)
	}
	if r, err := ship(t, "tasmota").Run(ctx, nil); len(r) != 0 || err != nil {
		t.Error(r, err)
	}
}

// A document tells the units of the properties that it names.
func TestUnits(t *testing.T) {
	p := parse(t, `
castor: 1
uplink:
  fields:
    - {name: t, type: u8, from: "[degF]", unit: Cel}
    - {name: n, type: u8}
    - {name: two, type: u8, unit: m}
    - {name: two, type: u8, unit: mm}
    - {name: _c, type: u8}
    - {name: "x{_c}", type: u8, unit: m}
normalize:
  fields:
    - {path: t, name: air.temperature, from: Cel, unit: K}
`)
	r := run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{212, 1, 2, 3, 4, 5}})
	if want := map[string]string{"t": "Cel"}; !reflect.DeepEqual(r.Units, want) {
		t.Errorf("decoded: %v, want %v", r.Units, want)
	}
	all, err := driver.Normalised(p).Run(t.Context(), []driver.Call{{Op: driver.DecodeUplink, Bytes: []byte{212, 1, 2, 3, 4, 5}}})
	if err != nil || all[0].Units["air.temperature"] != "K" || all[0].Data.(map[string]any)["air.temperature"] != 373.15 {
		t.Errorf("normalised: %+v, %v", all, err)
	}
}
