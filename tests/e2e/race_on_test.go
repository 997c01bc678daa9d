//go:build race

package e2e

// share of the attacks that a hostile caller makes in one process, 1 in so many, and what this process may take meanwhile:
// the race detector makes all of it five times as slow and as large.
const attackEvery, memoryBound = 3, 8 << 30
