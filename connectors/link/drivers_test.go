package link_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// The tests' workers are the test program itself.
func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// decoding runs a link with workers for drivers.
func decoding(t testing.TB, w *linktest.World, f *far, change func(*link.Config)) *link.Link {
	t.Helper()
	pool, err := sandbox.New(sandbox.Config{Log: linktest.Quiet, Limit: slow * 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	l, _ := run(t, w, f, func(c *link.Config) {
		c.Drivers = pool
		if change != nil {
			change(c)
		}
	})
	return l
}

// script is a version of a driver in JavaScript.
func script(w *linktest.World, name, version, code string) api.UsedDriver {
	return w.Platform.Driver(name, version, driver.JavaScript, []byte(code))
}

const counter = `function decodeUplink(i) { return {data: {n: i.bytes[0], port: i.fPort}}; }`

// said are the lines that the link wrote to a twin's log.
func lines(w *linktest.World, ref device.Ref) (out []string) {
	for _, m := range w.Platform.Stored(linktest.TwinOf(ref)) {
		if m.Kind == telemetry.Log {
			out = append(out, fmt.Sprint(m.Samples[0].Value, " ", m.Samples[1].Value, " ", m.Samples[2].Value))
		}
	}
	return out
}

// readings are the values of n that a twin was given, in order.
func readings(w *linktest.World, ref device.Ref) (out []float64) {
	for _, m := range w.Platform.Stored(linktest.TwinOf(ref)) {
		for _, s := range m.Samples {
			if f, ok := s.Value.(float64); ok && s.Property == "n" {
				out = append(out, f)
			}
		}
	}
	return out
}

func say(s *link.Session, payload []byte, ack func(bool)) {
	s.ReportAs(link.Incoming{Kind: telemetry.Telemetry, Topic: "castor/p/telemetry", Payload: payload, Received: time.Now(), Port: 2},
		func(r link.Receipt) { ack(r.Stored) })
}

func TestPayloadsAreReadByTheDriver(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", counter))
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	for i := range 200 {
		say(s, []byte{byte(i)}, got.of(fmt.Sprint(i)))
	}
	s.Publish(telemetry.Event, "castor/p-1/event", []byte(`{"event":"door"}`), time.Now(), got.of("event"))
	linktest.Eventually(t, "all are acknowledged", func() bool { return len(got.list()) == 201 })
	stored := w.Platform.Stored("twin-p-1")
	if len(stored) != 201 || !slices.IsSortedFunc(stored, func(a, b telemetry.Message) int { return int(a.Order.Seq - b.Order.Seq) }) {
		t.Fatalf("%d messages, in the order %v", len(stored), seqsOf(stored))
	}
	for i, n := range readings(w, "p-1") {
		if n != float64(i) {
			t.Fatalf("message %d is %v", i, n)
		}
	}
	first := stored[0]
	if first.Raw != nil || first.Topic != "" || first.Kind != telemetry.Telemetry || first.Twin != "twin-p-1" || first.Session != "s-1" || len(first.Samples) != 2 {
		t.Errorf("stored: %+v", first)
	}
	if list := got.list(); list[200] != "event true" || list[7] != "7 true" {
		t.Errorf("acknowledged: %v", list)
	}
}

// What the agent says is in the platform's own words, and waits until its number is acknowledged: also where the type names a driver
// that cannot read it, one that makes values of it, or none that is for the device.
func TestADeviceThatCountsIsToldOfItsNumbersWhateverReadsIt(t *testing.T) {
	w, f := linktest.NewWorld(t), &far{}
	l := decoding(t, w, f, nil)
	for i, u := range []api.UsedDriver{
		script(w, "acme", "1.0.0", `function decodeUplink(i) { throw new Error('no frame of mine'); }`),
		script(w, "acme", "1.1.0", `function decodeUplink(i) { return {data: {n: i.bytes.length}}; }`),
		script(w, "acme", "1.2.0", `function decodeUplink(i) { return {}; }`),
		{Name: "acme", Parked: "no version of driver acme is for its firmware"},
		{Format: "compact"},
	} {
		ref := device.Ref(fmt.Sprint("p-", i))
		w.Platform.Use(linktest.TwinOf(ref), u)
		s := l.Open(fmt.Sprint("s-", i), ref, 1, nil)
		say(s, fmt.Appendf(nil, `[{"epoch":4,"seq":%d,"data":{"rpm":1}},{"epoch":4,"seq":%d,"data":{"rpm":2}}]`, 10*i+1, 10*i+2), func(bool) {})
		linktest.Eventually(t, fmt.Sprint("device ", i, " is told"), func() bool { return slices.Contains(f.told(), twin.Order{Epoch: 4, Seq: int64(10*i + 2)}) })
	}
	for _, m := range w.Platform.Stored("") {
		if m.Kind == telemetry.Undecoded && !m.Order.Assigned {
			t.Errorf("%+v: what is parked keeps the order that the gateway gave it, as all has that the driver reads", m.Order)
		}
	}
}

// A device that has come to a gateway a moment ago is not read by the wrong rules.
func TestADeviceWhosePlaceIsNotKnownYet(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", counter))
	w.Platform.Unplaced("twin-p-1", true)
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	go say(s, []byte{7}, got.of("7"))
	linktest.Eventually(t, "the registry is asked", func() bool { return w.Platform.Calls("POST drivers/resolve") > 0 })
	w.Platform.Unplaced("twin-p-1", false)
	linktest.Eventually(t, "the payload is acknowledged", func() bool { return len(got.list()) == 1 })
	if parked, n := w.Platform.Parked(), readings(w, "p-1"); len(parked) > 0 || !slices.Equal(n, []float64{7}) {
		t.Errorf("parked: %v, read: %v", parked, n)
	}
}

// What is parked has orders free behind it for all that it may become; the line in the twin's log takes none of them.
func TestWhatIsParkedHasRoom(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", `function decodeUplink() { throw new Error('no'); }`))
	w.Platform.Use("twin-p-2", api.UsedDriver{Name: "acme", Parked: "it is in quarantine"})
	for _, ref := range []device.Ref{"p-1", "p-2"} {
		s := l.Open("s-"+string(ref), ref, 1, nil)
		var got acks
		for range 3 {
			say(s, []byte{1}, got.of("x"))
		}
		linktest.Eventually(t, "all are acknowledged", func() bool { return len(got.list()) == 3 })
		var orders []int64
		for _, m := range append(w.Platform.Parked(), w.Platform.Stored(linktest.TwinOf(ref))...) {
			if m.Twin == linktest.TwinOf(ref) {
				orders = append(orders, m.Order.Seq)
			}
		}
		slices.Sort(orders)
		if len(orders) != 4 { // three payloads, one line of the log
			t.Fatalf("%s: %d messages", ref, len(orders))
		}
		for i := range orders[1:] {
			if room := orders[i+1] - orders[i]; room < driver.MaxMessages && i != 1 {
				t.Errorf("%s: the orders are %v", ref, orders)
			}
		}
	}
}

func TestNormalisedData(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	u := script(w, "acme", "1.0.0", counter+`function normalizeUplink(i) { return {data: {n: i.data.n * 2}}; }`)
	plain := u
	u.Normalised = true
	w.Platform.Use("twin-p-1", u)
	w.Platform.Use("twin-p-2", plain)
	var got acks
	for _, ref := range []device.Ref{"p-1", "p-2"} {
		say(l.Open("s-"+string(ref), ref, 1, nil), []byte{21}, got.of(string(ref)))
	}
	linktest.Eventually(t, "both are acknowledged", func() bool { return len(got.list()) == 2 })
	if one, two := readings(w, "p-1"), readings(w, "p-2"); !slices.Equal(one, []float64{42}) || !slices.Equal(two, []float64{21}) {
		t.Errorf("normalised %v, as decoded %v", one, two)
	}
}

// Two types share a document that tells its units; each gets values in its own, in whatever batch they are.
func TestUnitsOfTheType(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	u := w.Platform.Driver("deg", "1.0.0", driver.Declarative, []byte("castor: 1\nuplink:\n  fields:\n    - {name: n, type: u8, unit: Cel}\n"))
	wants := []map[string]string{nil, {"n": "K"}, {"n": "[degF]"}, {"n": "m"}}
	var got acks
	for i, units := range wants {
		ref := device.Ref(fmt.Sprintf("p-%d", i))
		u.Units = units
		w.Platform.Use(linktest.TwinOf(ref), u)
		say(l.Open("s-"+string(ref), ref, 1, nil), []byte{100}, got.of(string(ref)))
	}
	w.Platform.Use("twin-p-4", api.UsedDriver{Format: "senml+json", Units: map[string]string{"n": "K"}})
	say(l.Open("s-p-4", "p-4", 1, nil), []byte(`[{"n":"n","u":"Cel","v":100}]`), got.of("p-4"))
	linktest.Eventually(t, "all are acknowledged", func() bool { return len(got.list()) == 5 })
	for i, want := range []float64{100, 373.15, 212, 100, 373.15} {
		if n := readings(w, device.Ref(fmt.Sprintf("p-%d", i))); !slices.Equal(n, []float64{want}) {
			t.Errorf("device %d says %v, want %v", i, n, want)
		}
	}
	if log := lines(w, "p-3"); len(log) != 1 || !strings.Contains(log[0], "n is in Cel and stays so, although the type has it in m") {
		t.Errorf("what cannot be converted is told: %q", log)
	}
}

func seqsOf(messages []telemetry.Message) (out []int64) {
	for _, m := range messages {
		out = append(out, m.Order.Seq)
	}
	return out
}

// Nothing that a driver does may cost another's messages, or its own device's next ones: what cannot be read is parked as it came.
func TestADriverThatMisbehavesHurtsItselfOnly(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		reason string
		grave  bool
	}{
		"an endless loop":          {`while (true) {}`, "timeout", true},
		"a memory bomb":            {`const a = []; while (true) a.push(new Uint8Array(1 << 20).fill(1));`, "memory", true},
		"an output bomb":           {`return {data: {s: 'x'.repeat(400000)}};`, "output", true},
		"a recursion":              {`function f() { return f() + 1; } f();`, "exception", false},
		"an exception":             {`throw new Error('no such frame');`, "no such frame", false},
		"errors":                   {`return {errors: ['bad checksum']};`, "bad checksum", false},
		"a built-in without end":   {`[].indexOf.call({length: 2**53-1}, 1);`, "timeout", true},
		"a long join":              {`return {data: {n: new Array(1e8).join('x').length}};`, "", true},
		"a text of 100 MB":         {`return {data: {s: 'x'.repeat(100e6)}};`, "", true},
		"a value that is none":     {`return {data: {['x'.repeat(200)]: 1}};`, "must have a name", false},
		"data that is no object":   {`return {data: 7};`, "", false},
		"too many values":          {`const d = {}; for (let k = 0; k < 600; k++) d['v' + k] = k; return {data: d};`, "more than 500 values", false},
		"prototypes that it soils": {`Object.prototype.n = 66; Array.prototype.map = null; throw new Error('done');`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := linktest.NewWorld(t)
			l := decoding(t, w, &far{}, nil)
			bad := script(w, "bad", "1.0.0", `function decodeUplink(i) { if (i.bytes[0] == 13) {`+c.code+`} return {data: {n: i.bytes[0]}}; }`)
			w.Platform.Use("twin-p-1", bad)
			w.Platform.Use("twin-p-2", script(w, "good", "1.0.0", counter))
			guilty, good, plain := l.Open("s-1", "p-1", 1, nil), l.Open("s-2", "p-2", 1, nil), l.Open("s-3", "p-3", 1, nil)
			var got acks
			say(guilty, []byte{1}, got.of("1"))
			say(guilty, []byte{13}, got.of("13"))
			say(guilty, []byte{2}, got.of("2"))
			for i := range 20 {
				say(good, []byte{byte(i)}, got.of("good"))
				publish(plain, `{"n":1}`, got.of("plain"))
			}
			linktest.Eventually(t, "all is acknowledged", func() bool { return len(got.list()) == 43 })
			if n := len(readings(w, "p-2")); n != 20 {
				t.Errorf("%d readings of the good driver's device", n)
			}
			if n := len(readings(w, "p-3")); n != 20 {
				t.Errorf("%d readings of the device without a driver", n)
			}
			if n := readings(w, "p-1"); !slices.Equal(n, []float64{1, 2}) {
				t.Errorf("readings of its own device: %v", n)
			}
			parked := w.Platform.Parked()
			if len(parked) != 1 {
				t.Fatalf("parked: %+v", parked)
			}
			m := parked[0]
			if string(m.Raw) != "\x0d" || m.Driver != "bad@1.0.0" || m.Was != telemetry.Telemetry || m.Port != 2 || m.Topic != "castor/p/telemetry" ||
				!strings.Contains(m.Reason, c.reason) || !strings.Contains(m.Reason, "bad@1.0.0") {
				t.Errorf("parked: %+v", m)
			}
			if all := lines(w, "p-1"); len(all) != 1 || !strings.HasPrefix(all[0], "driver error driver bad@1.0.0: ") || !strings.Contains(all[0], c.reason) {
				t.Errorf("its log: %q", all)
			}
			linktest.Eventually(t, "the registry is told", func() bool { f := w.Platform.Failures("bad"); return f.Failed+f.Grave == 1 })
			if f := w.Platform.Failures("bad"); (f.Grave == 1) != c.grave || f.OK > 2 || f.Version != "1.0.0" || f.Gateway != w.Gateway || !slices.Contains(f.Twins, "twin-p-1") || f.Reason == "" {
				t.Errorf("told: %+v", f)
			}
			if f := w.Platform.Failures("good"); f.Name != "" {
				t.Errorf("told of the good one: %+v", f)
			}
		})
	}
}

func TestRecordsAreMessagesInOrderBeforeTheirOwn(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", w.Platform.Driver("history", "1.0.0", driver.Declarative, []byte(`castor: 1
uplink:
- fields:
  - {name: n, type: u8}
  - repeat: 2
    records: true
    fields: [{name: n, type: u8}]
`)))
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	say(s, []byte{3, 1, 2}, got.of("a"))
	say(s, []byte{6, 4, 5}, got.of("b"))
	linktest.Eventually(t, "both are acknowledged", func() bool { return len(got.list()) == 2 })
	if n := readings(w, "p-1"); !slices.Equal(n, []float64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("readings %v, parked %+v", n, w.Platform.Parked())
	}
	stored := w.Platform.Stored("twin-p-1")
	for i := 1; i < len(stored); i++ {
		if !stored[i].Order.After(stored[i-1].Order) {
			t.Errorf("orders %v", seqsOf(stored))
		}
	}
}

func TestFormatsWithoutADriver(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	var got acks
	for i, c := range []struct {
		format, told, payload string
	}{
		{"plain", "", "21.5"},
		{"senml+json", "", `[{"n":"value","v":21.5}]`},
		{"", "senml+json", `[{"n":"value","v":21.5}]`},
		{"compact", "", "\xa1\x07\xfb\x40\x35\x80\x00\x00\x00\x00\x00"},
		{"", "json", `{"data":{"value":21.5}}`},
		{"json", "", `{"value":21.5}`},
		{"plain", "json", "21.5"},
	} {
		ref := device.Ref(fmt.Sprintf("p-%d", i))
		w.Platform.Use(linktest.TwinOf(ref), api.UsedDriver{Format: c.format, IDs: map[int64]string{7: "value"}})
		s := l.Open("s-1", ref, 1, nil)
		s.ReportAs(link.Incoming{Kind: telemetry.Telemetry, Payload: []byte(c.payload), Received: time.Now(), Format: c.told}, func(r link.Receipt) { got.of("ok")(r.Stored) })
		linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == i+1 })
		stored := w.Platform.Stored(linktest.TwinOf(ref))
		if len(stored) != 1 || len(stored[0].Samples) != 1 || stored[0].Samples[0] != (telemetry.Sample{Property: "value", Value: 21.5}) {
			t.Errorf("%+v: stored %+v, parked %+v", c, stored, w.Platform.Parked())
		}
	}
}

// A driver is asked when it is known which one counts, and not acknowledged for before what it gave is stored.
func TestMessagesWaitForTheRegistryAndForTheStore(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, func(c *link.Config) { c.Limits.Backoff = 20 * time.Millisecond })
	w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", counter))
	w.Platform.Fail("drivers", http.StatusServiceUnavailable)
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	done := make(chan struct{})
	go func() { defer close(done); say(s, []byte{7}, got.of("7")) }()
	linktest.Eventually(t, "the registry is asked again", func() bool { return w.Platform.Calls("POST drivers/resolve") > 3 })
	if list := got.list(); len(list) != 0 || len(w.Platform.Parked()) != 0 {
		t.Errorf("acknowledged %v, parked %v", list, w.Platform.Parked())
	}
	w.Platform.Fail("twin-ingest", http.StatusServiceUnavailable)
	w.Platform.Fail("drivers", 0)
	before := w.Platform.Calls("POST twin-ingest/batches")
	linktest.Eventually(t, "twin-ingest is asked again", func() bool { return w.Platform.Calls("POST twin-ingest/batches") > before+3 })
	<-done
	if list := got.list(); len(list) != 0 {
		t.Errorf("acknowledged %v before anything is stored", list)
	}
	w.Platform.Fail("twin-ingest", 0)
	linktest.Eventually(t, "it is acknowledged", func() bool { return slices.Equal(got.list(), []string{"7 true"}) })
	if n := readings(w, "p-1"); !slices.Equal(n, []float64{7}) {
		t.Errorf("readings %v", n)
	}
}

func tell(t testing.TB, w *linktest.World, topic event.Topic, data any) {
	t.Helper()
	if err := w.Bus.Publish(t.Context(), event.New(fmt.Sprint(topic, "#", serial.Add(1)), topic, "", time.Now(), data)); err != nil {
		t.Fatal(err)
	}
}

var serial atomic.Int64

func TestAChangeOfTheDriverTakesEffectAtOnce(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", counter))
	s := l.Open("s-1", "p-1", 1, nil)
	read := func() (last string) {
		var got acks
		say(s, []byte{1}, got.of(""))
		linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 1 })
		stored := w.Platform.Stored("twin-p-1")
		if len(stored) == 0 {
			return ""
		}
		return fmt.Sprint(stored[len(stored)-1].Samples)
	}
	read()
	w.Platform.Use("twin-p-1", script(w, "acme", "1.1.0", `function decodeUplink(i) { return {data: {version: '1.1'}}; }`))
	tell(t, w, event.DriverChanged, api.DriverChanged{Name: "acme", Version: "1.1.0", State: api.DriverActive})
	linktest.Eventually(t, "the new version reads", func() bool { return read() == "[{version 1.1}]" })
	quarantined := script(w, "acme", "1.1.0", `function decodeUplink(i) { return {data: {version: '1.1'}}; }`)
	quarantined.Parked = "driver acme@1.1.0 is in quarantine: it loops"
	w.Platform.Use("twin-p-1", quarantined)
	tell(t, w, event.DriverChanged, api.DriverChanged{Name: "acme", Version: "1.1.0", State: api.DriverQuarantined})
	linktest.Eventually(t, "messages are parked", func() bool { read(); return len(w.Platform.Parked()) > 0 })
	m := w.Platform.Parked()[0]
	if m.Reason != quarantined.Parked || m.Driver != "acme@1.1.0" || m.Was != telemetry.Telemetry || string(m.Raw) != "\x01" {
		t.Errorf("parked: %+v", m)
	}
	if all := lines(w, "p-1"); len(all) != 1 || !strings.Contains(all[0], "in quarantine") {
		t.Errorf("its log: %q", all)
	}
	w.Platform.Use("twin-p-1", api.UsedDriver{})
	tell(t, w, event.TypeChanged, api.TwinChanged{Twin: "pump"})
	linktest.Eventually(t, "the wire contract counts", func() bool {
		var got acks
		publish(s, `{"data":{"plain":1}}`, got.of(""))
		linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 1 })
		stored := w.Platform.Stored("twin-p-1")
		return fmt.Sprint(stored[len(stored)-1].Samples) == "[{plain 1}]"
	})
}

// What waits for a driver is bounded, and holds back the device that sent it; when that goes, nothing of it is acknowledged.
func TestADriverThatIsNotToBeHadHoldsBackItsDevicesOnly(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, func(c *link.Config) { c.Limits.Backoff = 20 * time.Millisecond })
	lost := script(w, "lost", "1.0.0", counter)
	lost.Digest = strings.Repeat("0", 64)
	w.Platform.Use("twin-p-1", lost)
	gone := make(chan struct{})
	held, other := l.Open("s-1", "p-1", 1, gone), l.Open("s-2", "p-2", 1, nil)
	var got, free acks
	const most = 2_000
	sent := make(chan int, 1)
	go func() {
		n := 0
		for ; n < most; n++ {
			select {
			case <-gone:
				sent <- n
				return
			default:
				say(held, make([]byte, 1<<10), got.of("held"))
			}
		}
		sent <- n
	}()
	linktest.Eventually(t, "the decoder is full", func() bool { return l.Stats().Waiting >= 300 })
	publish(other, `{"n":1}`, free.of("other"))
	linktest.Eventually(t, "another device is acknowledged", func() bool { return slices.Equal(free.list(), []string{"other true"}) })
	close(gone)
	if n := <-sent; n >= most/2 {
		t.Errorf("%d messages were taken", n)
	}
	if list := got.list(); slices.Contains(list, "held true") {
		t.Errorf("acknowledged: %v", list[:min(len(list), 5)])
	}
	w.Platform.Use("twin-p-1", script(w, "lost", "1.0.1", counter))
	linktest.Eventually(t, "what was taken is read when there is one", func() bool { return len(readings(w, "p-1")) >= 300 })
}
