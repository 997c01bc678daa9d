package metrics

import "time"

// A Reaction is what came of a call of a driver's on_event.
type Reaction string

// The reactions.
const (
	Reacted      Reaction = "reacted"
	ReactRefused Reaction = "refused" // the driver's own word about the message
	ReactFailed  Reaction = "failed"  // an exception, an answer that cannot be taken
	ReactGrave   Reaction = "grave"   // it cost a worker, or would have: time, memory, output
	ReactPassed  Reaction = "passed"  // nobody was asked: the driver has no on_event or is in quarantine, or the type does not let it react any more
)

var (
	reactions = newCounter("castor_driver_reactions_total",
		"What drivers were told of by their on_event, by what came of it: reacted, refused (by the driver), failed, grave (too long, too much memory or output), passed (not called).", "outcome")
	reactSeconds = newHistogram("castor_driver_reaction_seconds", "Time that a driver's on_event took for all that one event twin.heard tells of.",
		[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60})
)

// Reacts counts a reaction.
func Reacts(r Reaction) { reactions.WithLabelValues(string(r)).Inc() }

// ReactTook counts how long the calls for one event took.
func ReactTook(d time.Duration) { reactSeconds.WithLabelValues().Observe(max(d, 0).Seconds()) }
