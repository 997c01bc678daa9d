package telemetry

import (
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// Ahead is how far a device's clock may run before ours and still be believed.
const Ahead = 10 * time.Minute

// built is before every device of this platform; a clock that shows less was never set.
var built = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Clock tells what is doubtful about a device's time: "" if nothing, so that a backlog of years is fine.
func Clock(device, received time.Time) twin.Flag {
	switch {
	case device.Before(built):
		return twin.ClockUnset
	case device.After(received.Add(Ahead)):
		return twin.ClockAhead
	}
	return ""
}

// When is the time a message counts for: the device's where it is plausible, else the time it was received.
func (m *Message) When() time.Time {
	if m.Time.IsZero() || Clock(m.Time, m.Received) != "" {
		return m.Received
	}
	return m.Time
}
