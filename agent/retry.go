package agent

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// Retry is the pause between attempts.
type Retry struct {
	Min time.Duration
	Max time.Duration
}

// A backoff is one series of attempts.
type backoff struct {
	Retry
	failures int
}

func (r Retry) start() *backoff {
	r.Min, r.Max = cmp.Or(r.Min, time.Second), cmp.Or(r.Max, time.Minute)
	return &backoff{Retry: r}
}

// next is how long to wait now: between half and all of a time that doubles with each failure, so that devices which
// lost the same gateway do not all come back at once.
func (b *backoff) next() time.Duration {
	d := b.Max
	if b.failures < 32 {
		d = min(b.Max, b.Min<<b.failures)
	}
	if d <= 0 { // the shift went over
		d = b.Max
	}
	b.failures++
	return d/2 + rand.N(d/2+1)
}

// reset begins anew: something has worked.
func (b *backoff) reset() { b.failures = 0 }
