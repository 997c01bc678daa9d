package artifacts_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/shared/api"
)

// damage overwrites the one object that is there with other content of the same size; nil removes it.
func (w *world) damage(content []byte) {
	w.t.Helper()
	keys := w.keys()
	if len(keys) != 1 {
		w.t.Fatalf("the content is stored as %v", keys)
	}
	if content == nil {
		w.must(w.objects.Delete(context.Background(), keys[0]))
		return
	}
	w.must(w.objects.Put(context.Background(), keys[0], bytes.NewReader(content), int64(len(content)), sumOf(content)))
}

// Content that is damaged where it lies is not handed to the next who brings it, and what they bring mends it for all.
func TestDamagedContentIsMendedByTheNextUpload(t *testing.T) {
	for name, with := range map[string]func(content []byte) []byte{
		"another bit":     func(b []byte) []byte { b = bytes.Clone(b); b[17] ^= 1; return b },
		"cut short":       func(b []byte) []byte { return b[:len(b)/2] },
		"nothing is left": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			content := random(3 << 20)
			first := w.upload(w.press, fileOf("a.bin", content), content)
			second := w.upload(w.paint, fileOf("b.bin", content), content)
			w.later(2 * time.Minute)
			w.damage(with(content))

			// Who has it ready by the same name, who can read it by another, and who cannot: all are asked for the content.
			for _, who := range []*api.Client{w.press, w.paint} {
				for _, file := range []string{"a.bin", "c.bin"} {
					if a := w.announce(who, fileOf(file, content)); a.Upload == nil || a.Artifact.ID == first.ID {
						t.Fatalf("%s is announced: %+v", file, a)
					}
				}
			}
			third := w.upload(w.paint, fileOf("c.bin", content), content)
			for range 3 {
				w.later(2 * time.Minute)
			}
			for _, r := range []struct {
				who *api.Client
				id  string
			}{{w.press, first.ID}, {w.paint, second.ID}, {w.paint, third.ID}} {
				if got := w.fetch(r.who, r.id); !bytes.Equal(got, content) {
					t.Errorf("artifact %s is still damaged", r.id)
				}
			}
			if keys := w.keys(); len(keys) != 1 {
				t.Errorf("the content is stored as %v", keys)
			}
			if a := w.announce(w.press, fileOf("a.bin", content)); a.Artifact.State == api.ArtifactReady && a.Upload != nil {
				t.Errorf("after all, it is announced %+v", a)
			}
		})
	}
}

// The check before an artifact goes over to another's object takes several calls where it takes long.
func TestContentIsCheckedInSlicesBeforeItIsShared(t *testing.T) {
	w := newWorld(t)
	content := random(3 << 20) // three slices of each object at least
	first := w.upload(w.press, fileOf("a.bin", content), content)
	w.later(2 * time.Minute)
	defer artifacts.SliceFor(0)()
	a := w.announce(w.paint, fileOf("b.bin", content))
	w.sendAll(a, content)
	others := 0 // calls that read the other's object
	for v, calls := a.Artifact, 0; v.State != api.ArtifactReady; calls++ {
		var err error
		if v, err = w.paint.CompleteArtifact(context.Background(), v.ID); err != nil || calls > 5000 {
			t.Fatalf("call %d: %+v, %v", calls, v, err)
		}
		if v.Verified == v.Size {
			others++
		}
	}
	if others < 2 {
		t.Errorf("the other's object was read in %d calls", others)
	}
	if keys := w.keys(); len(keys) != 1 {
		t.Errorf("equal content is stored as %v", keys)
	}
	for who, id := range map[*api.Client]string{w.press: first.ID, w.paint: a.Artifact.ID} {
		if got := w.fetch(who, id); !bytes.Equal(got, content) {
			t.Errorf("artifact %s is changed", id)
		}
	}
}
