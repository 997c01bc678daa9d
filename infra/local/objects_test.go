package local_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/artifact"
)

func start(t *testing.T, dir string) *local.Objects {
	t.Helper()
	o, err := local.StartObjects(local.ObjectsConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func open(t *testing.T, c artifact.Config) *artifact.Store {
	t.Helper()
	s, err := artifact.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func put(t *testing.T, s *artifact.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), sum(data)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *artifact.Store, key string) []byte {
	t.Helper()
	r, o, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if o.Size != int64(len(data)) || o.SHA256 != sum(data) || time.Since(o.Modified) > time.Hour {
		t.Errorf("object %+v has %d bytes", o, len(data))
	}
	return data
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

func TestAnObjectComesBackAsItWasPut(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	for _, n := range []int{0, 0, 0, 0, 1, 100_000, 20 << 20} { // several empty ones, for what they might leave on the connection
		data := random(n)
		put(t, s, "images/a1/1.2.0", data)
		if got := get(t, s, "images/a1/1.2.0"); !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back changed", n)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnObjectIsStoredWholeOrNotAtAll(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	put(t, s, "a", []byte("old"))
	if err := s.Put(t.Context(), "a", strings.NewReader("new"), 3, sum([]byte("other"))); !errors.Is(err, artifact.ErrChecksum) {
		t.Errorf("content with another's checksum: got %v, want ErrChecksum", err)
	}
	if err := s.Put(t.Context(), "a", strings.NewReader("new"), 30, sum([]byte("new"))); err == nil {
		t.Error("content that ends early was stored")
	}
	if got := get(t, s, "a"); string(got) != "old" {
		t.Errorf("refused puts left %q, want the old content", got)
	}
}

func TestDeletedAndUnknownObjectsAreNotFound(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	put(t, s, "a/b", []byte("x"))
	for range 2 {
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Stat(t.Context(), "a/b"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("stat: got %v, want ErrNotFound", err)
	}
	if _, _, err := s.Get(t.Context(), "never/was"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("get: got %v, want ErrNotFound", err)
	}
}

func TestListTellsKeysOfAPrefixInOrder(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	for i := range 5 {
		put(t, s, fmt.Sprintf("apps/a%d/1", 4-i), []byte("x"))
	}
	put(t, s, "images/1", []byte("x"))
	list := func(prefix string, limit int) (keys []string) {
		if err := s.List(t.Context(), prefix, func(o artifact.Object) bool {
			keys = append(keys, o.Key)
			return len(keys) < limit
		}); err != nil {
			t.Fatal(err)
		}
		return keys
	}
	if got := fmt.Sprint(list("apps/", 10)); got != "[apps/a0/1 apps/a1/1 apps/a2/1 apps/a3/1 apps/a4/1]" {
		t.Errorf("listed %s", got)
	}
	if got := list("", 10); len(got) != 6 {
		t.Errorf("listed %v, want all six", got)
	}
	if got := list("apps/", 2); len(got) != 2 {
		t.Errorf("listed %v, want it to stop after two", got)
	}
	if got := list("none/", 2); len(got) != 0 {
		t.Errorf("listed %v, want nothing", got)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../../b", ".", ".hidden", "a\\b", "a\x00b", "a\nb", strings.Repeat("x", 513)} {
		if err := s.Put(t.Context(), key, strings.NewReader(""), 0, sum(nil)); !errors.Is(err, artifact.ErrInvalid) {
			t.Errorf("key %q: got %v, want ErrInvalid", key, err)
		}
		if _, err := s.GetURL(t.Context(), key, time.Minute); !errors.Is(err, artifact.ErrInvalid) {
			t.Errorf("URL for key %q: got %v, want ErrInvalid", key, err)
		}
	}
	if err := s.Put(t.Context(), "a", strings.NewReader(""), 0, "abc"); !errors.Is(err, artifact.ErrInvalid) {
		t.Errorf("a checksum of three digits: got %v, want ErrInvalid", err)
	}
}

// Devices that cannot sign requests get a URL.
func TestASignedURLIsEnoughToReadAndWrite(t *testing.T) {
	s := open(t, start(t, t.TempDir()).Config())
	do := func(method, url, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(data)
	}
	write, err := s.PutURL(t.Context(), "logs/x", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if code, body := do("PUT", write, "hello"); code != 200 {
		t.Fatalf("put: %d %s", code, body)
	}
	read, err := s.GetURL(t.Context(), "logs/x", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if code, body := do("GET", read, ""); code != 200 || body != "hello" {
		t.Errorf("get: %d %q", code, body)
	}
	put(t, s, "logs/y", []byte("secret"))
	if code, _ := do("GET", strings.Replace(read, "logs/x", "logs/y", 1), ""); code != 403 {
		t.Errorf("another object by the same signature: %d, want 403", code)
	}
	if code, _ := do("GET", strings.SplitN(read, "?", 2)[0], ""); code != 403 {
		t.Errorf("without signature: %d, want 403", code)
	}
}

func TestARestartKeepsObjectsAndKeys(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	put(t, open(t, first.Config()), "a", []byte("x"))
	first.Close()
	second := start(t, dir)
	if first.Config().SecretKey != second.Config().SecretKey || first.Config().Bucket != second.Config().Bucket {
		t.Error("key or bucket have changed")
	}
	if got := get(t, open(t, second.Config()), "a"); string(got) != "x" {
		t.Errorf("got %q", got)
	}
}

// Tests run many platforms in one process. None may see another's objects, and none may be ended by another's end.
func TestPlatformsOfOneProcessAreApart(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, b := start(t, filepath.Join(dir, "a")), start(t, filepath.Join(dir, "b"))
	forA, forB := open(t, a.Config()), open(t, b.Config())
	put(t, forA, "k", []byte("a"))
	put(t, forB, "k", []byte("b"))
	if got := string(get(t, forA, "k")) + string(get(t, forB, "k")); got != "ab" {
		t.Errorf("they share objects: %q", got)
	}
	foreign := a.Config()
	foreign.Bucket = b.Config().Bucket
	if s, err := artifact.Open(t.Context(), foreign); err == nil {
		if _, err := s.Stat(t.Context(), "k"); err == nil {
			t.Error("one's key opens another's bucket")
		}
		if err := s.Put(t.Context(), "x", strings.NewReader(""), 0, sum(nil)); err == nil {
			t.Error("one's key writes to another's bucket")
		}
	}
	if _, err := local.StartObjects(local.ObjectsConfig{Dir: filepath.Join(dir, "a")}); err == nil {
		t.Error("two object stores on one directory")
	}
	a.Close()
	if got := string(get(t, forB, "k")); got != "b" {
		t.Errorf("after the other's end: %q", got)
	}
	if now, err := os.Getwd(); err != nil || now != here {
		t.Errorf("the working directory became %s (%v)", now, err)
	}
}

func TestAnObjectStoreSaysThatItsPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = local.StartObjects(local.ObjectsConfig{Dir: t.TempDir(), Listen: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}

func TestADamagedKeyIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := local.StartObjects(local.ObjectsConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("got %v", err)
	}
}
