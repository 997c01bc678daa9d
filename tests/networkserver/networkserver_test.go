package networkserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	things = "/api/v3/as/applications/app1/webhooks/castor/devices/dev1/down/push"
	chirp  = "/api/devices/0101010101010101/queue"
)

// What the documents of the network servers have is queued, and nothing else.
func TestWhatIsQueued(t *testing.T) {
	item := func(s string) string { return `{"queueItem":{"devEui":"0101010101010101",` + s + `}}` }
	for name, c := range map[string]struct {
		method, path, header, key, body string
		status                          int
		answer, frames                  string
	}{
		"The Things Stack": {"POST", things, "Authorization", Key, `{"downlinks":[{"f_port":15,"frm_payload":"vu8=","priority":"NORMAL"},{"f_port":1,"confirmed":true,"correlation_ids":["a"]}]}`,
			200, `{}`, `[{dev1 15 [190 239] false NORMAL [] } {dev1 1 [] true  [a] }]`},
		"ChirpStack": {"POST", chirp, "Grpc-Metadata-Authorization", Key, item(`"confirmed":true,"data":"AQ==","fPort":10`),
			200, `{"id":"00000000-0000-0000-0000-000000000001"}`, `[{0101010101010101 10 [1] true  [] 00000000-0000-0000-0000-000000000001}]`},
		"ChirpStack, for a time": {"POST", chirp, "Grpc-Metadata-Authorization", Key, item(`"data":"AQ==","fPort":10,"expiresAt":"2026-03-01T12:00:00Z"`),
			200, `{"id":"00000000-0000-0000-0000-000000000001"}`, `[{0101010101010101 10 [1] false  [] 00000000-0000-0000-0000-000000000001 until 2026-03-01T12:00:00Z}]`},
		"The Things Stack, for a time": {"POST", things, "Authorization", Key, `{"downlinks":[{"f_port":1,"expiresAt":"2026-03-01T12:00:00Z"}]}`, 400, "unknown field", "[]"},
		"a time that is none":          {"POST", chirp, "Grpc-Metadata-Authorization", Key, item(`"fPort":10,"expiresAt":"noon"`), 400, "noon", "[]"},
		"another path":                 {"POST", "/api/devices/ABCDEF0101010101/queue", "Grpc-Metadata-Authorization", Key, item(`"fPort":1`), 404, "Not Found", "[]"},
		"another method":               {"PUT", things, "Authorization", Key, `{}`, 405, "Method", "[]"},
		"another key":                  {"POST", things, "Authorization", "guess", `{"downlinks":[{"f_port":1}]}`, 401, "authentication failed", "[]"},
		"a key in another header":      {"POST", chirp, "Authorization", Key, item(`"fPort":1`), 401, "authentication failed", "[]"},
		"a body of another type":       {"POST", things, "Content-Type", Key, `{"downlinks":[{"f_port":1}]}`, 415, "not application/json", "[]"},
		"no frames":                    {"POST", things, "Authorization", Key, `{"downlinks":[]}`, 400, "no frames", "[]"},
		"a field of nobody's":          {"POST", things, "Authorization", Key, `{"downlinks":[{"f_port":1,"port":1}]}`, 400, "unknown field", "[]"},
		"no priority":                  {"POST", things, "Authorization", Key, `{"downlinks":[{"f_port":1,"priority":"URGENT"}]}`, 400, "URGENT", "[]"},
		"no port":                      {"POST", chirp, "Grpc-Metadata-Authorization", Key, item(`"data":"AQ=="`), 400, "port 0", "[]"},
		"a port of LoRaWAN's own":      {"POST", chirp, "Grpc-Metadata-Authorization", Key, item(`"fPort":224`), 400, "port 224", "[]"},
		"a frame that is too long": {"POST", chirp, "Grpc-Metadata-Authorization", Key, item(`"fPort":1,"data":"` + strings.Repeat("AAAA", 81) + `"`),
			400, "243 bytes", "[]"},
		"another device": {"POST", chirp, "Grpc-Metadata-Authorization", Key, `{"queueItem":{"devEui":"0202020202020202","fPort":1}}`, 400, "not that of the path", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Start(t)
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if r.Header.Set(c.header, "Bearer "+c.key); c.header == "Content-Type" {
				r.Header.Set("Authorization", "Bearer "+c.key)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(text), c.answer) {
				t.Errorf("it is answered %s %s, %v", resp.Status, text, err)
			}
			came := s.Requests()
			if len(came) != 1 || came[0].Path != c.method+" "+c.path || came[0].Body != c.body || fmt.Sprint(came[0].Frames) != c.frames {
				t.Errorf("%+v", came)
			}
		})
	}
}

// A device that listens is sent what is first in its queue, and nothing that was to be sent before.
func TestWhatADeviceIsSent(t *testing.T) {
	s, noon := Start(t), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	post := func(path, header, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, http.CanonicalHeaderKey(header): {"Bearer " + Key}}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	for _, item := range []string{`"fPort":1,"expiresAt":"2026-03-01T11:59:59Z"`, `"fPort":2,"expiresAt":"2026-03-01T12:00:00Z"`, `"fPort":3,"expiresAt":"2026-03-01T12:00:01Z"`, `"fPort":4`, `"fPort":0`} {
		post(chirp, "Grpc-Metadata-Authorization", `{"queueItem":{"devEui":"0101010101010101",`+item+`}}`)
	}
	post(things, "Authorization", `{"downlinks":[{"f_port":1}]}`)
	ports := func(device string) string {
		sent, dropped := s.Listens(device, noon)
		var out []string
		for _, f := range append(dropped, sent...) {
			out = append(out, fmt.Sprint(f.Port))
		}
		return fmt.Sprint(len(dropped), out)
	}
	if a, b, c, d := ports("0101010101010101"), ports("0101010101010101"), ports("0101010101010101"), ports("dev1"); a != "2 [1 2 3]" || b != "0 [4]" || c != "0 []" || d != "0 [1]" {
		t.Error(a, b, c, d)
	}
}

// A test may have it answer otherwise.
func TestOtherAnswers(t *testing.T) {
	s := Start(t)
	post := func() int {
		resp, err := http.Post(s.URL+things, "application/json", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	post()
	s.Answers(func(n int, w http.ResponseWriter) { w.WriteHeader(500 + n) })
	if a, b := post(), post(); a != 501 || b != 502 || len(s.Requests()) != 2 {
		t.Errorf("%d %d, %+v", a, b, s.Requests())
	}
	s.Answers(nil)
	if got := post(); got != http.StatusUnauthorized {
		t.Errorf("%d", got)
	}
}
