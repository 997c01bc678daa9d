package images_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/images"
	"go.yaml.in/yaml/v3"
)

func stack(t *testing.T) images.Stack {
	t.Helper()
	root, err := images.Root()
	if err != nil {
		t.Fatal(err)
	}
	s, err := images.ReadStack(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func functionNames(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(stack(t).Functions))
}

// protected returns a GET operation of each function that needs a token and is for maintainers, from openapi.yaml.
func protected(t *testing.T) map[string]string {
	t.Helper()
	root, err := images.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "functions", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Roles      []string `yaml:"x-castor-roles"`
				Parameters []struct {
					In       string `yaml:"in"`
					Required bool   `yaml:"required"`
				} `yaml:"parameters"`
			} `yaml:"get"`
		} `yaml:"paths"`
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/function/"), "/")
		get := doc.Paths[path].Get
		for _, p := range get.Parameters {
			if p.In == "query" && p.Required {
				get.Roles = nil // it is not read without
			}
		}
		if has := found[name]; slices.Contains(get.Roles, "maintainer") && (has == "" || strings.Contains(has, "{") || rest == name) { // a function's own list asks for nothing
			found[name] = "/" + rest
		}
	}
	return found
}

func problem(t *testing.T, resp *http.Response, body string) (p api.Problem) {
	t.Helper()
	if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" || json.Unmarshal([]byte(body), &p) != nil || p.Status != resp.StatusCode {
		t.Errorf("%s is answered %d with %s, not a problem: %s", resp.Request.URL, resp.StatusCode, ct, body)
	}
	return p
}

// Every function, built from its own context, works as a program of its own: it gets ready without a call, knows who calls by
// asking the program of users, shows its metrics, and ends well.
func TestEveryFunctionIsAProgram(t *testing.T) {
	w := newWorld(t)
	running := map[string]*process{}
	for _, name := range functionNames(t) {
		running[name] = w.start(name)
	}
	for name, p := range running {
		eventually(t, name+" is ready", func() bool { return status(p.URL+"/_/ready") == 200 })
		if s := status(p.URL + "/_/health"); s != 200 {
			t.Errorf("%s: health is %d", name, s)
		}
	}
	resp, body := send(t, "POST", w.gateway.URL+"/function/users/login", "", `{"name":"admin","password":"`+password+`"}`)
	var token api.Token
	if resp.StatusCode != 200 || json.Unmarshal([]byte(body), &token) != nil {
		t.Fatalf("signing in: %d %s", resp.StatusCode, body)
	}
	paths := protected(t)
	for name, p := range running {
		if name == "console" { // all that it has to read is everybody's: pages, and who is signed in
			if resp, body := send(t, "GET", p.URL+"/session", "", ""); resp.StatusCode != http.StatusNoContent {
				t.Errorf("the console's session of nobody: %d %s", resp.StatusCode, body)
			}
			paths[name] = "/session"
		} else if paths[name] == "" {
			t.Errorf("openapi.yaml has no GET of %s that maintainers may call", name)
			continue
		} else {
			resp, body := send(t, "GET", p.URL+paths[name], "", "")
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d %s", name, resp.StatusCode, body)
			}
			problem(t, resp, body)
		}
		resp, body := send(t, "GET", p.URL+paths[name], token.Access, "")
		want := http.StatusOK
		if strings.Contains(paths[name], "{") {
			want = http.StatusNotFound // nothing is called {id}
		}
		if resp.StatusCode != want {
			t.Errorf("%s with a maintainer's token: %d %s, want %d", name, resp.StatusCode, body, want)
		}
		if s := status(p.Metrics + "/readyz"); s != 200 {
			t.Errorf("%s: /readyz is %d", name, s)
		}
		if resp, body := send(t, "GET", p.Metrics+"/metrics", "", ""); resp.StatusCode != 200 || !strings.Contains(body, `castor_function_requests_total{function="`+name+`"`) {
			t.Errorf("%s: its metrics do not count its calls (%d)", name, resp.StatusCode)
		}
	}
	for name, p := range running {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, p := range running {
		if err := p.end(); err != nil {
			t.Errorf("%s ends with %v", name, err)
		}
	}
	left, err := os.ReadDir(filepath.Join(w.dir, "empty"))
	if err != nil || len(left) > 0 {
		t.Errorf("a program wrote into a folder that it must not need: %v, %v", left, err)
	}
}

// A replica that is taken away answers the calls it has, and while it drains also those of callers who do not know yet.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	p := w.start("twins", "CASTOR_DRAIN=1s")
	eventually(t, "it is ready", func() bool { return status(p.URL+"/_/ready") == 200 })
	release := make(chan struct{})
	w.mu.Lock()
	w.delay = release
	w.mu.Unlock()

	// To know whose token it is, the function asks for keys, and that answer keeps it waiting.
	const unknownKey = "eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.e30.AA"
	type answer struct {
		status int
		err    error
	}
	slow := make(chan answer, 1)
	go func() {
		req, _ := http.NewRequest("GET", p.URL+"/twins", nil)
		req.Header.Set("Authorization", "Bearer "+unknownKey)
		resp, err := client.Do(req)
		if err != nil {
			slow <- answer{err: err}
			return
		}
		resp.Body.Close()
		slow <- answer{status: resp.StatusCode}
	}()
	<-w.held
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready any more", func() bool { return status(p.URL+"/_/ready") == 503 })
	if s := status(p.URL + "/_/health"); s != 200 {
		t.Errorf("while it drains its health is %d: it would be killed", s)
	}
	if s := status(p.URL + "/twins"); s != http.StatusUnauthorized {
		t.Errorf("a call of somebody who does not know yet: %d", s)
	}
	eventually(t, "it takes no calls any more", func() bool { return status(p.URL+"/_/health") == 0 })
	select {
	case err := <-p.done:
		t.Fatalf("it ended (%v) with a call under way", err)
	case a := <-slow:
		t.Fatalf("the call was given up: %+v", a)
	default:
	}
	close(release)
	if a := <-slow; a.err != nil || a.status != http.StatusServiceUnavailable { // no keys to be had here
		t.Errorf("the call under way got %+v", a)
	}
	if err := p.end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A secret that is not there, or cannot be used, makes a function wait for it: callers are told to try again, the log names it.
func TestSecretsThatCome(t *testing.T) {
	w := newWorld(t)
	for what, spoil := range map[string]func(file string) error{
		"missing":    os.Remove,
		"empty":      func(f string) error { return os.WriteFile(f, []byte(" \n"), 0o644) },
		"unreadable": func(f string) error { return os.Chmod(f, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			w.t = t
			file := filepath.Join(w.dir, "secrets", "castor-part-twins")
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			p := w.start("twins")
			eventually(t, "its log names the secret", func() bool { return strings.Contains(p.log.String(), "castor-part-twins") })
			resp, body := send(t, "GET", p.URL+"/twins", "", "")
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
				t.Errorf("a call is answered %d (retry after %q)", resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			problem(t, resp, body)
			for path, want := range map[string]int{p.URL + "/_/ready": 503, p.URL + "/_/health": 200, p.Metrics + "/readyz": 503, p.Metrics + "/healthz": 200} {
				if s := status(path); s != want {
					t.Errorf("%s is %d, want %d", path, s, want)
				}
			}
			if strings.Contains(body, w.dir) || strings.Contains(p.log.String(), strings.TrimSpace(string(good))) {
				t.Error("it tells what is not for all")
			}
			w.secret("castor-part-twins", string(good))
			eventually(t, "it gets ready once the secret is there", func() bool { return status(p.URL+"/_/ready") == 200 })
			if s := status(p.URL + "/twins"); s != http.StatusUnauthorized {
				t.Errorf("then a call is answered %d", s)
			}
		})
	}
}

// Stores that are away at the start are waited for; callers do not wait with them for long.
func TestStoresThatAreAway(t *testing.T) {
	w := newWorld(t)
	p := w.start("twins", "CASTOR_MONGO_URL=mongodb://"+freeAddress(t)+"/castor")
	begin := time.Now()
	eventually(t, "it answers", func() bool { return status(p.URL+"/_/health") == 200 })
	resp, body := send(t, "GET", p.URL+"/twins", "", "")
	problem(t, resp, body)
	if took := time.Since(begin); resp.StatusCode != http.StatusServiceUnavailable || took > 20*time.Second {
		t.Errorf("without MongoDB: %d after %s", resp.StatusCode, took)
	}
	if s := status(p.URL + "/_/ready"); s != 503 {
		t.Errorf("without MongoDB it is ready: %d", s)
	}
}

// Settings that cannot be are told of at once.
func TestBadSettings(t *testing.T) {
	w := newWorld(t)
	for setting, want := range map[string]string{"CASTOR_DRAIN=soon": "CASTOR_DRAIN", "CASTOR_LISTEN=nowhere": "CASTOR_LISTEN", "CASTOR_METRICS=nowhere": "metrics"} {
		p := w.start("twins", setting)
		if err := p.end(); err == nil || !strings.Contains(p.log.String(), want) {
			t.Errorf("%s: it ends with %v and says %q", setting, err, p.log)
		}
	}
}

// How long it takes to build all functions when Go's build cache has their packages.
func BenchmarkBuildAll(b *testing.B) {
	for b.Loop() {
		if _, err := images.BuildAll(b.TempDir()); err != nil {
			b.Fatal(err)
		}
	}
}
