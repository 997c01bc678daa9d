//go:build !race

package e2e

// share of the attacks that a hostile caller makes, 1 in so many: in one process, in processes, and with fields of right bodies; and
// what this process may take meanwhile: platform and callers, before the garbage is collected; crowd is how many devices report while
// the platform grows.
const (
	attackEvery          = 1
	attackEveryProcesses = 2
	fieldEvery           = 1
	crowd                = 200
	memoryBound          = 2 << 30
)
