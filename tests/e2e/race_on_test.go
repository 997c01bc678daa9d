//go:build race

package e2e

// share of the attacks that a hostile caller makes, 1 in so many: in one process, in processes, and with fields of right bodies; and
// what this process may take meanwhile: platform and callers, before the garbage is collected; crowd is how many devices report while
// the platform grows. The race detector makes all of it five
// times as slow and as large, so that every attack on an operation, and every wrong field, comes from one of its callers, not from all.
const (
	attackEvery          = 8
	attackEveryProcesses = 8
	fieldEvery           = 3
	crowd                = 60
	memoryBound          = 8 << 30
)
