//go:build !race

package sandbox

const slow = 1
