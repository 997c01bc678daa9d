package http_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	connector "github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// raw sends bytes as they are by a device with a certificate, and returns the status lines that come until the gateway closes the
// connection or says nothing more.
func raw(t *testing.T, w *linktest.World, address string, id linktest.Identity, parts ...string) (statuses []string, closed bool) {
	t.Helper()
	c, err := tls.Dial("tcp", address, w.CA.Client(id))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range parts {
		if _, err := io.WriteString(c, p); err != nil {
			break // it was refused before all was there
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(3 * time.Second)) // what it says shows whether this worked
	for lines := bufio.NewReader(c); ; {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "HTTP/1.1 ") {
			statuses = append(statuses, strings.Fields(line)[1])
		}
		if err != nil {
			ne, silent := err.(net.Error)
			return statuses, !silent || !ne.Timeout()
		}
	}
}

func quick(c *connector.Config) {
	c.Limits.HeaderTime, c.Limits.BodyTime = 500*time.Millisecond, 500*time.Millisecond
}

func TestRequestsThatAreNone(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", quick)
	id, other := w.AdmitDevice("p-1"), w.AdmitDevice("p-2")
	p := probe{t: t, url: "https://" + address, http: &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(other)}}}
	linktest.Eventually(t, "devices are let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
	const host, json = "Host: x\r\n", "Host: x\r\nContent-Type: application/json\r\n"
	smuggled := "POST /v1/event HTTP/1.1\r\n" + json + "Content-Length: 26\r\n\r\n{\"data\":{\"event\":\"stolen\"}}"
	for name, c := range map[string]struct {
		text   string
		status string // of the one answer; "" = none, or 400
	}{
		"nothing but a beginning":        {"GET /v1/ack HT", ""},
		"headers that never end":         {"GET /v1/ack HTTP/1.1\r\nHost: x\r\nA: ", ""},
		"huge headers":                   {"GET /v1/ack HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", "431"},
		"very many headers":              {"GET /v1/ack HTTP/1.1\r\n" + host + strings.Repeat("a: b\r\n", 4<<10) + "\r\n", "431"},
		"no host":                        {"GET /v1/ack HTTP/1.1\r\n\r\n", "400"},
		"a body that never comes":        {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Length: 100\r\n\r\n{", "408"},
		"a body that is announced huge":  {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Length: 999999999999\r\n\r\n{", "413"},
		"a length that is none":          {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Length: -1\r\n\r\n", "400"},
		"two lengths":                    {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}" + smuggled, "400"},
		"a length and chunks":            {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + smuggled, "200"},
		"chunks, in other words":         {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + smuggled, "501"},
		"chunks twice":                   {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + smuggled, "501"},
		"a space before the colon":       {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Length : 2\r\n\r\n{}" + smuggled, "400"},
		"a folded header":                {"GET /v1/ack HTTP/1.1\r\n" + host + "A: b\r\n c: d\r\n\r\n", "200"},
		"a body where none belongs":      {"GET /v1/ack HTTP/1.1\r\n" + host + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(smuggled)) + smuggled, "400"},
		"a chunk that never ends":        {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + strings.Repeat("a", 1000), "408"},
		"a tunnel":                       {"CONNECT p-2:443 HTTP/1.1\r\n" + host + "\r\n", "404"},
		"an upgrade":                     {"GET /v1/ack HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n1", "400"},
		"another's credential beside":    {"GET /v1/ack HTTP/1.1\r\n" + host + "X-API-Key: p-2.x\r\n\r\n", "401"},
		"a page of somebody else's":      {"GET /v1/ack HTTP/1.1\r\n" + host + "Origin: https://evil.example\r\n\r\n", "403"},
		"a question before a page does":  {"OPTIONS /v1/telemetry HTTP/1.1\r\n" + host + "Access-Control-Request-Method: POST\r\n\r\n", "405"},
		"a compressed body":              {"POST /v1/telemetry HTTP/1.1\r\n" + json + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "415"},
		"what no other protocol is":      {"\x16\x03\x01\x00\x00\x10\x00\r\n\r\n", "400"},
		"a connection that asks as MQTT": {"\x10\x10\x00\x04MQTT\x04\x02\x00<\x00\x04abcd\r\n\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, closed := raw(t, w, address, id, c.text)
			want := c.status
			if c.status == "" && len(got) > 0 && got[0] != "400" || c.status != "" && (len(got) != 1 || got[0] != want) {
				t.Errorf("answered %v, want %q", got, want)
			}
			if !closed && want != "200" && want != "401" && want != "403" {
				t.Errorf("after %v the connection goes on", got)
			}
		})
	}
	t.Cleanup(func() {
		for _, m := range w.Platform.Stored("") {
			if m.Kind == telemetry.Event {
				t.Errorf("a smuggled request was taken: %+v", m)
			}
		}
	})
}

func TestPathsThatAreNone(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", nil)
	id := w.AdmitDevice("p-1")
	p := probe{t: t, url: "https://" + address, http: &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(id)}}}
	linktest.Eventually(t, "the device is let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
	for _, path := range []string{"/", "//v1/ack", "/v1//ack", "/v1/./ack", "/v1/../v1/ack", "/v1/ack/", "/V1/ack", "/v1/%61ck", "/v1/ack%2e", "/v1/ack;a", "/v1/log/..%2f..%2fack",
		"/v1/log/../ack", "/v1/log/a/b", "/v1/log/", "/v1/log/a%00b", "/v1/log/+", "/v1/log/%23", "/v1/commands//response", "/v1/commands/p-2%2fc-1/response", "/p-2/v1/telemetry",
		"/v1/p-2/telemetry", "/v1/telemetry/p-2", "/castor/p-2/telemetry", "/v1/log/" + strings.Repeat("a", 65), "*", "/v1/knock", "/metrics"} {
		for _, method := range []string{"GET", "POST"} {
			got, _ := raw(t, w, address, id, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n")
			if len(got) != 1 || got[0] != "404" && got[0] != "400" {
				t.Errorf("%s %s is answered %v", method, path, got)
			}
		}
	}
	for path, status := range map[string]int{"/v1/ack?ref=p-2": 400, "/v1/commands?wait=1&wait=2": 400, "/v1/commands?wait=-1": 400, "/v1/commands?wait=1h": 400,
		"/v1/commands?wait=%zz": 400, "/v1/commands?wait=1;x": 400, "/v1/commands?" + strings.Repeat("a", 1000): 400} {
		p.want(status, "", "GET", path, "", "")
	}
}

// A device that polls hundreds of times has one poll, and takes nothing from another one.
func TestHundredsOfPolls(t *testing.T) {
	w := linktest.NewWorld(t)
	address, stop := start(t, w, "operational", nil)
	id, other := w.AdmitDevice("p-1"), w.AdmitDevice("p-2")
	p := probe{t: t, url: "https://" + address, http: &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(other)}}}
	linktest.Eventually(t, "the device is let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(id), ForceAttemptHTTP2: true}}
	const polls = 300
	var all sync.WaitGroup
	var replaced, many, open, failed atomic.Int64
	for range polls {
		all.Go(func() {
			resp, err := c.Get("https://" + address + "/v1/commands?wait=60")
			if err != nil {
				failed.Add(1) // the gateway has no place for so many connections at once
				return
			}
			_ = resp.Body.Close()
			switch resp.StatusCode {
			case 409:
				replaced.Add(1)
			case 429:
				many.Add(1)
			default:
				open.Add(1)
			}
		})
	}
	linktest.Eventually(t, "all but one have ended", func() bool { return replaced.Load()+many.Load()+failed.Load() >= polls-1 })
	p.want(200, `{"epoch":1,"seq":1,"waiting":0}`, "POST", "/v1/telemetry", "application/json", `{"epoch":1,"seq":1,"data":{"rpm":1}}`)
	stop()
	all.Wait()
	if open.Load() > 1 || replaced.Load() < polls/10 {
		t.Errorf("%d polls were open together, %d were replaced", open.Load(), replaced.Load())
	}
}

// Clients that open connections and say nothing, or a byte at a time, keep no device out.
func TestSlowClients(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", func(c *connector.Config) {
		c.Gateway.Limits.Handshakes, c.Gateway.Limits.Hurry, c.Gateway.Limits.Handshake = 32, 50*time.Millisecond, 2*time.Second
	})
	w.AdmitDevice(device.Ref("p-1"))
	var conns sync.Map
	for i := range 100 {
		go func() {
			c, err := tls.Dial("tcp", address, w.CA.Client(linktest.Identity{}))
			if err != nil {
				return
			}
			conns.Store(i, c)
			for _, b := range []byte("GET /v1/ack HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(20 * time.Millisecond)
			}
		}()
	}
	t.Cleanup(func() { conns.Range(func(_, c any) bool { _ = c.(net.Conn).Close(); return true }) })
	for i := range 5 {
		id := w.AdmitDevice(device.Ref(fmt.Sprintf("d-%d", i)))
		p := &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(id)}, Timeout: 5 * time.Second}
		linktest.Eventually(t, id.Client+" is served", func() bool {
			resp, err := p.Get("https://" + address + "/v1/ack")
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == 200
		})
	}
}
