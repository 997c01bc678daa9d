//go:build !race

package link_test

const slow = 1
