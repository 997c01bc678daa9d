package mosquitto_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/castor-iot/castor/connectors/gateway/mosquitto"
)

// The list is there before mosquitto is, which does not start without it, also when the platform comes late.
func TestTheListIsWrittenBeforeMosquittoIsThere(t *testing.T) {
	asked := 0
	r := mosquitto.Revocations{File: filepath.Join(t.TempDir(), "revoked.pem"), Reload: func() error { return errors.New("no such process") },
		Get: func(context.Context) ([]byte, error) {
			if asked++; asked == 1 {
				return nil, errors.New("the platform is away")
			}
			return []byte("list"), nil
		}}
	faults := 0
	r.Begin(t.Context(), func(error) { faults++ })
	if b, err := os.ReadFile(r.File); err != nil || string(b) != "list" || faults != 2 {
		t.Errorf("the file has %q, %v, after %d faults", b, err, faults)
	}
}

// Many who are let in at once share a list, which is asked for after the last of them has come; who gives up takes nobody along.
func TestManyShareAList(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		hold := make(chan struct{})
		r := mosquitto.Revocations{File: filepath.Join(dir, "revoked.pem"), Reload: func() error { return nil },
			Get: func(ctx context.Context) ([]byte, error) {
				asked.Add(1)
				<-hold
				return []byte("list"), ctx.Err()
			}}
		var all sync.WaitGroup
		refresh := func(ctx context.Context, want error) {
			all.Go(func() {
				if err := r.Refresh(ctx); !errors.Is(err, want) {
					t.Errorf("it ends with %v, want %v", err, want)
				}
			})
			synctest.Wait()
		}
		refresh(t.Context(), nil)
		gone, leave := context.WithCancel(t.Context())
		refresh(gone, context.Canceled) // it would lead the next round
		for range 200 {
			refresh(t.Context(), nil)
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("%d lists are asked for while one is under way", n)
		}
		leave()
		synctest.Wait()
		close(hold)
		all.Wait()
		if n := asked.Load(); n != 2 {
			t.Errorf("%d lists were asked for, want one for the first and one for all others", n)
		}
	})
}
