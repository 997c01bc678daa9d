package http_test

import (
	"fmt"
	"testing"

	connector "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A device that says what its payload is has it read as that; of what only its type can say the type's format counts.
func TestMeasuredValuesOfEveryFormatAreTaken(t *testing.T) {
	w := linktest.NewWorld(t)
	pool, err := sandbox.New(sandbox.Config{Log: linktest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	address, _ := start(t, w, "operational", func(c *connector.Config) { c.Drivers = pool })
	for i, c := range []struct{ format, media, body string }{
		{"", "application/senml+json", `[{"n":"value","v":21.5}]`},
		{"", "application/sensml+json", `[{"n":"value","v":21.5}]`},
		{"json", "application/senml+cbor", "\x81\xa2\x00\x65value\x02\xfb\x40\x35\x80\x00\x00\x00\x00\x00"},
		{"", "application/vnd.castor.compact+cbor", "\xa1\x07\xfb\x40\x35\x80\x00\x00\x00\x00\x00"},
		{"compact", "application/cbor", "\xa1\x07\xfb\x40\x35\x80\x00\x00\x00\x00\x00"},
		{"compact", "application/octet-stream", "\xa1\x07\xfb\x40\x35\x80\x00\x00\x00\x00\x00"},
		{"senml+json", "application/json", `[{"n":"value","v":21.5}]`},
		{"", "text/plain; charset=utf-8", "21.5"},
		{"plain", "application/octet-stream", "21.5"},
		{"", "application/json", `{"value":21.5}`},
	} {
		ref := device.Ref(fmt.Sprintf("p-%d", i))
		w.Platform.Use(linktest.TwinOf(ref), api.UsedDriver{Format: c.format, IDs: map[int64]string{7: "value"}})
		p := probe{t: t, url: "https://" + address, http: secure(w, w.AdmitDevice(ref))}
		linktest.Eventually(t, "the device is let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
		p.want(200, `{"waiting":0}`, "POST", "/v1/telemetry", c.media, c.body)
		stored := w.Platform.Stored(linktest.TwinOf(ref))
		if len(stored) != 1 || len(stored[0].Samples) != 1 || stored[0].Samples[0] != (telemetry.Sample{Property: "value", Value: 21.5}) {
			t.Errorf("%+v: stored %+v, parked %+v", c, stored, w.Platform.Parked())
		}
	}
}
