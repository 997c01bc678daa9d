package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An Outcome is what became of a payload that a driver was to read.
type Outcome string

// The outcomes.
const (
	Decoded      Outcome = "decoded"
	DecodeEmpty  Outcome = "empty"  // the driver found no values in it, which is no failure
	DecodeFailed Outcome = "failed" // an exception, a refusal, an answer that cannot be taken
	DecodeGrave  Outcome = "grave"  // it cost a worker, or would have: time, memory, output
	DecodeParked Outcome = "parked" // nobody was asked: the driver is in quarantine, or none is for the device
)

// maxDrivers bounds the label of drivers, whose names people choose.
const maxDrivers = 500

var (
	decodes = newCounter("castor_driver_decodes_total",
		"Payloads of devices by the version of the driver that reads them (other: beyond the first 500) and what became of them: decoded, empty (no values in them), failed, grave (too long, too much memory or output), parked (not tried).",
		"driver", "outcome")
	decodeSeconds = newHistogram("castor_driver_decode_seconds",
		"Time from a payload's arrival at the gateway to the driver's answer, by the kind of the driver.",
		[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}, "kind")
)

// A Verdict is what the registry did about a driver that misbehaves.
type Verdict string

// The verdicts.
const (
	VersionQuarantined Verdict = "quarantined" // no device is read with the version until somebody promotes one
	TwinsBlocked       Verdict = "blocked"     // a few twins alone made it fail: theirs are parked, the others' go on
)

var verdicts = func() map[Verdict]prometheus.Counter {
	c := newCounter("castor_driver_verdicts_total",
		"Versions of drivers that function drivers stopped for misbehaving: quarantined (for all devices), blocked (for twins whose messages alone made it fail).", "verdict")
	// They are there from the start: of a series that begins at 1 no alert hears.
	return map[Verdict]prometheus.Counter{VersionQuarantined: c.WithLabelValues(string(VersionQuarantined)), TwinsBlocked: c.WithLabelValues(string(TwinsBlocked))}
}()

// DriverStopped counts a verdict.
func DriverStopped(v Verdict) { verdicts[v].Inc() }

var driverNames struct {
	sync.Mutex
	seen map[string]bool
}

// Decodes counts a payload by the version of its driver.
func Decodes(driver string, o Outcome) {
	driverNames.Lock()
	if !driverNames.seen[driver] {
		if len(driverNames.seen) >= maxDrivers {
			driver = "other"
		} else {
			if driverNames.seen == nil {
				driverNames.seen = map[string]bool{}
			}
			driverNames.seen[driver] = true
		}
	}
	driverNames.Unlock()
	decodes.WithLabelValues(driver, string(o)).Inc()
}

// DecodeTook counts how long it took until a driver of that kind had answered.
func DecodeTook(kind string, d time.Duration) {
	decodeSeconds.WithLabelValues(kind).Observe(max(d, 0).Seconds())
}
