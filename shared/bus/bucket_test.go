package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/bus"
)

func openBucket(t *testing.T, b *bus.Bus, name string) *bus.Bucket {
	t.Helper()
	k, err := b.Bucket(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func put(t *testing.T, k *bus.Bucket, key, value string) uint64 {
	t.Helper()
	revision, err := k.Put(t.Context(), key, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestABucketKeepsTheLatestValue(t *testing.T) {
	k := openBucket(t, newWorld(t).connect(), "gateway-1")
	if _, err := k.Get(t.Context(), "d:1"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a key that never was: got %v, want ErrNotFound", err)
	}
	first := put(t, k, "d:1", "a")
	second := put(t, k, "d:1", "b")
	e, err := k.Get(t.Context(), "d:1")
	if err != nil || e.Key != "d:1" || string(e.Value) != "b" || e.Revision != second || second <= first {
		t.Errorf("got %+v (%v), want b at revision %d", e, err, second)
	}
	third, err := k.Delete(t.Context(), "d:1")
	if err != nil || third <= second {
		t.Errorf("delete: revision %d after %d (%v)", third, second, err)
	}
	if _, err := k.Get(t.Context(), "d:1"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a deleted key: got %v, want ErrNotFound", err)
	}
	fourth, err := k.Create(t.Context(), "d:1", []byte("c"))
	if err != nil || fourth <= third {
		t.Errorf("create after delete: revision %d after %d (%v)", fourth, third, err)
	}
	if _, err := k.Create(t.Context(), "d:1", nil); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("create what exists: got %v, want ErrConflict", err)
	}
	if _, err := k.Update(t.Context(), "d:1", nil, third); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("update of an old revision: got %v, want ErrConflict", err)
	}
	if _, err := k.Update(t.Context(), "d:1", nil, fourth); err != nil {
		t.Errorf("update of the last revision: %v", err)
	}
}

func TestAnyKeyComesBackAsItWas(t *testing.T) {
	k := openBucket(t, newWorld(t).connect(), "keys")
	keys := []string{"a", "a.b", ".", "a:b/c", "*", ">", "=", "=3d", "ü", "a b", "\x00", "00:1B:44", strings.Repeat("%", 256)}
	for _, key := range keys {
		put(t, k, key, key)
	}
	var seen tally
	background(t, func(ctx context.Context) error {
		return k.Watch(ctx, func(e bus.Entry) { seen.add(fmt.Sprintf("%q=%q", e.Key, e.Value)) })
	})
	eventually(t, "all are told", func() bool { return len(seen.all()) == len(keys)+1 })
	for _, key := range keys {
		if seen.of(fmt.Sprintf("%q=%q", key, key)) != 1 {
			t.Errorf("key %q was told %v", key, seen.all())
		}
	}
	for _, key := range []string{"", strings.Repeat("x", 257)} {
		if _, err := k.Put(t.Context(), key, nil); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("key of %d bytes: got %v, want ErrInvalid", len(key), err)
		}
	}
}

func describe(e bus.Entry) string {
	switch {
	case e.Ready:
		return "ready"
	case e.Deleted:
		return e.Key + " deleted"
	}
	return e.Key + "=" + string(e.Value)
}

// A gateway that was away must learn of devices that were removed meanwhile, and see no change twice.
func TestWatchTellsWhatIsThenWhatChangesAcrossARestart(t *testing.T) {
	w := newWorld(t)
	b := w.connect()
	k := openBucket(t, b, "gateway-1")
	put(t, k, "a", "1")
	put(t, k, "b", "1")
	put(t, k, "b", "2")
	if _, err := k.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var seen tally
	background(t, func(ctx context.Context) error { return k.Watch(ctx, func(e bus.Entry) { seen.add(describe(e)) }) })
	eventually(t, "it is ready", func() bool { return seen.of("ready") == 1 })
	put(t, k, "c", "1")
	eventually(t, "the change is told", func() bool { return seen.of("c=1") == 1 })
	w.stop()
	w.start()
	eventually(t, "the bus is back", func() bool { return b.Ping(t.Context()) == nil })
	put(t, k, "c", "2")
	if _, err := k.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "changes are told again", func() bool { return seen.of("c=2") == 1 && seen.of("b deleted") == 1 })
	want := "b=2, a deleted, ready, c=1, c=2, b deleted"
	if got := strings.Join(seen.all(), ", "); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
}

func TestAnEmptyBucketIsReadyAtOnce(t *testing.T) {
	k := openBucket(t, newWorld(t).connect(), "empty")
	var seen tally
	background(t, func(ctx context.Context) error { return k.Watch(ctx, func(e bus.Entry) { seen.add(describe(e)) }) })
	eventually(t, "it is ready", func() bool { return seen.of("ready") == 1 })
}

func TestABucketNeedsAName(t *testing.T) {
	b := newWorld(t).connect()
	for _, name := range []string{"", "a.b", "a b"} {
		if _, err := b.Bucket(t.Context(), name); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("bucket %q: got %v, want ErrInvalid", name, err)
		}
	}
}
