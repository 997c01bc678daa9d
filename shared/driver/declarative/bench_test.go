package declarative

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// A typical frame of a sensor: a status of bits, temperature, humidity, pressure, supply.
const typical = `
castor: 1
uplink:
  port: 2
  fields:
    - {type: u8, bits: [{name: open, bit: 0}, {name: alarm, bit: 1}]}
    - {name: temperature, type: i16, scale: 0.1, unit: Cel}
    - {name: humidity, type: u8, scale: 0.5, unit: "%"}
    - {name: pressure, type: u16, scale: 0.1, unit: hPa}
    - {name: supply, type: u16, from: mV, unit: V}
`

var frame = []byte{1, 0, 0xd7, 0x83, 0x27, 0x8d, 0x0c, 0xe4}

func BenchmarkDecode(b *testing.B) {
	p := parse(b, typical)
	calls := []driver.Call{{Op: driver.DecodeUplink, Bytes: frame, Port: 2}}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := p.Run(context.Background(), calls); err != nil || !r[0].OK() {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkByHand is the floor: the same extraction in Go.
func BenchmarkByHand(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r := []driver.Result{byHand(frame)}
		if !r[0].OK() {
			b.Fatal(r)
		}
	}
}

func byHand(b []byte) driver.Result {
	if len(b) < 8 {
		return driver.Result{Errors: []string{"too short"}}
	}
	return driver.Result{Data: map[string]any{
		"open": b[0]&1 != 0, "alarm": b[0]&2 != 0,
		"temperature": float64(int16(binary.BigEndian.Uint16(b[1:]))) / 10,
		"humidity":    float64(b[3]) / 2,
		"pressure":    float64(binary.BigEndian.Uint16(b[4:])) / 10,
		"supply":      float64(binary.BigEndian.Uint16(b[6:])) / 1000,
	}}
}

func TestTypicalIsWhatGoExtracts(t *testing.T) {
	got, want := told(run(t, parse(t, typical), driver.Call{Op: driver.DecodeUplink, Bytes: frame, Port: 2})), told(byHand(frame))
	if got != want {
		t.Errorf("%s, by hand %s", got, want)
	}
}
