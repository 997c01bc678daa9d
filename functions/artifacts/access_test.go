package artifacts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/artifacts"
	"github.com/castor-iot/castor/functions/authorization"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/tests/functiontest"
)

func names(t *testing.T, c *api.Client, q api.ArtifactQuery) string {
	t.Helper()
	var all []string
	for first := true; first || q.Cursor != ""; first = false {
		page, err := c.ListArtifacts(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Limit > 0 && len(page.Items) > q.Limit {
			t.Errorf("a page has %d of %d", len(page.Items), q.Limit)
		}
		for _, v := range page.Items {
			all = append(all, v.Name)
		}
		q.Cursor = page.Next
	}
	return strings.Join(all, " ")
}

func TestListsShowWhatOneMaySee(t *testing.T) {
	w := newWorld(t)
	w.Add("authorization", authorization.New)
	ctx := context.Background()
	w.User("vic", []access.Role{access.Viewer}, "guests")
	vic := w.person("vic")
	made := map[string]string{}
	for name, tags := range map[string][]string{"b.bin": {"os=linux"}, "A.bin": {"os=linux", "arch=arm64"}, "c.bin": nil, "Aa.txt": nil} {
		in := fileOf(name, []byte(name))
		in.Tags = tags
		made[name] = w.announce(w.press, in).Artifact.ID
	}
	made["z.bin"] = w.announce(w.paint, fileOf("z.bin", []byte("z"))).Artifact.ID
	_, err := w.press.CreateGrant(ctx, access.Grant{Subject: "user:vic", Object: "artifact:" + made["b.bin"], Right: access.Read})
	w.must(err)
	if _, err := w.paint.CreateGrant(ctx, access.Grant{Subject: "user:vic", Object: "artifact:" + made["c.bin"], Right: access.Read}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a grant on a foreign artifact: %v", err)
	}
	functiontest.Eventually(t, "the grant lets vic in", func() bool { _, err := vic.GetArtifact(ctx, made["b.bin"]); return err == nil })
	for name, tt := range map[string]struct {
		who  *api.Client
		q    api.ArtifactQuery
		want string
	}{
		"an owner, own ones by name":       {w.press, api.ArtifactQuery{}, "A.bin Aa.txt b.bin c.bin"},
		"page by page":                     {w.press, api.ArtifactQuery{Limit: 1}, "A.bin Aa.txt b.bin c.bin"},
		"by the beginning of the name":     {w.press, api.ArtifactQuery{Name: "a"}, "A.bin Aa.txt"},
		"by tag":                           {w.press, api.ArtifactQuery{Tag: "os=linux"}, "A.bin b.bin"},
		"by tag and name":                  {w.press, api.ArtifactQuery{Tag: "os=linux", Name: "B"}, "b.bin"},
		"another group's":                  {w.press, api.ArtifactQuery{Owner: "paint"}, ""},
		"another owner":                    {w.paint, api.ArtifactQuery{}, "z.bin"},
		"a maintainer":                     {w.admin, api.ArtifactQuery{Limit: 2}, "A.bin Aa.txt b.bin c.bin z.bin"},
		"a maintainer, of one group":       {w.admin, api.ArtifactQuery{Owner: "paint"}, "z.bin"},
		"who was granted one":              {vic, api.ArtifactQuery{}, "b.bin"},
		"who was granted one, by owner":    {vic, api.ArtifactQuery{Owner: "press"}, "b.bin"},
		"who was granted one, another tag": {vic, api.ArtifactQuery{Tag: "arch=arm64"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := names(t, tt.who, tt.q); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if err := vic.DeleteArtifact(ctx, made["b.bin"]); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a reader deletes: %v", err)
	}
}

// A foreign artifact and one that is not there are answered in the same words, by every operation.
func TestForeignArtifactsAreNotThere(t *testing.T) {
	w := newWorld(t)
	id := w.announce(w.press, fileOf("a", []byte("a"))).Artifact.ID
	ctx := context.Background()
	for name, do := range map[string]func(c *api.Client, id string) error{
		"get":      func(c *api.Client, id string) error { _, err := c.GetArtifact(ctx, id); return err },
		"parts":    func(c *api.Client, id string) error { _, err := c.ListArtifactParts(ctx, id, ""); return err },
		"complete": func(c *api.Client, id string) error { _, err := c.CompleteArtifact(ctx, id); return err },
		"download": func(c *api.Client, id string) error { _, err := c.DownloadArtifact(ctx, id); return err },
		"delete":   func(c *api.Client, id string) error { return c.DeleteArtifact(ctx, id) },
	} {
		t.Run(name, func(t *testing.T) {
			const other = "artifact-0123456789abcdef"
			foreign, missing := do(w.paint, id), do(w.paint, other)
			if !errors.Is(foreign, api.ErrNotFound) || strings.ReplaceAll(foreign.Error(), id, other) != missing.Error() {
				t.Errorf("%v\n%v", foreign, missing)
			}
			if err := do(w.Nobody(), id); !errors.Is(err, access.ErrUnauthenticated) {
				t.Errorf("nobody gets %v", err)
			}
		})
	}
	in := fileOf("b", []byte("b"))
	in.Owner = "press"
	if _, err := w.paint.CreateArtifact(ctx, in); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an artifact for a foreign group: %v", err)
	}
	in.Owner = "nowhere"
	if _, err := w.admin.CreateArtifact(ctx, in); api.ProblemOf(err).Status != 400 {
		t.Errorf("an artifact for no group: %v", err)
	}
}

// Nothing that comes from outside gets further than a message that names it.
func TestHostileInput(t *testing.T) {
	w := newWorld(t)
	const sum = `"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
	long := strings.Repeat("x", 300)
	for name, tt := range map[string]struct {
		method, path, body string
		want               int
		says               string
	}{
		"a path in the name":           {"POST", "/artifacts", `{"name":"../../etc/passwd","size":1,` + sum + `}`, 400, "name"},
		"a path of Windows":            {"POST", "/artifacts", `{"name":"c:\\x","size":1,` + sum + `}`, 400, "name"},
		"only dots":                    {"POST", "/artifacts", `{"name":"..","size":1,` + sum + `}`, 400, "name"},
		"a line end in the name":       {"POST", "/artifacts", `{"name":"a\r\nSet-Cookie: x","size":1,` + sum + `}`, 400, "name"},
		"NUL in the name":              {"POST", "/artifacts", `{"name":"a\u0000b","size":1,` + sum + `}`, 400, "name"},
		"text that runs backwards":     {"POST", "/artifacts", `{"name":"a\u202egpj.exe","size":1,` + sum + `}`, 400, "name"},
		"bad UTF-8 in the name":        {"POST", "/artifacts", "{\"name\":\"a\xff\",\"size\":1," + sum + `}`, 400, "name"},
		"no name":                      {"POST", "/artifacts", `{"size":1,` + sum + `}`, 400, "name"},
		"a long name":                  {"POST", "/artifacts", `{"name":"` + long + `","size":1,` + sum + `}`, 400, "name"},
		"no size":                      {"POST", "/artifacts", `{"name":"a",` + sum + `}`, 400, "size"},
		"a negative size":              {"POST", "/artifacts", `{"name":"a","size":-1,` + sum + `}`, 400, "size"},
		"a huge size":                  {"POST", "/artifacts", `{"name":"a","size":9223372036854775807,` + sum + `}`, 400, "size"},
		"a size beyond numbers":        {"POST", "/artifacts", `{"name":"a","size":1e400,` + sum + `}`, 400, "size"},
		"a size with a fraction":       {"POST", "/artifacts", `{"name":"a","size":1.5,` + sum + `}`, 400, "size"},
		"a size as text":               {"POST", "/artifacts", `{"name":"a","size":"1",` + sum + `}`, 400, "size"},
		"a short hash":                 {"POST", "/artifacts", `{"name":"a","size":1,"sha256":"e3b0"}`, 400, "sha256"},
		"a hash of other letters":      {"POST", "/artifacts", `{"name":"a","size":1,"sha256":"` + strings.Repeat("z", 64) + `"}`, 400, "sha256"},
		"a hash that is a path":        {"POST", "/artifacts", `{"name":"a","size":1,"sha256":"` + strings.Repeat("../", 21) + `a"}`, 400, "sha256"},
		"a media type that is none":    {"POST", "/artifacts", `{"name":"a","size":1,"mediaType":"text",` + sum + `}`, 400, "mediaType"},
		"a header in the media type":   {"POST", "/artifacts", `{"name":"a","size":1,"mediaType":"text/html\r\nX: y",` + sum + `}`, 400, "mediaType"},
		"a long media type":            {"POST", "/artifacts", `{"name":"a","size":1,"mediaType":"text/` + long + `",` + sum + `}`, 400, "mediaType"},
		"an odd tag":                   {"POST", "/artifacts", `{"name":"a","size":1,"tags":["a b"],` + sum + `}`, 400, "tags"},
		"an empty tag":                 {"POST", "/artifacts", `{"name":"a","size":1,"tags":[""],` + sum + `}`, 400, "tags"},
		"too many tags":                {"POST", "/artifacts", `{"name":"a","size":1,"tags":[` + strings.Repeat(`"a",`, 20) + `"b"],` + sum + `}`, 400, "tags"},
		"an owner that is a path":      {"POST", "/artifacts", `{"name":"a","size":1,"owner":"../x",` + sum + `}`, 400, "owner"},
		"a field that is not there":    {"POST", "/artifacts", `{"name":"a","size":1,"state":"ready",` + sum + `}`, 400, "state"},
		"an id":                        {"POST", "/artifacts", `{"id":"x","name":"a","size":1,` + sum + `}`, 400, "id"},
		"no JSON":                      {"POST", "/artifacts", `]`, 400, "JSON"},
		"nothing":                      {"POST", "/artifacts", ``, 400, "empty"},
		"a deep value":                 {"POST", "/artifacts", strings.Repeat("[", 50_000), 400, "JSON"},
		"a large body":                 {"POST", "/artifacts", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "bytes"},
		"an id with a path":            {"GET", "/artifacts/..%2f..%2fx", "", 404, ""},
		"an id with NUL":               {"GET", "/artifacts/%00", "", 404, ""},
		"a long id":                    {"GET", "/artifacts/" + strings.Repeat("x", 5000), "", 404, ""},
		"a cursor of parts":            {"GET", "/artifacts/ID/parts?cursor=x", "", 400, "cursor"},
		"a negative cursor of parts":   {"GET", "/artifacts/ID/parts?cursor=-5", "", 400, "cursor"},
		"a cursor of parts far beyond": {"GET", "/artifacts/ID/parts?cursor=10000", "", 200, ""},
		"a limit of parts":             {"GET", "/artifacts/ID/parts?limit=100000", "", 400, "limit"},
		"a cursor of the list":         {"GET", "/artifacts?cursor=%25%25", "", 400, "cursor"},
		"a cursor of bad UTF-8":        {"GET", "/artifacts?cursor=_____w", "", 400, "cursor"},
		"a limit":                      {"GET", "/artifacts?limit=-1", "", 400, "limit"},
		"a tag to look for":            {"GET", "/artifacts?tag=" + long, "", 400, "tag"},
		"an owner to look for":         {"GET", "/artifacts?owner=..%2f", "", 400, "owner"},
		"a name to look for":           {"GET", "/artifacts?name=%ff", "", 400, "name"},
		"a group that is a path":       {"GET", "/quotas/..%2f", "", 404, ""},
		"a method":                     {"PATCH", "/artifacts/ID", "{}", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			id := w.announce(w.press, fileOf("good", []byte("good"))).Artifact.ID
			var in any
			if tt.body != "" {
				in = api.Raw{ContentType: "application/json", Body: []byte(tt.body)}
			}
			resp, err := w.press.Do(context.Background(), tt.method, "artifacts", strings.ReplaceAll(tt.path, "ID", id), nil, in)
			status := http.StatusOK
			if err != nil {
				status = api.ProblemOf(err).Status
			} else {
				resp.Body.Close()
			}
			if status != tt.want || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%d %v, want %d that names %q", status, err, tt.want, tt.says)
			}
		})
	}
	if q := w.quota("press"); q.Count != 1 {
		t.Errorf("what was refused takes room: %+v", q)
	}
}

// Content that is not what was announced is refused, told of for a day, and removed at once.
func TestTamperedContent(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(1000)
	a := w.announce(w.press, fileOf("a", content))
	content[500] ^= 1
	if code := w.send(a.Upload.URLs[0], content[:999]); code != 403 {
		t.Errorf("a part that is too short: %d", code)
	}
	w.sendAll(a, content)
	for range 2 {
		_, err := w.press.CompleteArtifact(ctx, a.Artifact.ID)
		if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), sumOf(content)) || !strings.Contains(err.Error(), "upload it again") {
			t.Errorf("complete says %v", err)
		}
	}
	v, err := w.press.GetArtifact(ctx, a.Artifact.ID)
	if err != nil || v.State != api.ArtifactRefused || v.Reason == "" {
		t.Errorf("it is %+v, %v", v, err)
	}
	if _, err := w.press.DownloadArtifact(ctx, v.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("it is downloaded: %v", err)
	}
	if keys := w.keys(); len(keys) != 0 {
		t.Errorf("left over: %v", keys)
	}
	if q := w.quota("press"); q.Count != 0 || q.Bytes != 0 {
		t.Errorf("it takes room: %+v", q)
	}
	w.later(25 * time.Hour)
	if _, err := w.press.GetArtifact(ctx, v.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("after a day: %v", err)
	}
}

func TestUploadsThatNobodyCompletesEnd(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	content := random(1000)
	a := w.announce(w.press, fileOf("a", content))
	w.sendAll(a, content)
	w.later(23 * time.Hour)
	if v, err := w.press.GetArtifact(ctx, a.Artifact.ID); err != nil || v.State != api.ArtifactUploading {
		t.Fatalf("after 23 h: %+v, %v", v, err)
	}
	w.later(2 * time.Hour)
	if _, err := w.press.CompleteArtifact(ctx, a.Artifact.ID); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "24h") {
		t.Errorf("after 25 h complete says %v", err)
	}
	w.sweep()
	if code := w.send(a.Upload.URLs[0], content); code == 200 {
		t.Error("its parts are still taken")
	}
	if q := w.quota("press"); q.Count != 0 {
		t.Errorf("it takes room: %+v", q)
	}
}

// Who holds a signed URL is let in. So it is in no log, no audit and no event.
func TestSignedURLsAreKeptSecret(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var logged bytes.Buffer
	w.Base.Log = slog.New(slog.NewJSONHandler(writer(func(b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return logged.Write(b) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.Add("artifacts", artifacts.New)
	audited := w.Collect(event.Audit)
	content := random(100)
	v := w.upload(w.press, fileOf("a", content), content)
	w.fetch(w.press, v.ID)
	if _, err := w.press.ListArtifactParts(context.Background(), v.ID, ""); err == nil {
		t.Error("parts of what is ready")
	}
	w.must(w.press.DeleteArtifact(context.Background(), v.ID))
	functiontest.Eventually(t, "the audit tells of all three", func() bool {
		return strings.Count(fmt.Sprintf("%s", audited()), `"function":"artifacts"`) == 3
	})
	mu.Lock()
	defer mu.Unlock()
	all := logged.String() + fmt.Sprintf("%s", audited())
	if !strings.Contains(all, v.ID) || strings.Contains(strings.ToLower(all), "x-amz") || strings.Contains(all, "uploadId") {
		t.Errorf("told to everybody:\n%s", all)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
