package wasm

import (
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// A typical message: five bytes in, three values out.
var typical = driver.Call{Op: driver.DecodeUplink, Bytes: []byte{8, 0x98, 100, 12, 0xe4}, Port: 1}

// BenchmarkDecode is a module that computes nothing: what the engine and the reading of the answer cost.
func BenchmarkDecode(b *testing.B) {
	benchmark(b, says(b, object{"version": 1, "data": object{"temperature": 22.5, "humidity": 50, "battery": 3.3}}))
}

// BenchmarkDecodeGo is a driver in Go, whose memory of 2 MiB is restored after each call.
func BenchmarkDecodeGo(b *testing.B) { benchmark(b, goModule(b)) }

// BenchmarkDecodeAnew is what a call costs where each gets an instance of its own.
func BenchmarkDecodeAnew(b *testing.B) {
	e := open(b, goModule(b), Limits{})
	for b.Loop() {
		e.Reset()
		if r := call(e, typical); !r.OK() {
			b.Fatal(r)
		}
	}
}

func benchmark(b *testing.B, module []byte) {
	e := open(b, module, Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if r := call(e, typical); !r.OK() {
			b.Fatal(r)
		}
	}
	b.ReportMetric(float64(e.Held())/(1<<20), "MiB/instance")
}
