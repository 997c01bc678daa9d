package artifacts_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

// A world has the function, an object store, and owners of the groups press and paint.
type world struct {
	*functiontest.World
	t       *testing.T
	objects *artifact.Store
	admin   *api.Client
	press   *api.Client
	paint   *api.Client
}

func newWorld(t *testing.T) *world {
	w := &world{World: functiontest.New(t, nil), t: t, objects: objecttest.Start(t)}
	w.Base.Objects = w.objects
	w.Add("artifacts", artifacts.New)
	w.User("pia", []access.Role{access.Owner}, "press")
	w.User("paul", []access.Role{access.Owner}, "paint")
	w.SetTime(time.Now())
	w.admin, w.press, w.paint = w.person(functiontest.Admin), w.person("pia"), w.person("paul")
	return w
}

// person is a client that stays signed in while the clock moves on. Passwords are dear to check, so it shows its own only
// when its session is over.
func (w *world) person(name string) *api.Client {
	var mu sync.Mutex
	var tok api.Token
	c := &api.Client{URL: w.URL}
	c.Authorize = func(ctx context.Context, _ string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if w.Now().Add(time.Second).Before(tok.Expires) {
			return "Bearer " + tok.Access, nil
		}
		next, err := tok, access.ErrUnauthenticated
		if tok.Refresh != "" {
			next, err = w.Nobody().Refresh(ctx, tok.Refresh)
		}
		if err != nil {
			next, err = w.Nobody().Login(ctx, api.Login{Name: name, Password: functiontest.Password})
		}
		tok = next
		return "Bearer " + tok.Access, err
	}
	return c
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func sumOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func fileOf(name string, content []byte) api.NewArtifact {
	return api.NewArtifact{Name: name, Size: int64(len(content)), SHA256: sumOf(content)}
}

// must ends the test at an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) announce(c *api.Client, in api.NewArtifact) api.Announced {
	w.t.Helper()
	a, err := c.CreateArtifact(context.Background(), in)
	w.must(err)
	return a
}

// send puts what a part says to its URL.
func (w *world) send(p api.ArtifactPart, content []byte) int {
	w.t.Helper()
	req, err := http.NewRequest("PUT", p.URL, bytes.NewReader(content))
	w.must(err)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	resp.Body.Close()
	return resp.StatusCode
}

// sendAll puts all parts.
func (w *world) sendAll(a api.Announced, content []byte) {
	w.t.Helper()
	for _, p := range a.Upload.URLs {
		from := int64(p.Number-1) * a.Upload.PartSize
		if code := w.send(p, content[from:from+p.Size]); code != 200 {
			w.t.Fatalf("part %d: %d", p.Number, code)
		}
	}
}

// upload brings a file all the way in.
func (w *world) upload(c *api.Client, in api.NewArtifact, content []byte) api.Artifact {
	w.t.Helper()
	a := w.announce(c, in)
	if a.Upload != nil {
		w.sendAll(a, content)
	}
	v, err := c.CompleteArtifact(context.Background(), a.Artifact.ID)
	w.must(err)
	if v.State != api.ArtifactReady {
		w.t.Fatalf("after the upload it is %+v", v)
	}
	return v
}

// fetch reads an artifact's content.
func (w *world) fetch(c *api.Client, id string) []byte {
	w.t.Helper()
	d, err := c.DownloadArtifact(context.Background(), id)
	w.must(err)
	resp, err := http.Get(d.URL)
	w.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode != 200 {
		w.t.Fatalf("download: %d %s", resp.StatusCode, b)
	}
	return b
}

// keys are those of all contents in the object store.
func (w *world) keys() (keys []string) {
	w.t.Helper()
	w.must(w.objects.List(context.Background(), "", func(o artifact.Object) bool { keys = append(keys, o.Key); return true }))
	return keys
}

func (w *world) sweep() api.Swept {
	w.t.Helper()
	s, err := w.Part("twin-watchdog", "").Sweep(context.Background(), "artifacts")
	w.must(err)
	return s
}

// later moves the clock on and sweeps.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.SetTime(w.Now().Add(d))
	w.sweep()
}

func (w *world) quota(group string) api.ArtifactQuota {
	w.t.Helper()
	q, err := w.admin.GetArtifactQuota(context.Background(), group)
	w.must(err)
	return q
}

func TestAFileGoesInAndComesOut(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(100_000)
	in := fileOf("pump 1.2.0.tar.gz", content)
	in.MediaType, in.Tags = "application/gzip", []string{"os=linux", "arch=arm64", "os=linux"}
	a := w.announce(w.press, in)
	if a.Artifact.State != api.ArtifactUploading || a.Artifact.Owner != "press" || a.Upload == nil || a.Upload.Parts != 1 || len(a.Upload.URLs) != 1 {
		t.Fatalf("announced: %+v", a)
	}
	if again := w.announce(w.press, in); again.Artifact.ID != a.Artifact.ID {
		t.Error("the same file announced again is another artifact")
	}
	if _, err := w.press.CompleteArtifact(ctx, a.Artifact.ID); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "1 of 1 parts") {
		t.Errorf("complete before anything was sent: %v", err)
	}
	if _, err := w.press.DownloadArtifact(ctx, a.Artifact.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("download before it is there: %v", err)
	}
	w.sendAll(a, content)
	for range 2 { // complete may be repeated
		v, err := w.press.CompleteArtifact(ctx, a.Artifact.ID)
		if err != nil || v.State != api.ArtifactReady || v.SHA256 != in.SHA256 {
			t.Fatalf("complete: %+v, %v", v, err)
		}
	}
	if got := w.fetch(w.press, a.Artifact.ID); !bytes.Equal(got, content) {
		t.Error("it comes back changed")
	}
	if code := w.send(a.Upload.URLs[0], content); code == 200 {
		t.Error("the content can be written after it was verified")
	}
	if q := w.quota("press"); q.Bytes != 100_000 || q.Count != 1 || q.MaxBytes != 10<<30 || q.MaxCount != 10_000 {
		t.Errorf("the quota is %+v", q)
	}
	w.must(w.press.DeleteArtifact(ctx, a.Artifact.ID))
	if _, err := w.press.GetArtifact(ctx, a.Artifact.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("after deletion: %v", err)
	}
	if q := w.quota("press"); q.Bytes != 0 || q.Count != 0 {
		t.Errorf("after deletion the quota is %+v", q)
	}
	w.sweep()
	if n := len(w.keys()); n != 1 {
		t.Errorf("%d objects right after deletion, want 1 for downloads under way", n)
	}
	w.later(2 * time.Hour)
	if keys := w.keys(); len(keys) != 0 {
		t.Errorf("left in the object store: %v", keys)
	}
}

// A browser is sent to the content, a program gets JSON, both without a token in the URL of the platform.
func TestADownloadIsARedirect(t *testing.T) {
	w := newWorld(t)
	v := w.upload(w.press, fileOf("a.txt", []byte("hello")), []byte("hello"))
	resp, err := w.press.Do(context.Background(), "GET", "artifacts", "/artifacts/"+v.ID+"/download", nil, nil)
	w.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || string(b) != "hello" || resp.Header.Get("Content-Disposition") != "attachment; filename=a.txt" {
		t.Errorf("%q %v %v", b, resp.Header, err)
	}
}
