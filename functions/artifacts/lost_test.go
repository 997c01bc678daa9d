package artifacts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// verifying is an artifact whose content was read in part.
func (w *world) verifying() api.Artifact {
	w.t.Helper()
	content := random(3 << 20)
	a := w.announce(w.press, fileOf("a", content))
	w.sendAll(a, content)
	w.t.Cleanup(artifacts.SliceFor(0))
	v, err := w.press.CompleteArtifact(context.Background(), a.Artifact.ID)
	w.must(err)
	if v.State != api.ArtifactVerifying {
		w.t.Fatalf("it is %+v", v)
	}
	return v
}

// Content that goes from the object store before it is verified is missed, and said to be.
func TestContentThatIsLostWhileItIsVerified(t *testing.T) {
	ctx := context.Background()
	for name, goOn := range map[string]func(w *world, v api.Artifact){
		"and somebody completes it": func(w *world, v api.Artifact) {
			if _, err := w.press.CompleteArtifact(ctx, v.ID); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "not in the object store any more") {
				t.Errorf("complete says %v", err)
			}
		},
		"and the sweep comes":  func(w *world, _ api.Artifact) { w.later(30 * time.Second) },
		"and the watchdog has": func(w *world, v api.Artifact) { w.overdue(3*time.Minute, v) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v := w.verifying()
			for _, k := range w.keys() {
				w.must(w.objects.Delete(ctx, k))
			}
			goOn(w, v)
			v, err := w.press.GetArtifact(ctx, v.ID)
			if err != nil || v.State != api.ArtifactRefused || !strings.Contains(v.Reason, "not in the object store any more") {
				t.Errorf("it is %+v, %v", v, err)
			}
			if q := w.quota("press"); q.Count != 0 || q.Bytes != 0 {
				t.Errorf("it takes room: %+v", q)
			}
		})
	}
}

// overdue has function twin-watchdog find the artifact, and go on with it, after a while without a sweep.
func (w *world) overdue(after time.Duration, v api.Artifact) {
	w.t.Helper()
	ctx := context.Background()
	dog := w.Part("twin-watchdog", "")
	list := func() []api.Overdue {
		page, err := dog.Overdue(ctx, "artifacts", "")
		w.must(err)
		return page.Items
	}
	if got := list(); len(got) != 0 {
		w.t.Errorf("overdue at once: %+v", got)
	}
	w.SetTime(w.Now().Add(after))
	dog = w.Part("twin-watchdog", "")
	if got := list(); len(got) != 1 || got[0].ID != v.ID || got[0].Kind != "artifact" || got[0].Owner != "press" {
		w.t.Errorf("overdue: %+v", got)
	}
	if r, err := dog.RetryOperation(ctx, "artifacts", api.RetryOverdue{Kind: "artifact", ID: v.ID}); err != nil || r.Overdue {
		w.t.Errorf("gone on with: %+v %v", r, err)
	}
	if got := list(); len(got) != 0 {
		w.t.Errorf("overdue still: %+v", got)
	}
}

func TestTheWatchdogGoesOnWithArtifacts(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	v := w.verifying()
	artifacts.SliceFor(time.Minute)
	w.overdue(3*time.Minute, v)
	if v, err := w.press.GetArtifact(ctx, v.ID); err != nil || v.State != api.ArtifactReady {
		t.Errorf("verified: %+v, %v", v, err)
	}
	content := random(1000)
	a := w.announce(w.press, fileOf("b", content))
	w.overdue(25*time.Hour, a.Artifact)
	if v, err := w.press.GetArtifact(ctx, a.Artifact.ID); err != nil || v.State != api.ArtifactRefused {
		t.Errorf("given up: %+v, %v", v, err)
	}
}

func TestConnectorsKeepNoArtifacts(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(1000)
	v := w.upload(w.press, fileOf("a", content), content)
	for _, part := range []*api.Client{w.Part("connector", "op-1"), w.Part("events", "")} {
		if _, err := part.ReferArtifact(ctx, v.ID, "x"); !errors.Is(err, access.ErrDenied) {
			t.Errorf("a connector refers: %v", err)
		}
	}
	if v, err := w.press.GetArtifact(ctx, v.ID); err != nil || len(v.References) != 0 {
		t.Errorf("referred to: %+v, %v", v, err)
	}
}
