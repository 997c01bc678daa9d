package drivers

import (
	"context"
	"sync"
	"time"
)

// ReadFor has redrives hand over what they have read after this time, and returns what undoes it.
func ReadFor(d time.Duration) (undo func()) {
	before := readFor
	readFor = d
	return func() { readFor = before }
}

// Slow has calls of one driver's on_event take an hour, and those of others no time, and returns what undoes it.
func Slow(driver string) (undo func()) {
	before := tookOf
	tookOf = func(key versionKey, _ time.Time) time.Duration {
		if key.name == driver {
			return time.Hour
		}
		return 0
	}
	return func() { tookOf = before }
}

// OwnTime has the own time of calls be over when end is called, whatever the clock says, and returns what undoes it, too.
func OwnTime() (end, undo func()) {
	before := withTime
	var mu sync.Mutex
	var ends []context.CancelCauseFunc
	withTime = func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		mu.Lock()
		defer mu.Unlock()
		ends = append(ends, cancel)
		return ctx, func() { cancel(nil) }
	}
	end = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, cancel := range ends {
			cancel(errOver)
		}
	}
	return end, func() { withTime = before }
}

// LookAt has a sweep look at so many twins of which something waits, and returns what undoes it.
func LookAt(twins int) (undo func()) {
	before := maxGoOn
	maxGoOn = twins
	return func() { maxGoOn = before }
}
