// Package pause waits: for a time, and no longer than somebody wants the waiting to go on.
package pause

import (
	"context"
	"time"
)

// For waits for d. It tells whether d has passed: false means that ctx has ended.
func For(ctx context.Context, d time.Duration) bool { return Unless(ctx, nil, d) }

// Unless is For that ends with false when done is closed as well. A nil done never is.
func Unless(ctx context.Context, done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-done:
	case <-ctx.Done():
	}
	return false
}
