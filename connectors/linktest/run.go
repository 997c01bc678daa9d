package linktest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Go runs a connector until stop is called or the test ends. It must end well, and in time.
func Go(t testing.TB, run func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the connector ended with %v", err)
			}
		case <-time.After(Patience):
			t.Error("the connector does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}
