package artifacts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/functiontest"
)

// stream yields the same bytes whenever it is read, without holding them.
func stream() io.Reader { return rand.NewChaCha8([32]byte{7}) }

// partOf is one part of a stream.
func partOf(a api.Announced, p api.ArtifactPart) io.Reader {
	r := stream()
	_, _ = io.CopyN(io.Discard, r, int64(p.Number-1)*a.Upload.PartSize)
	return io.LimitReader(r, p.Size)
}

// A file of 200 MiB goes through in parts, is broken off and gone on with, is verified in many small pieces, and nothing ever
// holds much of it.
func TestALargeFile(t *testing.T) {
	const size = 200<<20 + 1
	h := sha256.New()
	if _, err := io.CopyN(h, stream(), size); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	ctx := context.Background()
	in := api.NewArtifact{Name: "image.iso", Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}
	a := w.announce(w.press, in)
	if a.Upload.Parts != 13 || len(a.Upload.URLs) != 13 || a.Upload.URLs[12].Size != size-12*(16<<20) {
		t.Fatalf("it goes in parts %+v", a.Upload)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(25)) // what is counted is what is held, not what the collector has still to take
	runtime.GC()
	var before, m runtime.MemStats
	runtime.ReadMemStats(&before)
	var most uint64
	measure := func() {
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	put := func(p api.ArtifactPart) {
		req, err := http.NewRequestWithContext(ctx, "PUT", p.URL, partOf(a, p))
		w.must(err)
		req.ContentLength = p.Size
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatalf("part %d: %s", p.Number, resp.Status)
		}
		measure()
	}
	for _, n := range []int{12, 0, 5} { // in any order
		put(a.Upload.URLs[n])
	}
	if _, err := w.press.CompleteArtifact(ctx, a.Artifact.ID); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "10 of 13 parts") {
		t.Fatalf("complete too early: %v", err)
	}

	// Whoever announces the same file again goes on with what is there.
	again := w.announce(w.press, in)
	if again.Artifact.ID != a.Artifact.ID {
		t.Fatal("it is another artifact")
	}
	done := 0
	for cursor, first := "", true; first || cursor != ""; first = false {
		resp, err := w.press.Do(ctx, "GET", "artifacts", "/artifacts/"+a.Artifact.ID+"/parts?limit=5&cursor="+cursor, nil, nil)
		w.must(err)
		var page api.Page[api.ArtifactPart]
		decode(t, resp, &page)
		for _, p := range page.Items {
			if p.Done {
				done++
				continue
			}
			put(p)
		}
		cursor = page.Next
	}
	if done != 3 {
		t.Errorf("%d parts were there, want 3", done)
	}

	// Each call reads a little; in between the function is another instance.
	defer artifacts.SliceFor(time.Millisecond)()
	pieces := 0
	for v := a.Artifact; v.State != api.ArtifactReady; pieces++ {
		resp, err := w.press.Do(ctx, "POST", "artifacts", "/artifacts/"+v.ID+"/complete", nil, nil)
		w.must(err)
		was := v.Verified
		decode(t, resp, &v)
		if want := map[bool]int{true: 200, false: 202}[v.State == api.ArtifactReady]; resp.StatusCode != want {
			t.Fatalf("complete answers %d in state %s", resp.StatusCode, v.State)
		}
		if v.State == api.ArtifactVerifying && v.Verified <= was {
			t.Fatalf("no progress at %d bytes", was)
		}
		measure()
		w.Add("artifacts", artifacts.New)
	}
	if pieces < 3 {
		t.Errorf("it was verified in %d pieces", pieces)
	}
	if grown := int64(most) - int64(before.HeapInuse); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}

	d, err := w.press.DownloadArtifact(ctx, a.Artifact.ID)
	w.must(err)
	req, err := http.NewRequestWithContext(ctx, "GET", d.URL, nil)
	w.must(err)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", 16<<20))
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	w.must(err)
	want, err := io.ReadAll(io.LimitReader(partOf(a, api.ArtifactPart{Number: 2, Size: 100}), 100))
	if err != nil || resp.StatusCode != 206 || !bytes.Equal(b, want) {
		t.Errorf("a range comes back as %d, or changed", resp.StatusCode)
	}
}

// A client that goes away leaves the rest of the verifying to the sweep.
func TestTheSweepGoesOnVerifying(t *testing.T) {
	w := newWorld(t)
	content := random(20 << 20)
	a := w.announce(w.press, fileOf("a", content))
	w.sendAll(a, content)
	back := artifacts.SliceFor(0)
	v, err := w.press.CompleteArtifact(context.Background(), a.Artifact.ID)
	back()
	if err != nil || v.State != api.ArtifactVerifying || v.Verified == 0 {
		t.Fatalf("after the first piece: %+v, %v", v, err)
	}
	w.sweep()
	if v, err = w.press.GetArtifact(context.Background(), v.ID); err != nil || v.State != api.ArtifactVerifying {
		t.Errorf("the sweep takes it out of somebody's hands: %+v, %v", v, err)
	}
	w.later(time.Minute)
	functiontest.Eventually(t, "it is ready", func() bool {
		v, err := w.press.GetArtifact(context.Background(), v.ID)
		return err == nil && v.State == api.ArtifactReady
	})
}
