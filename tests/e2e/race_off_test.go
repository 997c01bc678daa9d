//go:build !race

package e2e

// share of the attacks that a hostile caller makes in one process, 1 in so many, and what this process may take meanwhile:
// platform and callers, before the garbage is collected.
const attackEvery, memoryBound = 1, 2 << 30
