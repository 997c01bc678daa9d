//go:build race

package link_test

// slow is how much slower everything is that the race detector watches, the workers for drivers too.
const slow = 10
