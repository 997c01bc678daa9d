package link_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// What a device says of its state is the wire contract's, whatever reads its telemetry, and even while nothing reads that; a type's
// format counts for both.
func TestStateIsTheWireContracts(t *testing.T) {
	for name, c := range map[string]struct {
		used    func(w *linktest.World) api.UsedDriver
		payload string
		want    string // "" = parked
	}{
		"a driver": {func(w *linktest.World) api.UsedDriver { return script(w, "acme", "1.0.0", counter) }, `{"data":{"firmware":"1.4.2"}}`, "firmware=1.4.2"},
		"a driver in quarantine": {func(w *linktest.World) api.UsedDriver {
			u := script(w, "acme", "1.0.0", counter)
			u.Parked = "x"
			return u
		}, `{"firmware":"1.4.2"}`, "firmware=1.4.2"},
		"a driver, CBOR":      {func(w *linktest.World) api.UsedDriver { return script(w, "acme", "1.0.0", counter) }, "\xa1\x61n\x07", "n=7"},
		"a driver, and bytes": {func(w *linktest.World) api.UsedDriver { return script(w, "acme", "1.0.0", counter) }, "\x07", ""},
		"a format":            {func(*linktest.World) api.UsedDriver { return api.UsedDriver{Format: "senml+json"} }, `[{"n":"n","v":7}]`, "n=7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := linktest.NewWorld(t)
			l := decoding(t, w, &far{}, nil)
			w.Platform.Use("twin-p-1", c.used(w))
			var got acks
			l.Open("s-1", "p-1", 1, nil).Publish(telemetry.State, "castor/p-1/state/reported", []byte(c.payload), time.Now(), got.of("it"))
			linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 1 })
			var read []string
			for _, m := range w.Platform.Stored("twin-p-1") {
				for _, s := range m.Samples {
					if m.Kind == telemetry.State {
						read = append(read, fmt.Sprintf("%s=%v", s.Property, s.Value))
					}
				}
			}
			if strings.Join(read, " ") != c.want || (len(w.Platform.Parked()) == 1) != (c.want == "") {
				t.Errorf("stored %q, parked %+v; want %q", read, w.Platform.Parked(), c.want)
			}
		})
	}
}

// The firmware by which the driver's version is chosen may come as state.
func TestNewFirmwareIsHeardOfAsState(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	u := script(w, "acme", "1.0.0", counter)
	u.Firmware = "firmware"
	w.Platform.Use("twin-p-1", u)
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	tells := func(version string) {
		s.Publish(telemetry.State, "castor/p-1/state/reported", fmt.Appendf(nil, `{"firmware":%q}`, version), time.Now(), got.of(version))
	}
	tells("1.0.0")
	linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 1 })
	before := w.Platform.Calls("POST drivers/resolve")
	next := script(w, "acme", "2.0.0", `function decodeUplink(i) { return {data: {n: 100 + i.bytes[0]}}; }`)
	next.Firmware = "firmware"
	w.Platform.Use("twin-p-1", next)
	tells("2.0.0")
	linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 2 })
	say(s, []byte{7}, got.of("reading"))
	linktest.Eventually(t, "the reading is acknowledged", func() bool { return len(got.list()) == 3 })
	if n := readings(w, "p-1"); len(n) != 1 || n[0] != 107 || w.Platform.Calls("POST drivers/resolve") == before {
		t.Errorf("read %v, want 107 by the new version", n)
	}
}

// A device that reboots with new firmware sends new payloads at once: what is believed of its driver does not outlast that.
func TestNewFirmwareMayHaveAnotherVersion(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	u := script(w, "acme", "1.0.0", `function decodeUplink(i) { return {data: {firmware: i.bytes[0] + '.0', n: i.bytes[1]}}; }`)
	u.Firmware = "firmware"
	w.Platform.Use("twin-p-1", u)
	s := l.Open("s-1", "p-1", 1, nil)
	read := func(payload ...byte) {
		var got acks
		say(s, payload, got.of(""))
		linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 1 })
	}
	const resolve = "POST drivers/resolve"
	for range 4 {
		read(1, 1)
	}
	if n := w.Platform.Calls(resolve); n != 2 {
		t.Errorf("%d questions, want one at first and one when the firmware is known", n)
	}
	next := script(w, "acme", "2.0.0", `function decodeUplink(i) { return {data: {n: 100 + i.bytes[1]}}; }`)
	w.Platform.Use("twin-p-1", next)
	read(2, 1)
	read(2, 2)
	if n := readings(w, "p-1"); !slices.Equal(n, []float64{1, 1, 1, 1, 1, 102}) {
		t.Errorf("readings %v", n)
	}
}

// A twin that has no place costs its session the wait for one once, not with each message.
func TestATwinThatHasNoPlace(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Unplaced("twin-p-1", true)
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	const n = 20 // each of which would wait for 10 s
	for i := range n {
		say(s, []byte(`{"data":{"n":1}}`), got.of(fmt.Sprint(i)))
	}
	linktest.Eventually(t, "all are acknowledged", func() bool { return len(got.list()) == n })
	if asked := w.Platform.Calls("POST drivers/resolve"); asked > 7 {
		t.Errorf("it was asked %d times, want once for each look that there is", asked)
	}
}

// Devices of all lanes come at once: the code of their driver is fetched as often as one needs it.
func TestCodeIsFetchedOnce(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	u := script(w, "acme", "1.0.0", counter)
	var got acks
	var all sync.WaitGroup
	const n = 40
	for i := range n {
		ref := device.Ref(fmt.Sprint("p-", i))
		w.Platform.Use(linktest.TwinOf(ref), u)
		s := l.Open("s-"+string(ref), ref, 1, nil)
		all.Go(func() { say(s, []byte{byte(i)}, got.of(string(ref))) })
	}
	all.Wait()
	linktest.Eventually(t, "all are acknowledged", func() bool { return len(got.list()) == n })
	if asked := w.Platform.Calls("GET drivers/code"); asked != 1 {
		t.Errorf("the code was fetched %d times", asked)
	}
}
