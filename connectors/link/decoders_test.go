package link_test

import (
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// What waits for a driver when it comes into quarantine is parked, and not first read by it to the end.
func TestWhatWaitsForADriverInQuarantineIsParkedAtOnce(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	bad := script(w, "bad", "1.0.0", "function decodeUplink() { for (;;) {} }")
	bad.Limit = twin.Duration(50 * time.Millisecond) // it never answers in time, however slow the machine is
	w.Platform.Use("twin-p-1", bad)
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	for range 150 {
		say(s, []byte{13}, got.of(""))
	}
	linktest.Eventually(t, "a failure is told of", func() bool { return w.Platform.Failures("bad").Grave > 0 }) // each costs a worker
	bad.Parked = "driver bad@1.0.0 is in quarantine: it loops"
	w.Platform.Use("twin-p-1", bad)
	tell(t, w, event.DriverChanged, api.DriverChanged{Name: "bad", Version: "1.0.0", State: api.DriverQuarantined})
	linktest.Eventually(t, "all is acknowledged", func() bool { return len(got.list()) == 150 })
	if n := len(w.Platform.Parked()); n != 150 {
		t.Errorf("%d are parked", n)
	}
	if n := w.Platform.Failures("bad").Grave; n > 90 {
		t.Errorf("it was called %d times although it fails gravely each time", n)
	}
}
