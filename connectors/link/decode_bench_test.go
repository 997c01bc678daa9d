package link

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/telemetry"
)

// BenchmarkDecode is what a telemetry message of 256 bytes costs before it is put in a batch.
func BenchmarkDecode(b *testing.B) {
	payload := []byte(`{"time":"2026-03-21T10:00:00.000Z","epoch":1,"seq":4711,"data":{"rpm":1450,"temperature":20.5,"note":"` + strings.Repeat("x", 150) + `"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if m := Decode(telemetry.Telemetry, "castor/p-1/telemetry", payload); len(m) != 1 || len(m[0].Samples) != 3 {
			b.Fatal(m)
		}
	}
}
