package platform_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/tests/functiontest"
)

// An errand goes three steps, and is done.
type errand struct {
	ID             string `bson:"_id"`
	platform.Lease `bson:",inline"`
	Reason         string `bson:"reason"`
	Steps          int    `bson:"steps"`
	Ready          int    `bson:"ready"`
}

func errandsOf(t *testing.T, b platform.Base) platform.Leases[errand] {
	t.Helper()
	c, err := store.Open[errand](context.Background(), b.DB, store.Spec{Name: "errands", Schema: 1, Indexes: []store.Index{{Name: "by-due", Fields: []string{"due"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return platform.Leases[errand]{P: platform.New(b, "errands", ""), C: c, Kind: "errand",
		Of: func(e *errand) (string, *platform.Lease, *string) { return e.ID, &e.Lease, &e.Reason }}
}

func walk(ctx context.Context, h *platform.Held[errand]) error {
	return h.Note(ctx, func(e *errand, _ time.Time) {
		if e.Steps++; e.Steps == 3 {
			e.Lease.End()
		}
	})
}

func begin(*errand, bool) error { return nil }

// What is worked on is nobody else's until it has lapsed; then it is, and what who had it before notes does not count.
func TestALeaseThatHasLapsedIsTaken(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	l := errandsOf(t, w.Base)
	start := time.Now().UTC().Truncate(time.Millisecond)
	w.SetTime(start)
	others := 0
	other := func() {
		e, err := l.GoOn(ctx, "e", platform.Work[errand]{Begin: begin, Step: func(ctx context.Context, h *platform.Held[errand]) error {
			others++
			return walk(ctx, h)
		}})
		if err != nil {
			t.Errorf("the other run: %+v, %v", e, err)
		}
	}
	late := error(nil)
	e, err := l.GoOn(ctx, "e", platform.Work[errand]{Begin: begin, Step: func(ctx context.Context, h *platform.Held[errand]) error {
		if h.Doc.Steps == 0 {
			return walk(ctx, h)
		}
		w.SetTime(start.Add(platform.LeaseFor - time.Second))
		if other(); others != 0 {
			t.Error("taken before the lease has lapsed")
		}
		w.SetTime(start.Add(platform.LeaseFor + time.Second))
		if other(); others != 2 {
			t.Errorf("after it has lapsed the other run goes %d steps, not 2", others)
		}
		late = walk(ctx, h)
		return late
	}})
	if err != nil || e.Steps != 1 || !errors.Is(late, platform.ErrTaken) {
		t.Errorf("whoever is too late: %+v, %v, noted %v", e, err, late)
	}
	if e, err = l.C.Get(ctx, "e"); err != nil || e.Steps != 3 || !e.Due.IsZero() || e.Holder != "" || e.Reason != "" {
		t.Errorf("at its end: %+v, %v", e, err)
	}
	if other(); others != 2 {
		t.Error("what has ended is taken on")
	}
}

// A word of progress makes the lease longer.
func TestALeaseLastsWhileSomebodyNotes(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	w.SetTime(time.Now().UTC().Truncate(time.Millisecond))
	l := errandsOf(t, w.Base)
	e, err := l.GoOn(ctx, "e", platform.Work[errand]{Begin: begin, Step: func(ctx context.Context, h *platform.Held[errand]) error {
		w.SetTime(w.Now().Add(platform.LeaseFor * 3 / 4))
		_, err := l.GoOn(ctx, "e", platform.Work[errand]{Begin: func(*errand, bool) error { t.Error("taken from who works on it"); return nil }, Step: walk})
		return errors.Join(err, walk(ctx, h))
	}})
	if err != nil || e.Steps != 3 {
		t.Errorf("at its end: %+v, %v", e, err)
	}
}

// What must wait says for what, is taken on later and later, and forgets that once it goes on. The watchdog sees since when it has not.
func TestWhatWaitsSaysSo(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	l := errandsOf(t, w.Base)
	away, more := true, 0
	work := platform.Work[errand]{
		Begin: func(e *errand, exists bool) error {
			if !exists {
				e.Lease = platform.NewLease(w.Now())
			}
			return nil
		},
		Step: func(ctx context.Context, h *platform.Held[errand]) error {
			if err := h.Prepare(ctx, func(e *errand) { e.Ready++ }); err != nil {
				return err
			}
			if away {
				return fmt.Errorf("%w: the shop is closed", api.ErrUnavailable)
			}
			err := walk(ctx, h)
			if e := h.Doc; e.Steps == 1 && (e.Tries != 0 || e.Reason != "" || !e.Worked.Equal(w.Now())) {
				t.Errorf("when it goes on: %+v", e)
			}
			return err
		},
		Waits: func(*errand, error) { more++ },
	}
	began := time.Now().UTC().Truncate(time.Millisecond)
	w.SetTime(began)
	for n, pause := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second} {
		e, err := l.GoOn(ctx, "e", work)
		if err != nil || e.Tries != n+1 || e.Holder != "" || !e.Due.Equal(w.Now().Add(pause)) || !e.Worked.Equal(began) || more != n+1 || e.Ready != n+1 {
			t.Fatalf("try %d: %+v, %v", n, e, err)
		}
		if !strings.HasPrefix(e.Reason, "waits: ") || !strings.Contains(e.Reason, "the shop is closed") {
			t.Errorf("the reason is %q", e.Reason)
		}
		if again, err := l.GoOn(ctx, "e", work); err != nil || again.Tries != n+1 {
			t.Errorf("taken on before its time: %+v, %v", again, err)
		}
		w.SetTime(e.Due)
	}
	for range 40 {
		e, err := l.GoOn(ctx, "e", work)
		if err != nil || e.Due.Sub(w.Now()) > 30*time.Second {
			t.Fatalf("%+v, %v", e, err)
		}
		w.SetTime(e.Due)
	}
	away = false
	e, err := l.GoOn(ctx, "e", work)
	if err != nil || e.Steps != 3 || e.Tries != 0 || e.Reason != "" {
		t.Errorf("when it is back: %+v, %v", e, err)
	}
}

// Of what does not exist a work makes a document, or says that there is none; and what is no work any more it leaves.
func TestWhatIsNotBegun(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	l := errandsOf(t, w.Base)
	none := platform.Work[errand]{Step: walk, Begin: func(_ *errand, exists bool) error {
		if !exists {
			return store.ErrNotFound
		}
		return store.Unchanged
	}}
	if _, err := l.GoOn(ctx, "e", none); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of no document: %v", err)
	}
	if err := l.C.Insert(ctx, errand{ID: "e", Lease: platform.NewLease(w.Now())}); err != nil {
		t.Fatal(err)
	}
	if e, err := l.GoOn(ctx, "e", none); err != nil || e.Steps != 0 || e.Holder != "" {
		t.Errorf("what is left: %+v, %v", e, err)
	}
}

// Those whose time has come are worked on, as many as are asked for, those that waited longest first; many replicas do each once.
func TestWhatIsDue(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	w.SetTime(time.Now().UTC().Truncate(time.Millisecond))
	l := errandsOf(t, w.Base)
	for i := range 5 {
		if err := l.C.Insert(ctx, errand{ID: fmt.Sprint("e", i), Lease: platform.NewLease(w.Now().Add(time.Duration(i-3) * time.Second))}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var ids []string
	goOn := func(ctx context.Context, id string) error {
		mu.Lock()
		ids = append(ids, id)
		mu.Unlock()
		_, err := l.GoOn(ctx, id, platform.Work[errand]{Begin: begin, Step: walk})
		return err
	}
	if n, err := l.Due(ctx, 2, goOn); err != nil || n != 2 || len(ids) != 2 || ids[0]+ids[1] != "e0e1" && ids[0]+ids[1] != "e1e0" {
		t.Errorf("the first two: %d, %v, %v", n, ids, err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := l.Due(ctx, 10, goOn); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 5 {
		want := 3
		if i == 4 {
			want = 0 // its time comes later
		}
		if e, err := l.C.Get(ctx, fmt.Sprint("e", i)); err != nil || e.Steps != want {
			t.Errorf("errand %d: %+v, %v", i, e, err)
		}
	}
	if n, err := l.Due(ctx, 10, func(context.Context, string) error { return errors.New("no") }); err != nil || n != 0 {
		t.Errorf("what has ended is due: %d, %v", n, err)
	}
}

// Whatever write a run dies at, another one goes on where it was.
func TestALeaseOutlivesACrashAnywhere(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	for n, through := 0, false; !through; n++ {
		for _, how := range functiontest.Ways {
			c := w.Crash(n, how)
			id := fmt.Sprintf("e-%d-%d", n, how)
			work := platform.Work[errand]{Begin: begin, Step: walk}
			_, _ = errandsOf(t, c.Base).GoOn(ctx, id, work)
			through = !c.Came()
			w.SetTime(w.Now().Add(2 * platform.LeaseFor))
			l := errandsOf(t, w.Base)
			if _, err := l.GoOn(ctx, id, work); err != nil {
				t.Error(err)
			}
			if e, err := l.C.Get(ctx, id); err != nil || e.Steps != 3 || !e.Due.IsZero() {
				t.Errorf("crash at write %d (%v): %+v, %v", n, how, e, err)
			}
		}
	}
}
