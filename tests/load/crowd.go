package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// of is a size of this run: n times -scale, at least 1.
func (b *bench) of(n int) int { return max(1, int(float64(n)*b.scale)) }

// needFiles raises how many files this process, and those that it starts, may have open as far as it may, and fails if n are
// more than that.
func needFiles(n int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur < l.Max {
		l.Cur = l.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
			return err
		}
	}
	if l.Cur < uint64(n) {
		return fmt.Errorf("it needs %d open files and may have %d: raise the hard limit (ulimit -Hn), or measure less (-scale %.2f)", n, l.Cur, float64(l.Cur)/float64(n)/2)
	}
	return nil
}

// from dials from an address of its own for each i, below 127.0.0.0/8: devices come from many places, and a gateway's limits by
// address would be all that is measured if they did not. Groups are apart from each other.
func from(group byte, i int) *net.Dialer {
	a := netip.AddrFrom4([4]byte{127, 16 + group, byte(i / 250), byte(1 + i%250)})
	return &net.Dialer{Timeout: 20 * time.Second, LocalAddr: &net.TCPAddr{IP: a.AsSlice()}}
}

// The groups of addresses.
const (
	newDevices byte = iota
	knownDevices
	attackers
)

// each calls do for 0 to n-1, all at once, and returns the first error with how many there were.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	errs := make(chan error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(ctx, i); err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	if len(errs) > 0 {
		return fmt.Errorf("%d of %d failed, the first: %w", len(errs), n, <-errs)
	}
	return nil
}
