package faas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/fxamacker/cbor/v2"
)

type thing struct {
	Name  string   `json:"name"`
	Size  int      `json:"size"`
	Tags  []string `json:"tags,omitempty"`
	Inner *thing   `json:"inner,omitempty"`
	Own   string   `json:"-"`
}

// probe has an operation for everything that this package does.
func probe(p *platform.Platform) faas.Func {
	everybody := access.Allow{Public: true}
	echo := func(_ context.Context, _ *faas.Call, in thing) (thing, error) { return in, nil }
	fail := func(err error) faas.Handler {
		return faas.Op(p, everybody, func(context.Context, *faas.Call, faas.None) (faas.None, error) { return faas.None{}, err })
	}
	return faas.Routes{
		"POST /things": faas.Op(p, everybody, echo),
		"POST /quiet":  faas.Op(p, everybody, echo).Quiet(),
		"PUT /things/{name}": faas.Op(p, access.Only(access.Owner), func(_ context.Context, c *faas.Call, in thing) (faas.Reply, error) {
			if err := c.Match(7); err != nil {
				return faas.Reply{}, err
			}
			in.Name = c.Var("name")
			return faas.Versioned(8, in), nil
		}),
		"POST /made": faas.Op(p, everybody, func(_ context.Context, _ *faas.Call, in thing) (faas.Reply, error) {
			return faas.Created("/things/"+in.Name, in), nil
		}),
		"GET /things/{name}": faas.Op(p, everybody, func(_ context.Context, c *faas.Call, _ faas.None) (thing, error) {
			return thing{Name: c.Var("name")}, nil
		}),
		"GET /text": faas.Op(p, everybody, func(context.Context, *faas.Call, faas.None) (faas.Reply, error) {
			return faas.Bytes("text/csv", []byte("a,b\n")), nil
		}),
		"GET /limit":     faas.Op(p, everybody, func(_ context.Context, c *faas.Call, _ faas.None) (int, error) { return c.Limit() }),
		"GET /users":     faas.Op(p, access.Users(), func(_ context.Context, c *faas.Call, _ faas.None) (string, error) { return c.Token, nil }),
		"POST /raw":      faas.Op(p, everybody, func(_ context.Context, _ *faas.Call, in []byte) (int, error) { return len(in), nil }),
		"GET /panic":     faas.Op(p, everybody, func(context.Context, *faas.Call, faas.None) (faas.None, error) { panic("secret detail") }),
		"GET /broken":    fail(errors.New("secret detail")),
		"GET /stale":     fail(fmt.Errorf("thing 7: %w", api.ErrStale)),
		"GET /missing":   fail(platform.NotFound("thing", "7")),
		"GET /late":      fail(context.DeadlineExceeded),
		"GET /busy":      fail(api.ErrTooMany),
		"GET /unnatural": faas.Op(p, everybody, func(context.Context, *faas.Call, faas.None) (any, error) { return func() {}, nil }),
		"POST /events":   faas.Events(p, func(_ context.Context, events []event.Event) error { return fail2(len(events)) }),
		"POST /schedule": faas.Schedule(p, func(_ context.Context, planned time.Time) error {
			if planned.Location() != time.UTC {
				return errors.New("not UTC")
			}
			return nil
		}),
	}.Func()
}

func fail2(n int) error {
	if n == 2 {
		return nil
	}
	return api.Invalid("%d events", n)
}

func start(t *testing.T) *functiontest.World {
	return functiontest.New(t, functiontest.Functions{"probe": probe})
}

// do sends a request as it is, and returns the answer with its body.
func do(t *testing.T, w *functiontest.World, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, w.URL+"/function/probe"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
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
	return resp, string(b)
}

func bearer(t *testing.T, c *api.Client) string {
	t.Helper()
	a, err := c.Authorize(context.Background(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnswers(t *testing.T) {
	w := start(t)
	owner := bearer(t, w.User("ada", []access.Role{access.Owner}))
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		says               string
	}{
		"a value":                         {"POST", "/things", `{"name":"a","size":1}`, nil, 200, `{"name":"a","size":1}`},
		"a variable of the path":          {"GET", "/things/a%20b%2Fc", "", nil, 200, `{"name":"a b/c","size":0}`},
		"something new":                   {"POST", "/made", `{"name":"a"}`, nil, 201, `"a"`},
		"another content type":            {"GET", "/text", "", nil, 200, "a,b\n"},
		"a version":                       {"PUT", "/things/x", `{}`, []string{"Authorization", owner, "If-Match", `"7"`}, 200, `"x"`},
		"one version of several":          {"PUT", "/things/x", `{}`, []string{"Authorization", owner, "If-Match", `"1", "7"`}, 200, `"x"`},
		"any version":                     {"PUT", "/things/x", `{}`, []string{"Authorization", owner, "If-Match", `*`}, 200, `"x"`},
		"another version":                 {"PUT", "/things/x", `{}`, []string{"Authorization", owner, "If-Match", `"6"`}, 412, "version 7 is current"},
		"nothing there":                   {"GET", "/nothing", "", nil, 404, "nothing at"},
		"a path that climbs":              {"GET", "/things/%2e%2e/%2e%2e/x", "", nil, 404, "nothing at"},
		"a query that is none":            {"GET", "/text?a=%zz", "", nil, 400, "query"},
		"another method":                  {"DELETE", "/things", "", nil, 405, "allowed are POST"},
		"not signed in":                   {"GET", "/users", "", nil, 401, "login"},
		"a bad token":                     {"GET", "/users", "", []string{"Authorization", "Bearer x"}, 401, "token"},
		"a bad token where none is asked": {"POST", "/things", `{"name":"a"}`, []string{"Authorization", "Bearer x"}, 200, "a"},
		"not this role":                   {"PUT", "/things/x", `{}`, []string{"Authorization", bearer(t, w.User("vic", []access.Role{access.Viewer}))}, 403, "this is for maintainers and owners; user:vic is viewer"},
		"no body":                         {"POST", "/things", "", nil, 400, "empty"},
		"an unknown field":                {"POST", "/things", `{"nmae":"a"}`, nil, 400, "nmae"},
		"a hidden field":                  {"POST", "/things", `{"Own":"a"}`, nil, 400, "Own"},
		"two values":                      {"POST", "/things", `{} {}`, nil, 400, "behind"},
		"text for a number":               {"POST", "/things", `{"size":"1"}`, nil, 400, "field size must be a whole number within its bounds, not string"},
		"a number out of range":           {"POST", "/things", `{"size":1e99}`, nil, 400, "size"},
		"a number for a list":             {"POST", "/things", `{"tags":1}`, nil, 400, "field tags must be an array"},
		"a number for a word in a list":   {"POST", "/things", `{"tags":[1]}`, nil, 400, "field tags must be a string"},
		"a fault inside":                  {"POST", "/things", `{"inner":{"name":1}}`, nil, 400, "inner.name"},
		"nested without end":              {"POST", "/things", strings.Repeat(`{"inner":`, 100_000), nil, 400, "JSON"},
		"more than a body may have":       {"POST", "/things", `{"name":"` + strings.Repeat("x", faas.MaxBody) + `"}`, nil, 413, "1048576 bytes"},
		"more than a bulk body may have":  {"POST", "/raw", strings.Repeat("x", faas.MaxBulk+1), nil, 413, "16777216 bytes"},
		"a bulk body":                     {"POST", "/raw", strings.Repeat("x", faas.MaxBody+1), nil, 200, "1048577"},
		"JSON with a character set":       {"POST", "/things", `{"name":"a"}`, []string{"Content-Type", "Application/JSON; charset=utf-8"}, 200, "a"},
		"a kind of JSON":                  {"POST", "/things", `{"name":"a"}`, []string{"Content-Type", "application/merge-patch+json"}, 200, "a"},
		"text":                            {"POST", "/things", `{"name":"a"}`, []string{"Content-Type", "text/plain"}, 415, `text/plain\" is not taken here; send application/json`},
		"a form":                          {"POST", "/things", `{"name":"a"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
		"a content type that is none":     {"POST", "/things", `{"name":"a"}`, []string{"Content-Type", "json"}, 415, "application/json"},
		"nothing, as text":                {"POST", "/things", "", []string{"Content-Type", "text/plain"}, 400, "empty"},
		"text where all is taken":         {"POST", "/raw", "abc", []string{"Content-Type", "text/plain"}, 200, "3"},
		"CBOR that is none":               {"POST", "/things", "\xff\xff", []string{"Content-Type", "application/cbor"}, 400, "CBOR"},
		"CBOR of a huge list":             {"POST", "/things", "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", []string{"Content-Type", "application/cbor"}, 400, "CBOR"},
		"CBOR nested without end":         {"POST", "/things", strings.Repeat("\x81", 100_000), []string{"Content-Type", "application/cbor"}, 400, "CBOR"},
		"no CBOR at all":                  {"POST", "/things", "", []string{"Content-Type", "application/cbor"}, 400, "CBOR"},
		"a stale edit":                    {"GET", "/stale", "", nil, 412, "thing 7"},
		"what is not there":               {"GET", "/missing", "", nil, 404, `there is no thing \"7\"`},
		"a store that is slow":            {"GET", "/late", "", nil, 503, "unavailable"},
		"too many":                        {"GET", "/busy", "", nil, 429, "too many"},
		"an error nobody foresaw":         {"GET", "/broken", "", nil, 500, "its log says why"},
		"a panic":                         {"GET", "/panic", "", nil, 500, "its log says why"},
		"an answer that is no JSON":       {"GET", "/unnatural", "", nil, 500, "its log says why"},
		"no limit":                        {"GET", "/limit", "", nil, 200, "100"},
		"a limit":                         {"GET", "/limit?limit=1000", "", nil, 200, "1000"},
		"a limit out of bounds":           {"GET", "/limit?limit=1001", "", nil, 400, "1 to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := do(t, w, c.method, c.path, c.body, c.header...)
			if resp.StatusCode != c.status || !strings.Contains(body, c.says) || strings.Contains(body, "secret") {
				t.Errorf("%d %s; want %d with %q", resp.StatusCode, body, c.status, c.says)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v", resp.Header)
			}
			if c.status < 400 {
				return
			}
			var p api.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != c.status || p.Title == "" || p.CallID == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("problem %s of type %s, %v", body, resp.Header.Get("Content-Type"), err)
			}
			if want := map[int]string{401: "Www-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}[c.status]; want != "" && resp.Header.Get(want) == "" {
				t.Errorf("%d without %s", c.status, want)
			}
		})
	}
	resp, _ := do(t, w, "PUT", "/things/x", "{}", "Authorization", owner)
	if resp.Header.Get("Etag") != `"8"` {
		t.Errorf("ETag %s", resp.Header.Get("Etag"))
	}
	resp, _ = do(t, w, "POST", "/made", `{"name":"a"}`)
	if resp.Header.Get("Location") != "/things/a" {
		t.Errorf("Location %s", resp.Header.Get("Location"))
	}
}

func TestCBORIn(t *testing.T) {
	w := start(t)
	b, err := cbor.Marshal(thing{Name: "a", Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := do(t, w, "POST", "/things", string(b), "Content-Type", "application/cbor"); resp.StatusCode != 200 || body != `{"name":"a","size":2}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Every write that took place leaves one record of who did what; nothing else does.
func TestAudit(t *testing.T) {
	w := start(t)
	got := w.Collect(event.Audit)
	w.SetTime(time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)) // so all fall into one millisecond
	owner := bearer(t, w.User("ada", []access.Role{access.Owner}))
	before := len(got())
	do(t, w, "GET", "/things/x", "")
	do(t, w, "POST", "/quiet", `{}`)
	do(t, w, "POST", "/things", `{"no":1}`)
	do(t, w, "PUT", "/things/x", `{}`) // not signed in
	// One call id, as a caller may choose it, must not make two records look like one.
	do(t, w, "PUT", "/things/x", `{}`, "Authorization", owner, "X-Call-Id", "mine")
	do(t, w, "PUT", "/things/x", `{}`, "Authorization", owner, "X-Call-Id", "mine")
	do(t, w, "POST", "/made", `{}`, "X-Call-Id", strings.Repeat("long", 1000))
	var probes []access.Record
	ids := map[string]bool{}
	functiontest.Eventually(t, "three records are told", func() bool {
		probes = nil
		for _, e := range got() {
			var r access.Record
			if e.Decode(&r) == nil && r.Function == "probe" {
				probes = append(probes, r)
				ids[r.ID] = true
			}
		}
		return len(probes) >= 3
	})
	if len(probes) != 3 || len(ids) != 3 || len(got()) < before+3 {
		t.Fatalf("%+v", probes)
	}
	if r := probes[0]; r.Caller != "user:ada" || r.Method != "PUT" || r.Path != "/things/x" || r.Status != 200 || r.CallID != "mine" || !r.At.Equal(w.Now()) {
		t.Errorf("%+v", r)
	}
	if r := probes[2]; r.Caller != "nobody" || r.Status != 201 || len(r.CallID) > 64 || r.CallID == "" {
		t.Errorf("%+v", r)
	}
}

func TestEventsAndSchedule(t *testing.T) {
	ctx := context.Background()
	w := start(t)
	two := []event.Event{{ID: "1"}, {ID: "2"}}
	if err := w.Event("probe", two...); err != nil {
		t.Error(err)
	}
	if err := w.Event("probe", two[0]); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("an error is not passed on: %v", err)
	}
	if err := w.Tick("probe", time.Now().In(time.FixedZone("CET", 3600))); err != nil {
		t.Error(err)
	}
	events := w.Part("events", "")
	if err := events.Call(ctx, "POST", "probe", "/schedule", nil, nil); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("without a planned time: %v", err)
	}
	for name, c := range map[string]*api.Client{"a maintainer": w.Admin(), "another part": w.Part("twins", "")} {
		for _, path := range []string{"/events", "/schedule"} {
			if err := c.Call(ctx, "POST", "probe", path, two, nil); !errors.Is(err, access.ErrDenied) {
				t.Errorf("%s at %s: %v", name, path, err)
			}
		}
	}
}

// The token for calls on the user's behalf is the user's, also where a part passes it on.
func TestTokenOfTheUser(t *testing.T) {
	w := start(t)
	ada := bearer(t, w.User("ada", []access.Role{access.Owner}))
	_, body := do(t, w, "GET", "/users", "", "Authorization", ada)
	if want := fmt.Sprintf("%q", strings.TrimPrefix(ada, "Bearer ")); body != want {
		t.Errorf("%s, want %s", body, want)
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "{}", "null", `{"name":"a","inner":{"tags":["\u0000"]}}`, `[`, `{"size":1e999}`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v thing
		if err := faas.JSON(b, &v); err != nil && !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%q: %v", bytes.TrimSpace(b), err)
		}
	})
}
