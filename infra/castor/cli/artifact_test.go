package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/objecttest"
)

// Files go up and come down by the command line, and what was broken off is gone on with.
func TestArtifacts(t *testing.T) {
	p := newPerson(t)
	p.Base.Objects = objecttest.Start(t)
	p.Add("artifacts", artifacts.New)
	p.login("admin")
	p.does(words("group create press"), "")
	dir := t.TempDir()
	t.Chdir(dir)

	content := make([]byte, 65<<20) // several parts
	_, _ = rand.Read(content)
	file := p.file("image.tar.gz", string(content))
	p.fails([]string{"artifact", "upload", file}, "owner")
	p.fails([]string{"artifact", "upload", dir, "--owner", "press"}, "is not a file")

	// Somebody has sent the first part, and was cut off.
	sum := sha256.Sum256(content)
	a, err := p.Admin().CreateArtifact(context.Background(), api.NewArtifact{Name: "image.tar.gz", Owner: "press", MediaType: "application/gzip",
		Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Tags: []string{"os=linux"}})
	if err != nil {
		t.Fatal(err)
	}
	put, err := http.NewRequest("PUT", a.Upload.URLs[0].URL, bytes.NewReader(content[:16<<20]))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(put); err != nil || resp.StatusCode != 200 {
		t.Fatalf("part: %v, %v", resp, err)
	}
	// Its second part has the size announced, and other content.
	if put, err = http.NewRequest("PUT", a.Upload.URLs[1].URL, bytes.NewReader(content[:16<<20])); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(put); err != nil || resp.StatusCode != 200 {
		t.Fatalf("part: %v, %v", resp, err)
	}
	out := p.does([]string{"artifact", "upload", file, "--owner", "press", "--tag", "os=linux", "--media-type", "application/gzip"}, "", "image.tar.gz is artifact artifact-", "verified")
	id := regexp.MustCompile(`artifact-[0-9a-f]{16}`).FindString(out)
	if id != a.Artifact.ID {
		t.Errorf("the upload was not gone on with: %s", out)
	}

	p.does(words("artifact list --tag os=linux"), "", id, "image.tar.gz", "press", "65.0 MiB", "ready")
	p.does(words("artifact list --tag os=windows -o json"), "", "[]")
	p.does([]string{"artifact", "get", id}, "", hex.EncodeToString(sum[:]), "application/gzip", "user:admin")
	p.does(words("artifact quota press"), "", "1 of 10000 artifacts", "65.0 MiB of 10.0 GiB")
	p.does(words("artifact quota press --count 1 -o json"), "", `"maxCount": 1`, `"maxBytes": 10737418240`)
	p.fails([]string{"artifact", "upload", file, "--owner", "nobodys"}, "nobodys")
	p.fails([]string{"artifact", "upload", p.file("b", "x"), "--owner", "press"}, "quota", "ask a maintainer")

	same := func(name string) {
		t.Helper()
		if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, content) {
			t.Errorf("%s is not what was sent: %v", name, err)
		}
		if left, _ := filepath.Glob("*.part"); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
	p.does([]string{"artifact", "download", id}, "", "image.tar.gz downloaded and verified")
	same("image.tar.gz")
	p.fails([]string{"artifact", "download", id}, "image.tar.gz is there already", "--force")
	if err := os.WriteFile("b."+hex.EncodeToString(sum[:4])+".part", content[:20<<20], 0o600); err != nil {
		t.Fatal(err)
	}
	p.does([]string{"artifact", "download", id, "-o", "b"}, "", "b downloaded and verified")
	same("b")
	broken := bytes.Clone(content[:20<<20])
	broken[7] ^= 1
	if err := os.WriteFile("c."+hex.EncodeToString(sum[:4])+".part", broken, 0o600); err != nil {
		t.Fatal(err)
	}
	p.fails([]string{"artifact", "download", id, "-o", "c"}, "SHA-256", "download it again")
	if _, err := os.Stat("c"); err == nil {
		t.Error("damaged content was handed out")
	}
	p.does([]string{"artifact", "download", id, "-o", "c"}, "", "verified")
	same("c")

	p.does([]string{"artifact", "delete", id}, "", "artifact "+id+" deleted")
	p.fails([]string{"artifact", "download", id}, "there is no artifact")
	if out := p.does(words("artifact list -o csv"), ""); strings.Contains(out, id) {
		t.Errorf("it is listed after deletion:\n%s", out)
	}
}
