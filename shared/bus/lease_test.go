package bus_test

import (
	"errors"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
)

func isLost(l *bus.Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

func TestALeaseHasOneHolderAndIsRenewed(t *testing.T) {
	w := newWorld(t)
	a, b := w.connect(), w.connect()
	held, err := a.Lease(t.Context(), "gateway/op-1", "a", 3*time.Second) // lost if it cannot be renewed for that long, as on a machine that stands still
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5500 * time.Millisecond); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		if _, err := b.Lease(t.Context(), "gateway/op-1", "b", time.Second); !errors.Is(err, bus.ErrHeld) {
			t.Fatalf("somebody holds it: got %v, want ErrHeld", err)
		}
	}
	if isLost(held) {
		t.Fatal("it was lost although it could be renewed")
	}
	other, err := b.Lease(t.Context(), "gateway/op-2", "b", time.Second)
	if err != nil {
		t.Fatalf("another lease: %v", err)
	}
	defer other.Release(t.Context())
	for range 2 {
		if err := held.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !isLost(held) {
		t.Error("a released lease is not lost")
	}
	next, err := b.Lease(t.Context(), "gateway/op-1", "b", time.Second)
	if err != nil {
		t.Fatalf("it was released: %v", err)
	}
	defer next.Release(t.Context())
	if next.Epoch() <= held.Epoch() {
		t.Errorf("epoch %d after %d, want a larger one", next.Epoch(), held.Epoch())
	}
	if err := held.Release(t.Context()); err != nil || isLost(next) {
		t.Errorf("the old holder's release hurts the new one: %v", err)
	}
}

// Nobody releases the lease of a process that died: it runs out.
func TestALeaseOfADeadHolderRunsOut(t *testing.T) {
	w := newWorld(t)
	dead, b := w.connect(), w.connect()
	held, err := dead.Lease(t.Context(), "x", "dead", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	eventually(t, "the holder knows that it has lost it", func() bool { return isLost(held) })
	var next *bus.Lease
	eventually(t, "somebody else has it", func() bool {
		next, err = b.Lease(t.Context(), "x", "b", time.Second)
		return err == nil
	})
	defer next.Release(t.Context())
	if next.Epoch() <= held.Epoch() {
		t.Errorf("epoch %d after %d, want a larger one", next.Epoch(), held.Epoch())
	}
}

// While the server is away a holder can not know whether it is still the only one.
func TestALeaseIsLostWhenTheServerIsAwayTooLong(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	held, err := b.Lease(t.Context(), "x", "b", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	w.stop()
	eventually(t, "it is lost", func() bool { return isLost(held) })
	w.start()
	eventually(t, "it can be taken again", func() bool {
		next, err := b.Lease(t.Context(), "x", "b", time.Second)
		if err != nil {
			return false
		}
		if next.Epoch() <= held.Epoch() {
			t.Errorf("epoch %d after %d, want a larger one", next.Epoch(), held.Epoch())
		}
		return next.Release(t.Context()) == nil
	})
}

func TestAShortRestartKeepsALease(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	held, err := b.Lease(t.Context(), "x", "b", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release(t.Context())
	w.stop()
	w.start()
	eventually(t, "the bus is back", func() bool { return b.Ping(t.Context()) == nil })
	if _, err := b.Lease(t.Context(), "x", "c", time.Second); !errors.Is(err, bus.ErrHeld) || isLost(held) {
		t.Errorf("lost %v, and another try gets %v, want ErrHeld", isLost(held), err)
	}
}

func TestALeaseOfLessThanASecondIsRefused(t *testing.T) {
	b := newWorld(t).connect()
	if _, err := b.Lease(t.Context(), "x", "b", 900*time.Millisecond); !errors.Is(err, bus.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// A release that breaks a renewal off leaves nothing held, whichever of the two the server sees last.
func TestAReleaseDuringARenewalFreesTheLease(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	for i := range 40 {
		held, err := b.Lease(t.Context(), "gateway/op-1", "a", time.Second)
		if err != nil {
			t.Fatalf("round %d: the lease was released and is %v", i, err)
		}
		<-time.After(250*time.Millisecond + time.Duration(i*20)*time.Microsecond) // renewals come every quarter of a second
		if err := held.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
