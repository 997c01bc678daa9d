// Package ports gives tests addresses for what must know its own before it listens, or has it again when it is started anew.
package ports

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

// They are below those that systems take for connections: a port of those, asked for and let go, may be somebody's when it is needed.
const first, last = 18_000, 31_999

var given struct {
	sync.Mutex
	last int
}

// Free is an address of this machine that nobody listens at. They are given out one after the other, and each program of tests begins
// elsewhere: several run at once.
func Free(t testing.TB) string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.last == 0 {
		given.last = first + os.Getpid()*997%(last-first)
	}
	for range last - first {
		if given.last++; given.last > last {
			given.last = first
		}
		address := fmt.Sprintf("127.0.0.1:%d", given.last)
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}
