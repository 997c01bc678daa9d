package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/openfaas/faas-provider/types"
)

const patience = 10 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// settings are those of a gateway with secrets, on a free port and without the server for metrics.
func settings(t *testing.T) (c Config, env map[string]string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "basic-auth-user"), "admin\n")
	write(t, filepath.Join(dir, "basic-auth-password"), "right\n")
	env = map[string]string{"CASTOR_SECRETS": dir, "CASTOR_METRICS": "off"}
	return Config{Listen: "127.0.0.1:0", Timeout: patience, Env: func(name string) string { return env[name] }, Log: quiet, Version: "1.2.3"}, env
}

// run serves and returns the URL.
func run(t *testing.T, c Config) string {
	t.Helper()
	ready := make(chan net.Addr, 1)
	c.Ready = func(a net.Addr) { ready <- a }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	select {
	case a := <-ready:
		return "http://" + a.String()
	case err := <-done:
		done <- nil
		t.Fatalf("it does not start: %v", err)
		return ""
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("admin", "right")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %s", what, patience)
		}
		select {
		case <-t.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func answers(t *testing.T, text string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return s.URL
}

const stack = `
functions:
  twins:
    image: ${CASTOR_REGISTRY:-castor}/twins:${CASTOR_VERSION:-latest}
    labels: {com.openfaas.scale.min: "2"}
    annotations: {topic: "twin.deleted", castor.capabilities: "twins"}
    secrets: [castor-part-twins]
  users:
    annotations: {}
`

func TestFunctionsOfTheStackWhereTheFileSays(t *testing.T) {
	dir := t.TempDir()
	c, env := settings(t)
	env["CASTOR_VERSION"] = "7"
	c.Stack = write(t, filepath.Join(dir, "stack.yml"), stack)
	c.Functions = write(t, filepath.Join(dir, "functions.yml"), "twins:\n  urls: ["+answers(t, "one")+"]\n  annotations: {schedule: \"@every 2s\"}\n")
	c.Upstream = answers(t, "made of the name") + "/{name}"
	reload := make(chan struct{})
	c.Reload = reload
	url := run(t, c)

	if code, body := get(t, url+"/function/twins/x"); code != 200 || body != "one" {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get(t, url+"/function/users/x"); code != 200 || body != "made of the name" {
		t.Errorf("%d %s", code, body)
	}
	_, body := get(t, url+"/system/function/twins")
	var f types.FunctionStatus
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		t.Fatal(err)
	}
	if f.Image != "castor/twins:7" || (*f.Annotations)["topic"] != "twin.deleted" || (*f.Annotations)["schedule"] != "@every 2s" || (*f.Labels)["com.openfaas.scale.min"] != "2" {
		t.Errorf("described as %s", body)
	}

	// A replica moves: the file is read again without a word.
	write(t, c.Functions, "twins: {urls: ["+answers(t, "two")+"]}\n")
	eventually(t, "the new replica", func() bool { _, body := get(t, url+"/function/twins"); return body == "two" })
	// What cannot be understood changes nothing.
	write(t, c.Functions, "twins: {url: [x]}\n")
	reload <- struct{}{}
	reload <- struct{}{} // taken when the first has been dealt with
	if _, body := get(t, url+"/function/twins"); body != "two" {
		t.Errorf("after a file that is damaged: %s", body)
	}
	write(t, c.Functions, "twins: {urls: []}\n")
	reload <- struct{}{}
	reload <- struct{}{}
	if code, _ := get(t, url+"/function/twins"); code != 503 {
		t.Errorf("without replicas: %d", code)
	}
}

func TestWhoMayListFunctions(t *testing.T) {
	c, env := settings(t)
	c.Functions = write(t, filepath.Join(t.TempDir(), "f.yml"), "twins: {urls: []}\n")
	url := run(t, c)
	if code, body := get(t, url+"/system/functions"); code != 200 || !strings.Contains(body, "twins") {
		t.Errorf("%d %s", code, body)
	}
	for _, header := range []string{"", "Basic YWRtaW46d3Jvbmc=", "Basic cmlnaHQ6YWRtaW4="} {
		request, err := http.NewRequest("GET", url+"/system/functions", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", header)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 401 {
			t.Errorf("%q: %d", header, response.StatusCode)
		}
	}
	if code, _ := get(t, url+"/healthz"); code != 200 {
		t.Errorf("health: %d", code)
	}
	// A password that is empty lets nobody in, even after the start.
	write(t, filepath.Join(env["CASTOR_SECRETS"], "basic-auth-password"), "\n")
	if matches(func(name string) ([]byte, error) { return nil, errors.New("empty") }, "", "") {
		t.Error("nobody's password lets in")
	}
}

// The gateway starts without the bus, and takes asynchronous calls when it is there, by the token.
func TestAsynchronousCallsWaitForTheBus(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	token := rand.Text()
	write(t, filepath.Join(dir, "token"), token)
	c, env := settings(t)
	env["CASTOR_NATS_URL"] = "nats://" + address
	write(t, filepath.Join(env["CASTOR_SECRETS"], "castor-nats-token"), token+"\n")
	c.Functions = write(t, filepath.Join(t.TempDir(), "f.yml"), "twins: {urls: []}\n")
	url := run(t, c)
	post := func() int {
		response, err := http.Post(url+"/async-function/twins/x", "", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if code := post(); code != 503 {
		t.Errorf("without the bus: %d", code)
	}
	n, err := local.StartNATS(local.NATSConfig{Dir: dir, Listen: address, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if n.Token() != token {
		t.Fatalf("the bus wants another token")
	}
	eventually(t, "a call is queued", func() bool { return post() == 202 })
	b, err := n.Connect(t.Context(), bus.Logger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	calls := make(chan bus.Call, 16)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { _ = b.Calls(ctx, 1, func(_ context.Context, c bus.Call) error { calls <- c; return nil }) }()
	select {
	case got := <-calls:
		if got.Function != "twins" || got.Path != "/x" || string(got.Body) != "hello" {
			t.Errorf("queued %+v", got)
		}
	case <-ctx.Done():
		t.Fatal("nothing was queued")
	}
}

func TestWhatItDoesNotStartWith(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, c *Config, env map[string]string)
		says   string
	}{
		"no stack file": {func(t *testing.T, c *Config, _ map[string]string) { c.Stack = "none.yml" }, "none.yml"},
		"a stack without functions": {func(t *testing.T, c *Config, _ map[string]string) {
			c.Stack = write(t, c.Functions+"s", "version: 1.0")
		}, "names no functions"},
		"a file that is no YAML": {func(t *testing.T, c *Config, _ map[string]string) { write(t, c.Functions, "a: [") }, "it must be like"},
		"a key that is none":     {func(t *testing.T, c *Config, _ map[string]string) { write(t, c.Functions, "a: {url: x}") }, `there is no key "url"`},
		"a URL that is none":     {func(t *testing.T, c *Config, _ map[string]string) { write(t, c.Functions, "a: {urls: [x]}") }, "function a"},
		"a name that is none":    {func(t *testing.T, c *Config, _ map[string]string) { write(t, c.Functions, "a/b: {urls: []}") }, `"a/b"`},
		"no password": {func(t *testing.T, c *Config, env map[string]string) {
			os.Remove(env["CASTOR_SECRETS"] + "/basic-auth-password")
		}, "basic-auth-password is not in"},
		"a token that is empty": {func(t *testing.T, c *Config, env map[string]string) {
			env["CASTOR_NATS_URL"] = "nats://127.0.0.1:1"
			write(t, env["CASTOR_SECRETS"]+"/castor-nats-token", "")
		}, "castor-nats-token is empty"},
		"an empty password": {func(t *testing.T, c *Config, env map[string]string) {
			write(t, env["CASTOR_SECRETS"]+"/basic-auth-password", "\n")
		}, "basic-auth-password is empty: put it back"},
		"a user that cannot be read": {func(t *testing.T, c *Config, env map[string]string) {
			os.Remove(env["CASTOR_SECRETS"] + "/basic-auth-user")
			os.Mkdir(env["CASTOR_SECRETS"]+"/basic-auth-user", 0o700) // for root too
		}, "secret basic-auth-user cannot be read"},
		"a certificate without a key": {func(t *testing.T, c *Config, _ map[string]string) { c.Cert = "x.pem" }, "go together"},
		"a certificate that is none":  {func(t *testing.T, c *Config, _ map[string]string) { c.Cert, c.Key = c.Functions, c.Functions }, "--tls-cert"},
		"an address that is none":     {func(t *testing.T, c *Config, _ map[string]string) { c.Listen = "127.0.0.1" }, "--listen"},
	} {
		t.Run(name, func(t *testing.T) {
			c, env := settings(t)
			c.Functions = write(t, filepath.Join(t.TempDir(), "f.yml"), "twins: {urls: []}\n")
			test.change(t, &c, env)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := Run(ctx, c); err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it says %v, want one line with %q", err, test.says)
			}
		})
	}
}
