package link_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A pack of SenML may have 2,000 measurements, and each may be of another time: all become messages, in their order, and nothing that comes
// after has an order before.
func TestALargePackOfSenML(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", api.UsedDriver{Format: "senml+json"})
	s := l.Open("s-1", "p-1", 1, nil)
	defer s.Close()
	var pack strings.Builder
	pack.WriteString(`[{"bn":"urn:dev:a:","bt":1700000000,"n":"n","v":0}`)
	for n := 1; n < 2000; n++ {
		fmt.Fprintf(&pack, `,{"n":"n","t":%d,"v":%d}`, n, n)
	}
	pack.WriteString("]")
	acks := make(chan link.Receipt, 2)
	s.Report(telemetry.Telemetry, "castor/p-1/telemetry", []byte(pack.String()), time.Now(), func(r link.Receipt) { acks <- r })
	s.Report(telemetry.Telemetry, "castor/p-1/telemetry", []byte(`[{"n":"after","v":1}]`), time.Now(), func(r link.Receipt) { acks <- r })
	for range 2 {
		if r := <-acks; !r.Stored || r.Parked != 0 {
			t.Errorf("%+v", r)
		}
	}
	stored := w.Platform.Stored("twin-p-1")
	if len(stored) != 2001 {
		t.Fatalf("%d messages are stored", len(stored))
	}
	for n, m := range stored {
		if n < 2000 && (m.Samples[0].Value != float64(n) || !m.Time.Equal(time.Unix(1700000000+int64(n), 0))) || n > 0 && !m.Order.After(stored[n-1].Order) {
			t.Fatalf("message %d is %+v", n, m)
		}
	}
}

// What a format cannot read is said in the twin's log, once a minute, as it is of drivers.
func TestAFormatThatCannotReadAMessageSaysSo(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", api.UsedDriver{Format: "senml+json"})
	s := l.Open("s-1", "p-1", 1, nil)
	defer s.Close()
	acks := make(chan link.Receipt, 1)
	for range 2 {
		s.Report(telemetry.Telemetry, "castor/p-1/telemetry", []byte(`{"n":"temp"}`), time.Now(), func(r link.Receipt) { acks <- r })
		if r := <-acks; !r.Stored || r.Parked != 1 {
			t.Errorf("%+v", r)
		}
	}
	var lines []telemetry.Message
	for _, m := range w.Platform.Stored("twin-p-1") {
		if m.Kind == telemetry.Log {
			lines = append(lines, m)
		}
	}
	parked := w.Platform.Parked()
	if len(lines) != 1 || len(parked) != 2 || lines[0].Samples[0].Value != "driver" || lines[0].Samples[1].Value != "error" || lines[0].Samples[2].Value != "format senml+json: "+parked[0].Reason {
		t.Errorf("lines %+v, parked %+v", lines, parked)
	}
}
