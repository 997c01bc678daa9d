//go:build race

package sandbox

// slow is how much slower everything is that the race detector watches, the workers too.
const slow = 10
