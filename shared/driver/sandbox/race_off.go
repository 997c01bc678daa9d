//go:build !race

package sandbox

const (
	raceMemory = 1
	raceTime   = 1
)
