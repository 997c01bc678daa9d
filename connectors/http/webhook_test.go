package http_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	connector "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// envelope is what a network server sends, as its documentation has it.
func envelope(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A server is the integration of a network server, which shows a token.
type server struct {
	probe
	w    *linktest.World
	ref  device.Ref
	stop func()
}

func integration(t *testing.T, change func(*connector.Config)) *server {
	t.Helper()
	w := linktest.NewWorld(t)
	pool, err := sandbox.New(sandbox.Config{Log: linktest.Quiet}) // its workers are not needed: declarative drivers run in process
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	address, stop := start(t, w, "operational", func(c *connector.Config) {
		c.Drivers = pool
		if change != nil {
			change(c)
		}
	})
	id := w.AdmitSecret("tts-1", device.Token)
	client := secure(w, linktest.Identity{})
	client.Transport = withHeader{client.Transport, "Bearer " + id.Password}
	s := &server{probe: probe{t: t, url: "https://" + address, http: client}, w: w, ref: "tts-1", stop: stop}
	linktest.Eventually(t, "it is let in", func() bool { return s.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
	return s
}

// withHeader shows a token with each request.
type withHeader struct {
	http.RoundTripper
	value string
}

func (h withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", h.value)
	return h.RoundTripper.RoundTrip(r)
}

// twinOf is the twin of a device behind the integration.
func (s *server) twinOf(eui string) twin.ID { return linktest.TwinOf(device.RelayedRef(s.ref, eui)) }

// lpp has a device's frames read by the shipped Cayenne LPP driver.
func (s *server) lpp(eui string) {
	s.t.Helper()
	code, ok := declarative.Document("cayenne-lpp")
	if !ok {
		s.t.Fatal("no driver for Cayenne LPP is shipped")
	}
	s.w.Platform.Use(s.twinOf(eui), s.w.Platform.Driver("cayenne-lpp", "1.0.0", driver.Declarative, code))
}

// up is an uplink of ChirpStack.
func up(eui, id string, port int, frame []byte, at time.Time, object string) string {
	if object != "" {
		object = `,"object":` + object
	}
	return fmt.Sprintf(`{"deduplicationId":%q,"time":%q,"deviceInfo":{"devEui":%q,"applicationId":"a"},"devAddr":"00189440","fCnt":1,"fPort":%d,"data":%q,"rxInfo":[{"gatewayId":"0016c001f153a14c","rssi":-36,"snr":10.5}],"txInfo":{"frequency":867100000}%s}`,
		id, at.Format(time.RFC3339Nano), eui, port, base64.StdEncoding.EncodeToString(frame), object)
}

func (s *server) post(body string) (out struct {
	Device, Ignored, Reason, Detail string
	Parked                          int
}) {
	s.t.Helper()
	resp := s.do("POST", "/v1/webhooks/chirpstack?event=up", "application/json", body, nil)
	text := s.body(resp)
	if resp.StatusCode != 200 || json.Unmarshal(text, &out) != nil {
		s.t.Errorf("%.200s is answered %s %s", body, resp.Status, text)
	}
	return out
}

const eui1, eui2 = "0101010101010101", "0202020202020202"

// temperature is 27.2 °C on channel 3 as Cayenne LPP has it.
var temperature = []byte{3, 0x67, 1, 0x10}

// A frame goes to the device that it is of, is read by its driver, and counts from when the network server had it.
func TestFramesGoToTheirDevices(t *testing.T) {
	s := integration(t, nil)
	s.lpp(eui1)
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	if a := s.post(up(strings.ToUpper(eui1), "a", 1, temperature, at, `{"other":1}`)); a.Device != eui1 || a.Parked != 0 || a.Ignored != "" {
		t.Errorf("%+v", a)
	}
	got := s.w.Platform.Stored(s.twinOf(eui1))
	if len(got) != 1 || got[0].Kind != telemetry.Telemetry || !got[0].Time.Equal(at) || got[0].Gateway != s.w.Gateway || len(got[0].Samples) != 1 || got[0].Samples[0].Value != 27.2 {
		t.Fatalf("%+v", got)
	}
	if p := s.w.Platform.Presence(s.twinOf(eui1)); len(p) != 1 || p[0].Samples[0].Value != true {
		t.Errorf("its presence: %+v", p)
	}
	// What comes again has the same time and content, by which history knows it.
	s.post(up(eui1, "a", 1, temperature, at, ""))
	if got := s.w.Platform.Stored(s.twinOf(eui1)); len(got) != 2 || !got[1].Time.Equal(got[0].Time) || !slices.Equal(got[0].Samples, got[1].Samples) || !got[1].Order.Assigned {
		t.Errorf("%+v", got)
	}
	// Neither driver nor format: what the network server has decoded.
	s.post(up(eui2, "b", 2, temperature, at, `{"door":{"open":true},"level":4.5}`))
	if got := s.w.Platform.Stored(s.twinOf(eui2)); len(got) != 1 || fmt.Sprint(got[0].Samples) != "[{door.open true} {level 4.5}]" {
		t.Errorf("%+v", got)
	}
	// And without that it is kept, until there is a driver.
	if a := s.post(up(eui2, "c", 2, temperature, at, "")); a.Parked != 1 || a.Reason != "undecodable" || !strings.Contains(a.Detail, "driver") {
		t.Errorf("%+v", a)
	}
	if p := s.w.Platform.Parked(); len(p) != 1 || !bytes.Equal(p[0].Raw, temperature) || p[0].Port != 2 || p[0].Topic != "webhooks/chirpstack/"+eui2 || p[0].Twin != s.twinOf(eui2) {
		t.Errorf("%+v", p)
	}
	// A network server whose clock is ahead does not date its frames.
	s.post(up(eui1, "d", 1, temperature, time.Now().Add(24*time.Hour), ""))
	if got := s.w.Platform.Stored(s.twinOf(eui1)); len(got) != 3 || !got[2].Time.IsZero() {
		t.Errorf("%+v", got)
	}
}

// A network server whose webhook fails pauses it, so that one unknown device would silence the others: unknown ones are no failure.
func TestADeviceThatNobodyHasBroughtIn(t *testing.T) {
	s := integration(t, nil)
	s.w.Platform.Unknown(device.RelayedRef(s.ref, eui2), true)
	if a := s.post(up(eui2, "a", 1, temperature, time.Now(), "")); a.Parked != 1 || a.Reason != "no-twin" {
		t.Errorf("%+v", a)
	}
	if p := s.w.Platform.Parked(); len(p) != 1 || p[0].Twin != "" || p[0].Via != s.ref || !strings.HasSuffix(p[0].Topic, eui2) {
		t.Errorf("%+v", p)
	}
	s.lpp(eui1)
	s.post(up(eui1, "b", 1, temperature, time.Now(), ""))
	if got := s.w.Platform.Stored(s.twinOf(eui1)); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestEventsThatAreNoUplinks(t *testing.T) {
	s := integration(t, nil)
	for name, c := range map[string]struct{ path, body, want string }{
		"a join of ChirpStack":            {"chirpstack?event=join", `{"deviceInfo":{"devEui":"0101010101010101"},"devAddr":"00189440"}`, `{"ignored":"it is neither an uplink nor of a downlink; nothing else is taken"}`},
		"one without the parameter":       {"chirpstack", `{"deviceInfo":{"devEui":"0101010101010101"},"devAddr":"00189440"}`, `{"ignored":"it is neither an uplink nor of a downlink; nothing else is taken"}`},
		"a join of The Things Stack":      {"the-things-stack", `{"end_device_ids":{"dev_eui":"0004A30B001C0530"},"join_accept":{}}`, `{"ignored":"it is neither an uplink nor of a downlink; nothing else is taken"}`},
		"a frame of commands for the mac": {"chirpstack?event=up", up(eui1, "a", 0, nil, time.Now(), ""), `{"device":"` + eui1 + `","ignored":"the frame has no payload"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.probe
			p.t = t
			p.want(200, c.want, "POST", "/v1/webhooks/"+c.path, "application/json", c.body)
		})
	}
	s.want(400, ``, "POST", "/v1/webhooks/the-things-stack", "application/json", `{"x":1}`) // of no network server
	if n := len(s.w.Platform.Stored("")) + len(s.w.Platform.Parked()); n != 0 {
		t.Errorf("%d messages were kept", n)
	}
}

// 200 means stored: a network server that sends again what was not answered so loses nothing.
func TestAFrameIsAnsweredWhenItIsStored(t *testing.T) {
	s := integration(t, func(c *connector.Config) { c.Limits.StoreTime = 300 * time.Millisecond })
	s.w.Platform.Fail("twin-ingest", 503)
	s.want(503, ``, "POST", "/v1/webhooks/chirpstack?event=up", "application/json", up(eui1, "a", 1, temperature, time.Now(), `{"a":1}`))
	s.w.Platform.Fail("twin-ingest", 0)
	linktest.Eventually(t, "what comes next is stored", func() bool {
		return s.do("POST", "/v1/webhooks/chirpstack?event=up", "application/json", up(eui1, "b", 1, temperature, time.Now(), `{"a":2}`), nil).StatusCode == 200
	})
	if got := s.w.Platform.Stored(s.twinOf(eui1)); len(got) == 0 || got[len(got)-1].Samples[0].Value != 2.0 {
		t.Errorf("%+v", got)
	}
}

// The sessions of devices end with that of the integration that speaks for them.
func TestDevicesLeaveWithTheirIntegration(t *testing.T) {
	s := integration(t, brief)
	s.post(up(eui1, "a", 1, temperature, time.Now(), `{"a":1}`))
	linktest.Eventually(t, "it is gone once the network server has been silent", func() bool {
		p := s.w.Platform.Presence(s.twinOf(eui1))
		return len(p) == 2 && p[1].Samples[0].Value == false
	})
}

// A network server calls for many devices at a time.
func TestManyDevicesAtATime(t *testing.T) {
	s := integration(t, func(c *connector.Config) { c.Limits.Each = 1 })
	var all sync.WaitGroup
	for n := range 64 {
		all.Go(func() {
			for range 3 {
				s.post(up(fmt.Sprintf("%016x", n+1), "a", 1, temperature, time.Now(), `{"a":1}`))
			}
		})
	}
	all.Wait()
	if n := len(s.w.Platform.Stored("")); n != 64*3 {
		t.Errorf("%d messages are stored", n)
	}
}
