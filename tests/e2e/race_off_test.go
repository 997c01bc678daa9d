//go:build !race

package e2e

// share of the attacks that a hostile caller makes, 1 in so many: in one process, in processes, and with fields of right bodies; and
// what this process may take meanwhile: platform and callers, before the garbage is collected.
const (
	attackEvery          = 1
	attackEveryProcesses = 2
	fieldEvery           = 1
	memoryBound          = 2 << 30
)
