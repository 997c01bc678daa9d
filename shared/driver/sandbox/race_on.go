//go:build race

package sandbox

// What the race detector costs in programs that are built with it, workers too: so much more memory, and time of a call.
const (
	raceMemory = 8
	raceTime   = 10
)
