package artifacts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/functiontest"
)

// However many announce at once, no more get in than there is room for; and room that is given back is room again.
func TestTheQuotaHoldsAmongMany(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for name, q := range map[string]api.NewArtifactQuota{"count": {MaxBytes: 1 << 30, MaxCount: 5}, "bytes": {MaxBytes: 5*1000 + 999, MaxCount: 1000}} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.admin.PutArtifactQuota(ctx, "press", q); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				var in, out atomic.Int32
				var ids sync.Map
				var all sync.WaitGroup
				for i := range 20 {
					all.Go(func() {
						a, err := w.press.CreateArtifact(ctx, fileOf(fmt.Sprint(i), random(1000)))
						switch {
						case err == nil:
							in.Add(1)
							ids.Store(a.Artifact.ID, true)
						case errors.Is(err, api.ErrConflict) && strings.Contains(err.Error(), "quota"):
							out.Add(1)
						default:
							t.Error(err)
						}
					})
				}
				all.Wait()
				if in.Load() != 5 || out.Load() != 15 {
					t.Fatalf("%d got in and %d were refused, want 5 and 15", in.Load(), out.Load())
				}
				ids.Range(func(id, _ any) bool {
					if err := w.press.DeleteArtifact(ctx, id.(string)); err != nil {
						t.Error(err)
					}
					return true
				})
				if q := w.quota("press"); q.Bytes != 0 || q.Count != 0 {
					t.Fatalf("after deletion the quota is %+v", q)
				}
			}
		})
	}
}

func TestWhoSetsQuotas(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	if q, err := w.press.GetArtifactQuota(ctx, "press"); err != nil || q.MaxCount != 10_000 {
		t.Errorf("the own quota: %+v, %v", q, err)
	}
	for _, group := range []string{"paint", "nowhere"} {
		if _, err := w.press.GetArtifactQuota(ctx, group); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("quota of %s: %v", group, err)
		}
	}
	if _, err := w.press.PutArtifactQuota(ctx, "press", api.NewArtifactQuota{MaxBytes: 1 << 40, MaxCount: 1}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner sets the own quota: %v", err)
	}
	for name, q := range map[string]api.NewArtifactQuota{"negative bytes": {MaxBytes: -1}, "huge bytes": {MaxBytes: 1<<63 - 1}, "negative count": {MaxCount: -1}, "huge count": {MaxCount: 1 << 40}} {
		if _, err := w.admin.PutArtifactQuota(ctx, "press", q); api.ProblemOf(err).Status != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.admin.PutArtifactQuota(ctx, "nowhere", api.NewArtifactQuota{}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a quota for nobody: %v", err)
	}
	w.upload(w.press, fileOf("a", []byte("x")), []byte("x"))
	if _, err := w.admin.PutArtifactQuota(ctx, "press", api.NewArtifactQuota{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.press.CreateArtifact(ctx, fileOf("b", []byte("y"))); !errors.Is(err, api.ErrConflict) {
		t.Errorf("above a quota of nothing: %v", err)
	}
	if q := w.quota("press"); q.Count != 1 {
		t.Errorf("a smaller quota removes things: %+v", q)
	}
}

// Whatever write is the last before a crash, at whichever step: who repeats the call gets through, and when all is over
// nothing is left, neither objects nor taken room.
func TestACrashLosesNothingAndLeavesNothing(t *testing.T) {
	content := random(3000)
	steps := map[string]func(ctx context.Context, w *world, press *api.Client, id string) error{
		"create": func(ctx context.Context, w *world, press *api.Client, _ string) error {
			_, err := press.CreateArtifact(ctx, fileOf("a.bin", content))
			return err
		},
		"create again": func(ctx context.Context, w *world, press *api.Client, _ string) error {
			_, err := press.CreateArtifact(ctx, fileOf("b.bin", content))
			return err
		},
		"complete": func(ctx context.Context, w *world, press *api.Client, id string) error {
			_, err := press.CompleteArtifact(ctx, id)
			return err
		},
		"delete": func(ctx context.Context, w *world, press *api.Client, id string) error {
			err := press.DeleteArtifact(ctx, id)
			if errors.Is(err, api.ErrNotFound) {
				err = nil
			}
			return err
		},
		"sweep": func(ctx context.Context, w *world, press *api.Client, id string) error {
			_, err := w.Part("twin-watchdog", "").Sweep(ctx, "artifacts")
			return err
		},
	}
	ctx := context.Background()
	w := newWorld(t)
	for name, step := range steps {
		for n, through := 0, false; !through; n++ {
			for _, how := range functiontest.Ways {
				if how == functiontest.Published { // nothing here is told by the bus
					continue
				}
				t.Run(fmt.Sprintf("%s, write %d, way %d", name, n, how), func(t *testing.T) {
					w.t = t
					var id string
					if name != "create" {
						other := w.upload(w.paint, fileOf("other.bin", content), content) // so that content is shared
						a := w.announce(w.press, fileOf("a.bin", content))
						id = a.Artifact.ID
						w.sendAll(a, content)
						if name != "complete" {
							_, err := w.press.CompleteArtifact(ctx, id)
							w.must(err)
						}
						if name == "sweep" {
							w.must(w.press.DeleteArtifact(ctx, id))
							w.must(w.paint.DeleteArtifact(ctx, other.ID))
							w.SetTime(w.Now().Add(61 * time.Minute))
						}
					}
					c := w.Crash(n, how)
					c.Run(w.World, "artifacts", artifacts.New)
					err := step(ctx, w, w.press, id)
					through = !c.Came()
					if err != nil && api.ProblemOf(err).Status != 503 {
						t.Fatalf("a crash is told as %v", err)
					}

					w.Add("artifacts", artifacts.New)
					if err := step(ctx, w, w.press, id); err != nil {
						t.Fatalf("the call repeated: %v", err)
					}
					if name == "complete" || name == "create again" {
						if got := w.fetch(w.press, id); string(got) != string(content) {
							t.Error("the content has changed")
						}
					}
					w.later(2 * time.Minute)
					w.later(12 * time.Minute)
					want := int64(0)
					list, err := w.admin.ListArtifacts(ctx, api.ArtifactQuery{Owner: "press"})
					w.must(err)
					for _, v := range list.Items {
						want += v.Size
					}
					if q := w.quota("press"); q.Bytes != want || q.Count != int64(len(list.Items)) {
						t.Errorf("the quota is %+v for %d artifacts", q, len(list.Items))
					}
					list, err = w.admin.ListArtifacts(ctx, api.ArtifactQuery{})
					w.must(err)
					for _, v := range list.Items {
						w.must(w.admin.DeleteArtifact(ctx, v.ID))
					}
					w.later(61 * time.Minute)
					w.later(25 * time.Hour)
					w.later(2 * time.Minute)
					if keys := w.keys(); len(keys) != 0 {
						t.Errorf("left over: %v", keys)
					}
					for _, g := range []string{"press", "paint"} {
						if q := w.quota(g); q.Bytes != 0 || q.Count != 0 {
							t.Errorf("taken in the end: %+v", q)
						}
					}
				})
				if t.Failed() {
					return
				}
			}
			if n > 30 {
				t.Fatal("no way through without a crash")
			}
		}
	}
}
