package artifacts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
)

func decode(t *testing.T, resp *http.Response, into any) {
	t.Helper()
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// Who knows a hash gets nothing by it: neither the content, nor that it is there. Who brings the content has it stored once.
func TestEqualContentIsStoredOnceAndGivenToNobodyByItsHash(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(50_000)
	first := w.upload(w.press, fileOf("secret.bin", content), content)

	guess := w.announce(w.paint, fileOf("mine.bin", content))
	if guess.Artifact.State != api.ArtifactUploading || guess.Upload == nil {
		t.Fatalf("a guessed hash is answered %+v", guess)
	}
	if _, err := w.paint.DownloadArtifact(ctx, guess.Artifact.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a guessed hash is downloaded: %v", err)
	}
	if code := w.send(guess.Upload.URLs[0], random(50_000)); code != 200 {
		t.Fatalf("part: %d", code)
	}
	if _, err := w.paint.CompleteArtifact(ctx, guess.Artifact.ID); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("other content under a guessed hash: %v", err)
	}

	second := w.upload(w.paint, fileOf("same.bin", content), content)
	if keys := w.keys(); len(keys) != 1 {
		t.Errorf("equal content is stored as %v", keys)
	}
	w.must(w.press.DeleteArtifact(ctx, first.ID))
	w.later(2 * time.Hour)
	w.later(48 * time.Hour)
	if got := w.fetch(w.paint, second.ID); !bytes.Equal(got, content) {
		t.Error("the second is changed by the end of the first")
	}
}

func TestWhoReadsTheContentNeedNotSendItAgain(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(1000)
	first := w.upload(w.press, fileOf("a.bin", content), content)
	in := fileOf("b.bin", content)
	b := w.announce(w.press, in)
	if b.Upload != nil || b.Artifact.State != api.ArtifactReady || b.Artifact.ID == first.ID {
		t.Fatalf("announced again under another name: %+v", b)
	}
	in.Size++
	if _, err := w.press.CreateArtifact(ctx, in); err == nil {
		t.Error("the same hash with another size is taken")
	}
	if q := w.quota("press"); q.Bytes != 2000 || q.Count != 2 {
		t.Errorf("the quota is %+v", q)
	}
	w.must(w.press.DeleteArtifact(ctx, first.ID))
	w.later(2 * time.Hour)
	if got := w.fetch(w.press, b.Artifact.ID); !bytes.Equal(got, content) {
		t.Error("the second is changed by the end of the first")
	}
}

// Uploads of a content and deletions of it meet in every order: what is ready can be read, and what is over is removed.
func TestNoContentIsRemovedThatIsNeeded(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(2000)
	keeper := platform.New(w.Base, "twin-watchdog", "").API
	for round := range 30 {
		var old []string
		for i := range 2 {
			v := w.upload(w.press, fileOf("old-"+string(rune('a'+i))+".bin", content), content)
			old = append(old, v.ID)
		}
		for _, id := range old { // they are over, and their content is due in an hour
			w.must(w.press.DeleteArtifact(ctx, id))
		}
		w.SetTime(w.Now().Add(61 * time.Minute))
		var fresh [3]api.Artifact
		var all sync.WaitGroup
		all.Go(func() { // removes what is due
			for range 5 {
				_, _ = keeper.Sweep(ctx, "artifacts")
			}
		})
		for i, c := range []*api.Client{w.press, w.paint, w.press} {
			all.Go(func() {
				a, err := c.CreateArtifact(ctx, fileOf("new-"+string(rune('a'+i))+".bin", content))
				if err == nil && a.Upload != nil {
					w.sendAll(a, content)
				}
				if err == nil {
					fresh[i], err = c.CompleteArtifact(ctx, a.Artifact.ID)
				}
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		for range 3 {
			w.later(61 * time.Minute)
		}
		for i, c := range []*api.Client{w.press, w.paint, w.press} {
			if got := w.fetch(c, fresh[i].ID); !bytes.Equal(got, content) {
				t.Fatalf("round %d: ready content is not there", round)
			}
		}
		if keys := w.keys(); len(keys) != 1 {
			t.Fatalf("round %d: equal content is stored as %v", round, keys)
		}
		for i, c := range []*api.Client{w.press, w.paint, w.press} {
			w.must(c.DeleteArtifact(ctx, fresh[i].ID))
		}
		w.later(61 * time.Minute)
		if keys := w.keys(); len(keys) != 0 {
			t.Fatalf("round %d: left over: %v", round, keys)
		}
	}
	for _, group := range []string{"press", "paint"} {
		if q := w.quota(group); q.Bytes != 0 || q.Count != 0 {
			t.Errorf("in the end the quota is %+v", q)
		}
	}
}

// What other functions need stays, and its deletion names them.
func TestReferencesKeepAnArtifact(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	v := w.upload(w.press, fileOf("a.bin", []byte("x")), []byte("x"))
	twins, configurations := w.Part("twins", ""), w.Part("configurations", "")
	for range 2 {
		if _, err := twins.ReferArtifact(ctx, v.ID, "pump-7"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := configurations.ReferArtifact(ctx, v.ID, "pump@3")
	if err != nil || strings.Join(got.References, " ") != "configurations:pump@3 twins:pump-7" {
		t.Fatalf("%v, %v", got.References, err)
	}
	err = w.press.DeleteArtifact(ctx, v.ID)
	if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "configurations:pump@3, twins:pump-7") {
		t.Errorf("deletion says %v", err)
	}
	w.must(configurations.ReleaseArtifact(ctx, v.ID, "pump-7")) // not its own: nothing happens
	w.must(configurations.ReleaseArtifact(ctx, v.ID, "pump@3"))
	if err := w.press.DeleteArtifact(ctx, v.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("with one reference left: %v", err)
	}
	w.must(twins.ReleaseArtifact(ctx, v.ID, "pump-7"))
	w.must(w.press.DeleteArtifact(ctx, v.ID))
	w.must(twins.ReleaseArtifact(ctx, v.ID, "pump-7"))
	if _, err := twins.ReferArtifact(ctx, v.ID, "pump-7"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a reference to what is deleted: %v", err)
	}
	if _, err := w.press.ReferArtifact(ctx, v.ID, "x"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a user makes references: %v", err)
	}
	a := w.announce(w.press, fileOf("b.bin", []byte("y")))
	if _, err := twins.ReferArtifact(ctx, a.Artifact.ID, "pump-7"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a reference to what is not there yet: %v", err)
	}
}
