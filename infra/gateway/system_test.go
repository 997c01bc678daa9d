package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"
)

const admin = "Basic YWRtaW46cmlnaHQ="    // admin:right
const stranger = "Basic YWRtaW46d3Jvbmc=" // admin:wrong

func as[T any](t *testing.T, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func TestLoginAndListAndDescribe(t *testing.T) {
	url := serve(t, config())
	send(t, "GET", url+"/function/echo", "")
	send(t, "GET", url+"/function/echo", "")

	response, body := send(t, "GET", url+"/system/functions", "", "Authorization", admin)
	list := as[[]types.FunctionStatus](t, body)
	if response.StatusCode != 200 || len(list) != 6 || list[0].Name != "broken" {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
	response, body = send(t, "GET", url+"/system/function/echo?namespace=openfaas-fn", "", "Authorization", admin)
	f := as[types.FunctionStatus](t, body)
	if response.StatusCode != 200 || f.Image != "castor/echo:1" || (*f.Labels)["a"] != "b" || (*f.Annotations)["topic"] != "alarm.raised" ||
		f.InvocationCount != 2 || f.Replicas != 1 || f.AvailableReplicas != 1 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response, _ := send(t, "GET", url+"/system/function/none", "", "Authorization", admin); response.StatusCode != 404 {
		t.Errorf("an unknown function: %d, want 404", response.StatusCode)
	}
	response, body = send(t, "GET", url+"/system/info", "", "Authorization", admin)
	info := as[struct {
		Provider struct {
			Provider string
			Version  types.VersionInfo
		}
		Arch string
	}](t, body)
	if response.StatusCode != 200 || info.Provider.Provider != "castor" || info.Provider.Version.Release != "1.2.3" || info.Arch == "" {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if _, body := send(t, "GET", url+"/system/namespaces", "", "Authorization", admin); as[[]string](t, body)[0] != "openfaas-fn" {
		t.Errorf("namespaces %s", body)
	}
}

func TestSystemCallsNeedAPassword(t *testing.T) {
	url := serve(t, config())
	for _, call := range []string{
		"GET info", "GET functions", "POST functions", "PUT functions", "DELETE functions", "GET function/echo", "POST scale-function/echo",
		"GET namespaces", "GET secrets", "POST secrets", "PUT secrets", "DELETE secrets", "GET logs?name=echo", "GET anything",
	} {
		method, path, _ := strings.Cut(call, " ")
		for name, header := range map[string]string{"nobody": "", "a wrong password": stranger, "a bearer": "Bearer x"} {
			response, _ := send(t, method, url+"/system/"+path, "{}", "Authorization", header)
			if response.StatusCode != 401 || response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s as %s: %d, want 401", call, name, response.StatusCode)
			}
		}
	}
}

func TestPasswordsAreCheckedSeldom(t *testing.T) {
	c := config()
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	c.Now = func() time.Time { return time.Unix(0, now.Load()) }
	var asked atomic.Int64
	c.Authenticate = func(_ context.Context, _, password string) bool { asked.Add(1); return password == "right" }
	url := serve(t, c)
	get := func(password string) int {
		request, err := http.NewRequest("GET", url+"/system/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("admin", password)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	for range 20 {
		if code := get("right"); code != 200 {
			t.Fatalf("the right password: %d", code)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times within a moment, want once", asked.Load())
	}
	now.Add(int64(6 * time.Second))
	get("right")
	if asked.Load() != 2 {
		t.Errorf("asked %d times after a while, want twice", asked.Load())
	}
	codes := map[int]int{}
	for i := range 50 {
		codes[get("guess "+strings.Repeat("x", i))]++
	}
	if codes[401] > 10 || codes[429] < 40 {
		t.Errorf("50 guesses at once got %v, want most of them 429", codes)
	}
	if code := get("right"); code != 200 {
		t.Errorf("a password that is remembered, while somebody guesses: %d", code)
	}
}

func TestFunctionsCannotBeDeployed(t *testing.T) {
	url := serve(t, config())
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		response, body := send(t, method, url+"/system/functions", `{"service":"x","image":"y"}`, "Authorization", admin)
		if response.StatusCode != 501 || !strings.Contains(body, "built into") {
			t.Errorf("%s: %d %s", method, response.StatusCode, body)
		}
	}
	for body, want := range map[string]int{`{"replicas":1}`: 202, `{"replicas":3}`: 501, `x`: 400} {
		if response, _ := send(t, "POST", url+"/system/scale-function/echo", body, "Authorization", admin); response.StatusCode != want {
			t.Errorf("scale by %s: %d, want %d", body, response.StatusCode, want)
		}
	}
}

func TestSecrets(t *testing.T) {
	c := config()
	c.SecretsDir = filepath.Join(t.TempDir(), "secrets")
	url := serve(t, c) + "/system/secrets"
	step := func(method, body string, want int) string {
		t.Helper()
		response, answer := send(t, method, url, body, "Authorization", admin)
		if response.StatusCode != want {
			t.Errorf("%s %s: %d %s, want %d", method, body, response.StatusCode, answer, want)
		}
		return answer
	}
	file := func() string {
		data, err := os.ReadFile(filepath.Join(c.SecretsDir, "smtp-password"))
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	if got := step("GET", "", 200); strings.TrimSpace(got) != "[]" {
		t.Errorf("no secrets yet: %s", got)
	}
	step("PUT", `{"name":"smtp-password","value":"a"}`, 404)
	step("POST", `{"name":"smtp-password","value":"s3cret"}`, 201)
	step("POST", `{"name":"smtp-password","value":"other"}`, 409)
	if file() != "s3cret" {
		t.Errorf("the file has %q", file())
	}
	info, err := os.Stat(filepath.Join(c.SecretsDir, "smtp-password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
	if got := step("GET", "", 200); !strings.Contains(got, "smtp-password") || strings.Contains(got, "s3cret") {
		t.Errorf("listed %s: want the name and never the value", got)
	}
	step("PUT", `{"name":"smtp-password","rawValue":"AAEC"}`, 200)
	if file() != "\x00\x01\x02" {
		t.Errorf("the file has %q", file())
	}
	for _, name := range []string{"", "../x", "a/b", ".x", "A", "a\x00", strings.Repeat("a", 254)} {
		body, _ := json.Marshal(types.Secret{Name: name, Value: "x"})
		step("POST", string(body), 400)
		step("DELETE", string(body), 400)
	}
	step("POST", `{"name":"big","value":"`+strings.Repeat("x", 1<<20+1)+`"}`, 413)
	step("DELETE", `{"name":"smtp-password"}`, 200)
	step("DELETE", `{"name":"smtp-password"}`, 404)
}

func TestLogsAreKeptAndFollowed(t *testing.T) {
	c := config()
	c.Logs = gateway.NewLogs()
	url := serve(t, c) + "/system/logs"
	log := slog.New(c.Logs)
	log.With("function", "echo").Info("first", "twin", "pump-7")
	log.Info("second", "function", "echo")
	log.Info("of another", "function", "broken")
	log.Info("of nobody")
	log.WithGroup("g").Info("grouped", "function", "echo")

	read := func(query string) (texts []string) {
		t.Helper()
		response, body := send(t, "GET", url+query, "", "Authorization", admin)
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("%d %s", response.StatusCode, body)
		}
		for line := range strings.Lines(body) {
			m := as[logs.Message](t, line)
			if m.Name != "echo" || m.Timestamp.IsZero() {
				t.Errorf("line %+v", m)
			}
			texts = append(texts, m.Text)
		}
		return texts
	}
	if got := read("?name=echo"); len(got) != 2 || !strings.Contains(got[0], "msg=first") || !strings.Contains(got[0], "twin=pump-7") {
		t.Errorf("kept %q", got)
	}
	if got := read("?name=echo&tail=1"); len(got) != 1 || !strings.Contains(got[0], "second") {
		t.Errorf("tail is %q", got)
	}
	if got := read("?name=echo&since=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)); len(got) != 0 {
		t.Errorf("of the future: %q", got)
	}
	for query, want := range map[string]int{"?name=none": 404, "?name=echo&since=x": 400, "?name=echo&tail=x": 400} {
		if response, _ := send(t, "GET", url+query, "", "Authorization", admin); response.StatusCode != want {
			t.Errorf("%s: %d, want %d", query, response.StatusCode, want)
		}
	}

	request, err := http.NewRequestWithContext(t.Context(), "GET", url+"?name=echo&follow=true&tail=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("admin", "right")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), "second") {
		t.Fatalf("the follower begins with %q", lines.Text())
	}
	log.Info("third", "function", "echo")
	if !lines.Scan() || !strings.Contains(lines.Text(), "third") {
		t.Errorf("the follower goes on with %q", lines.Text())
	}
}

func TestLogsAreBounded(t *testing.T) {
	l := gateway.NewLogs()
	log := slog.New(l).With("function", "f")
	for i := range 2500 {
		log.Info("line", "n", i, "text", strings.Repeat("ü", 5000))
	}
	lines := l.Lines("f", time.Time{}, 0)
	if len(lines) != 1000 || !strings.Contains(lines[0].Text, "n=1500 ") || !strings.Contains(lines[999].Text, "n=2499 ") {
		t.Errorf("%d lines from %.40q", len(lines), lines[0].Text)
	}
	for _, m := range lines {
		if len(m.Text) > 5000 {
			t.Fatalf("a line of %d bytes", len(m.Text))
		}
	}
}
