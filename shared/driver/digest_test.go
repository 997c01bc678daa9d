package driver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/fxamacker/cbor/v2"
)

// What a maker signs is the same for the driver as the platform gets it, and for no other.
func TestDigest(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 7200))
	made := func() *driver.Driver {
		return &driver.Driver{Name: "acme-th1", Version: "1.2.0", Kind: driver.JavaScript, Firmware: ">=1", Code: []byte("function decodeUplink() {}"), Limit: time.Second,
			Tests: []driver.Test{
				{Name: "<a> & b", Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2}, Time: at, Variables: map[string]string{"a": "b"}},
					Want: driver.Want{Data: map[string]any{"t": 22.0, "deep": []any{nil, true, "é", 1e21, -0.5}}, Time: at, Warnings: []string{}}},
				{Call: driver.Call{Op: driver.OnEvent, State: []byte{}, Data: map[string]any{"t": 1.0}},
					Want: driver.Want{State: []byte{}, Commands: []any{}, Records: []driver.Record{{Time: at, Data: map[string]any{"x": 1.0}}}}}}}
	}
	digest := func(d *driver.Driver) string {
		sum, err := driver.Digest(d)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", sum)
	}
	want := digest(made())
	var fromCBOR, fromJSON driver.Driver
	mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode() // as package api sends it
	if err != nil {
		t.Fatal(err)
	}
	asCBOR, err1 := mode.Marshal(made())
	asJSON, err2 := json.Marshal(made())
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cbor.Unmarshal(asCBOR, &fromCBOR), json.Unmarshal(asJSON, &fromJSON)); err != nil {
		t.Fatal(err)
	}
	for where, d := range map[string]*driver.Driver{"here": made(), "CBOR": &fromCBOR, "JSON": &fromJSON} {
		if got := digest(d); got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
	for what, change := range map[string]func(d *driver.Driver){
		"name": func(d *driver.Driver) { d.Name = "other" }, "version": func(d *driver.Driver) { d.Version = "1.2.1" }, "firmware": func(d *driver.Driver) { d.Firmware = "" },
		"code": func(d *driver.Driver) { d.Code[0] ^= 1 }, "kind": func(d *driver.Driver) { d.Kind = driver.WASM },
		"a test": func(d *driver.Driver) { d.Tests[0].Want.Data = nil }, "a record": func(d *driver.Driver) { d.Tests[1].Want.Records[0].Time = at.Add(1) },
	} {
		d := made()
		change(d)
		if digest(d) == want {
			t.Errorf("with another %s the digest is the same", what)
		}
	}
	d := made()
	d.Title, d.Maker = "Thermometer", "Acme"
	if digest(d) != want {
		t.Error("words for people change the digest")
	}
	d.Tests[1].Data = math.NaN()
	if _, err := driver.Digest(d); err == nil || !strings.Contains(err.Error(), "tests[1]") {
		t.Errorf("data that JSON cannot say: %v", err)
	}
}
