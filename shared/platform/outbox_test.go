package platform_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/tests/functiontest"
)

type note struct {
	ID     string       `bson:"_id"`
	Text   string       `bson:"text"`
	Outbox event.Outbox `bson:"outbox"`
}

func openNotes(t *testing.T, b platform.Base) platform.Outbox[note] {
	t.Helper()
	c, err := store.Open[note](context.Background(), b.DB, store.Spec{Name: "notes", Schema: 1, Indexes: []store.Index{{Name: "by-outbox", Fields: []string{"outbox.since"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return platform.Outbox[note]{P: platform.New(b, "notes", ""), C: c, Index: "by-outbox", Field: "outbox.since",
		Of: func(n *note) (string, *event.Outbox) { return n.ID, &n.Outbox }}
}

func write(ctx context.Context, o platform.Outbox[note], id, text string) (note, error) {
	return o.C.Upsert(ctx, id, func(n *note, _ bool) error {
		n.Text = text
		n.Outbox.Add(id, event.TwinChanged, id, o.P.Time(), text)
		return nil
	})
}

// Whatever write is the last before a crash: what is stored is told, and told once to those who look at ids.
func TestOutboxLosesNothing(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	now := time.Now().UTC().Truncate(time.Millisecond)
	w.SetTime(now)
	got := w.Collect(event.TwinChanged)
	for n, through := 0, false; !through; n++ {
		for _, how := range functiontest.Ways {
			t.Run(fmt.Sprintf("write %d, way %d", n, how), func(t *testing.T) {
				c := w.Crash(n, how)
				dying := openNotes(t, c.Base)
				id := fmt.Sprintf("note-%d-%d", n, how)
				for _, text := range []string{"a", "b"} {
					if v, err := write(ctx, dying, id, text); err == nil {
						_ = dying.Flush(ctx, v)
					}
				}
				through = int(c.Writes.Load()) <= n

				healthy := openNotes(t, w.Base)
				if _, err := healthy.Sweep(ctx, now.Add(-time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := healthy.Sweep(ctx, now); err != nil {
					t.Fatal(err)
				}
				stored, err := healthy.C.GetMany(ctx, []string{id})
				if err != nil {
					t.Fatal(err)
				}
				want := int64(0)
				for _, v := range stored {
					want = v.Outbox.Next - now.UnixMilli() // the first number is of the time
					if len(v.Outbox.Pending) != 0 || !v.Outbox.Since.IsZero() {
						t.Errorf("the sweep left %+v", v.Outbox)
					}
				}
				functiontest.Eventually(t, "what is stored is told", func() bool {
					ids := map[string]bool{}
					for _, e := range got() {
						if e.Subject == id {
							ids[e.ID] = true
						}
					}
					return int64(len(ids)) == want
				})
			})
		}
		if n > 20 {
			t.Fatal("no way through without a crash")
		}
	}
	if n, err := openNotes(t, w.Base).Sweep(ctx, now.Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("a sweep finds %d more, %v", n, err)
	}
}

func TestSweepLeavesWhatIsUnderWay(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	now := time.Now().UTC().Truncate(time.Millisecond)
	w.SetTime(now)
	o := openNotes(t, w.Base)
	v, err := write(ctx, o, "young", "a")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := o.Sweep(ctx, now.Add(-10*time.Second)); err != nil || n != 0 {
		t.Errorf("swept %d, %v", n, err)
	}
	// A document that somebody else removed meanwhile is no failure.
	if err := o.C.Delete(ctx, "young"); err != nil {
		t.Fatal(err)
	}
	if err := o.Flush(ctx, v); err != nil {
		t.Errorf("flushing what is gone: %v", err)
	}
}
