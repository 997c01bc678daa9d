package local_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/artifact"
)

func request(t *testing.T, method, url string, body []byte, header http.Header) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// Who holds the URLs of parts can write these parts, of these sizes, until the upload is complete, and nothing else.
func TestAnUploadInParts(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	ctx := t.Context()
	const key = "sha256/ab/abc/a-1"
	upload, err := s.StartUpload(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	content := [][]byte{random(artifact.MinPart), random(100)}
	var urls []string
	for i, part := range content {
		url, err := s.PartURL(ctx, key, upload, i+1, int64(len(part)), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, url)
	}
	if resp, b := request(t, "PUT", urls[0], content[0], nil); resp.StatusCode != 200 {
		t.Fatalf("part: %d %s", resp.StatusCode, b)
	}
	if resp, b := request(t, "PUT", urls[1], random(101), nil); resp.StatusCode != 403 {
		t.Errorf("a part that is too long: %d %s, want 403", resp.StatusCode, b)
	}
	if resp, b := request(t, "PUT", strings.Replace(urls[1], "partNumber=2", "partNumber=3", 1), content[1], nil); resp.StatusCode != 403 {
		t.Errorf("another part by the same signature: %d %s, want 403", resp.StatusCode, b)
	}
	parts, err := s.Parts(ctx, key, upload)
	if err != nil || len(parts) != 1 || parts[0].Number != 1 || parts[0].Size != artifact.MinPart {
		t.Fatalf("parts %+v, %v", parts, err)
	}
	if resp, b := request(t, "PUT", urls[1], content[1], nil); resp.StatusCode != 200 {
		t.Fatalf("part: %d %s", resp.StatusCode, b)
	}
	old, err := s.Parts(ctx, key, upload)
	if err != nil {
		t.Fatal(err)
	}
	content[1] = random(100)
	if resp, b := request(t, "PUT", urls[1], content[1], nil); resp.StatusCode != 200 {
		t.Fatalf("part again: %d %s", resp.StatusCode, b)
	}
	if err := s.CompleteUpload(ctx, key, upload, old); !errors.Is(err, artifact.ErrParts) {
		t.Errorf("a part that changed meanwhile: %v, want ErrParts", err)
	}
	if parts, err = s.Parts(ctx, key, upload); err != nil {
		t.Fatal(err)
	}
	if err := s.CompleteUpload(ctx, key, upload, parts); err != nil {
		t.Fatal(err)
	}
	if err := s.CompleteUpload(ctx, key, upload, parts); err != nil && !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("complete twice: %v", err)
	}
	if resp, _ := request(t, "PUT", urls[1], content[1], nil); resp.StatusCode != 404 {
		t.Errorf("a part after the end: %d, want 404", resp.StatusCode)
	}
	if _, err := s.Parts(ctx, key, upload); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("parts after the end: %v, want ErrNotFound", err)
	}
	r, err := s.ReadAt(ctx, key, artifact.MinPart, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, content[1]) {
		t.Errorf("the last part comes back changed, %v", err)
	}
}

// A connection that is cut in the middle of a part leaves no part, and no other content than before.
func TestAPartThatIsCutShortIsNotKept(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	ctx := t.Context()
	const key = "sha256/ab/abc/a-1"
	content := random(artifact.MinPart)
	for _, sent := range []int{0, 1, 100_000, len(content) - 1} {
		upload, err := s.StartUpload(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		part, err := s.PartURL(ctx, key, upload, 1, int64(len(content)), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		cutShort(t, part, content, sent)
		if parts, err := s.Parts(ctx, key, upload); err != nil || len(parts) != 0 {
			t.Errorf("after %d bytes there are %+v, %v", sent, parts, err)
		}
		if resp, b := request(t, "PUT", part, content, nil); resp.StatusCode != 200 {
			t.Fatalf("part: %d %s", resp.StatusCode, b)
		}
		cutShort(t, part, random(len(content)), sent)
		parts, err := s.Parts(ctx, key, upload)
		if sum := md5.Sum(content); err != nil || len(parts) != 1 || parts[0].MD5 != hex.EncodeToString(sum[:]) {
			t.Errorf("a part that was there, after %d bytes of another: %+v, %v", sent, parts, err)
		}
	}
	whole, err := s.PutURL(ctx, "a/whole", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	cutShort(t, whole, content, 100_000)
	if o, err := s.Stat(ctx, "a/whole"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("an object that was cut short is kept: %+v, %v", o, err)
	}
}

// cutShort announces content, sends the first bytes of it, hangs up, and returns when the store has taken notice.
func cutShort(t *testing.T, to string, content []byte, sent int) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, len(content)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(content[:sent]); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(c)
	if err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		t.Errorf("%d of %d bytes are answered %q, %v", sent, len(content), answer, err)
	}
}

func TestAbortedUploadsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, start(t, dir).Config())
	ctx := t.Context()
	var ids []string
	for _, key := range []string{"u/1", "u/1", "u/12"} {
		id, err := s.StartUpload(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for range 2 {
		if err := s.AbortUploads(ctx, "u/1"); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []error{artifact.ErrNotFound, artifact.ErrNotFound, nil} {
		if _, err := s.Parts(ctx, []string{"u/1", "u/1", "u/12"}[i], ids[i]); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("upload %d: %v, want %v", i, err, want)
		}
	}
	if err := s.AbortUploads(ctx, "u/12"); err != nil {
		t.Fatal(err)
	}
	left := 0
	_ = filepath.WalkDir(filepath.Join(dir, "bucket"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left++
		}
		return err
	})
	if left != 0 {
		t.Errorf("%d files are left", left)
	}
}

func TestAStreamIsStored(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	for _, size := range []int{0, 1, 16 << 20, 40<<20 + 1} {
		data := random(size)
		sum := sha256.Sum256(data)
		o, err := s.PutStream(t.Context(), "archive/x", io.MultiReader(bytes.NewReader(data[:size/2]), bytes.NewReader(data[size/2:])))
		if err != nil || o.Size != int64(size) || o.SHA256 != hex.EncodeToString(sum[:]) {
			t.Fatalf("%d bytes: %+v, %v", size, o, err)
		}
		r, _, err := s.Get(t.Context(), "archive/x")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back changed, %v", size, err)
		}
	}
	broken := io.MultiReader(bytes.NewReader(random(20<<20)), failing{})
	if _, err := s.PutStream(t.Context(), "archive/y", broken); !errors.Is(err, errBroken) {
		t.Errorf("a stream that breaks: %v", err)
	}
	if _, err := s.Stat(t.Context(), "archive/y"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a stream that broke left an object: %v", err)
	}
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

// What a browser does with a download is decided by who signed, and the URL leads where people reach the store.
func TestDownloadsSayWhatTheyAre(t *testing.T) {
	c := start(t, t.TempDir()).Config()
	_, port, _ := strings.Cut(c.Endpoint, ":")
	c.Public = "http://localhost:" + port
	s := open(t, c)
	put(t, s, "a/b", []byte("0123456789"))
	url, err := s.DownloadURL(t.Context(), "a/b", `pump "ü".html`, "text/html; charset=utf-8", time.Minute)
	if err != nil || !strings.HasPrefix(url, c.Public+"/") {
		t.Fatalf("%s, %v", url, err)
	}
	resp, b := request(t, "GET", url, nil, http.Header{"Range": {"bytes=2-4"}})
	if resp.StatusCode != 206 || string(b) != "234" {
		t.Errorf("a range: %d %q", resp.StatusCode, b)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if got := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename*=utf-8''pump%20") {
		t.Errorf("content disposition %q", got)
	}
	for _, public := range []string{"ftp://x", "https://user:secret@x", "https://x/path", "://"} {
		c.Public = public
		if _, err := artifact.Open(t.Context(), c); err == nil {
			t.Errorf("public address %q is taken", public)
		}
	}
}
