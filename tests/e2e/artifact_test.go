package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// An owner publishes an image, a colleague and somebody who was granted it fetch it, a stranger does not even know of it, and
// after its deletion and a restart the room is free again.
func TestAnImageForDevices(t *testing.T) {
	both(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store)
		owner := w.Owner("plant")
		guest := w.User("guest", []access.Role{access.Viewer}, "visitors")
		stranger := w.Owner("rival")
		content := bytes.Repeat([]byte("castor artifacts "), 5_000_000/17)
		sum := sha256.Sum256(content)
		in := api.NewArtifact{Name: "image-1.0.img", Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Tags: []string{"model=P7"}}
		a, err := owner.CreateArtifact(w.Context(), in)
		w.must(err, "announce")
		page, err := owner.ListArtifactParts(w.Context(), a.Artifact.ID, "")
		w.must(err, "parts")
		for _, p := range page.Items {
			from := int64(p.Number-1) * a.Upload.PartSize
			req, err := http.NewRequestWithContext(w.Context(), "PUT", p.URL, bytes.NewReader(content[from:from+p.Size]))
			w.must(err, "part")
			resp, err := http.DefaultClient.Do(req)
			w.must(err, "part")
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("part: %s", resp.Status)
			}
		}
		w.Eventually("the image is verified", func() bool {
			v, err := owner.CompleteArtifact(w.Context(), a.Artifact.ID)
			w.must(err, "complete")
			return v.State == api.ArtifactReady
		})
		fetch := func(c *api.Client) []byte {
			d, err := c.DownloadArtifact(w.Context(), a.Artifact.ID)
			w.must(err, "download")
			resp, err := http.Get(d.URL)
			w.must(err, "download")
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			w.must(err, "download")
			return b
		}
		if !bytes.Equal(fetch(owner), content) {
			t.Error("the image comes back changed")
		}
		for name, c := range map[string]*api.Client{"guest": guest, "stranger": stranger} {
			if _, err := c.DownloadArtifact(w.Context(), a.Artifact.ID); api.ProblemOf(err).Status != http.StatusNotFound {
				t.Errorf("%s fetches it: %v", name, err)
			}
		}
		_, err = owner.CreateGrant(w.Context(), access.Grant{Subject: "user:guest", Object: "artifact:" + a.Artifact.ID, Right: access.Read})
		w.must(err, "grant")
		w.Eventually("the guest is let in", func() bool { _, err := guest.GetArtifact(w.Context(), a.Artifact.ID); return err == nil })
		if !bytes.Equal(fetch(guest), content) {
			t.Error("the guest gets something else")
		}
		found, err := guest.ListArtifacts(w.Context(), api.ArtifactQuery{Tag: "model=P7"})
		w.must(err, "list")
		if len(found.Items) != 1 {
			t.Errorf("the guest lists %d artifacts, want 1", len(found.Items))
		}

		w.Restart()
		owner = w.Login("plant-owner", password)
		if !bytes.Equal(fetch(owner), content) {
			t.Error("after a restart the image is another")
		}
		w.must(owner.DeleteArtifact(w.Context(), a.Artifact.ID), "delete")
		w.Later(2 * time.Hour)
		owner = w.Login("plant-owner", password)
		quota, err := owner.GetArtifactQuota(w.Context(), "plant")
		w.must(err, "quota")
		if quota.Bytes != 0 || quota.Count != 0 {
			t.Errorf("after its deletion it takes %d bytes", quota.Bytes)
		}
	})
}
