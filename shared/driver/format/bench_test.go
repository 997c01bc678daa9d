package format

import (
	"encoding/json"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// What a report of a weather station costs on the wire in the compact form, beside JSON.
func BenchmarkCompact(b *testing.B) {
	ids := IDs{1: "temperature", 2: "humidity", 3: "pressure", 4: "wind.speed", 5: "wind.direction", 6: "rain", 7: "supply"}
	records := []driver.Record{{Data: map[string]any{"temperature": 21.5, "humidity": 65.0, "pressure": 1013.2, "wind.speed": 3.25, "wind.direction": 270.0, "rain": 0.0, "supply": 3.3}}}
	asJSON, _ := json.Marshal(records[0].Data)
	compact, err := EncodeCompact(records, ids)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeCompact(compact, ids, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(compact)), "bytes")
	b.ReportMetric(float64(len(asJSON)), "bytes-as-JSON")
}
