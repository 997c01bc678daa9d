package http_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/tests/networkserver"
)

// says answers each request by what it says, which need not be HTTP, and ends the connection.
func says(t *testing.T, text string) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

// status answers each request by a status.
func status(code int) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) { w.WriteHeader(code) }
}

// A command that the network server may have stays sent, and is not handed over twice: the device's acknowledgement is its end, or its time.
func TestACommandThatTheNetworkServerMayHave(t *testing.T) {
	for name, answer := range map[string]func(int, http.ResponseWriter){
		"it ends the connection":       says(t, ""),
		"it answers something else":    says(t, "root:x:0:0:secret\r\n"),
		"its answer is cut":            says(t, "HTTP/1.1 200 OK\r\nA: secret"),
		"a proxy has lost it":          status(http.StatusBadGateway),
		"a proxy has waited too long":  status(http.StatusGatewayTimeout),
		"it takes it, and breaks away": says(t, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"id\":"),
	} {
		t.Run(name, func(t *testing.T) {
			s, ns := integration(t, private), networkserver.Start(t)
			ns.Answers(func(n int, w http.ResponseWriter) {
				if n == 1 {
					answer(n, w)
				}
			})
			s.valve()
			s.command("c-1", "open", `{"percent":1}`)
			s.command("c-2", "open", `{"percent":2}`)
			s.heard(things1(ns))
			linktest.Eventually(t, "the next is queued", func() bool { return len(ns.Requests()) == 2 })
			if got := s.answer("c-1"); got != "" || ns.Requests()[1].Frames[0].Payload[0] != 2 {
				t.Errorf("it is answered %q, and then came %+v", got, ns.Requests()[1])
			}
			s.things(nil, `"downlink_ack":{"correlation_ids":["castor:`+eui1+`:c-1"]}`)
			s.answered("c-1", "true the device has acknowledged the frame")
		})
	}
}

// What certainly nobody has got has failed, in words of the platform's own.
func TestACommandThatCannotHaveReachedTheNetworkServer(t *testing.T) {
	to := func(c func() string) http.Header {
		return http.Header{"X-Downlink-Apikey": {networkserver.Key}, "X-Downlink-Push": {c() + "/api/v3/as/applications/a/webhooks/w/devices/d/down/push"}}
	}
	for name, c := range map[string]struct {
		url  func() string
		want string
	}{
		"a certificate that is not trusted": {func() string {
			other := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(other.Close)
			return other.URL
		}, "its certificate is not trusted"},
		"nobody": {func() string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
			return "http://" + l.Addr().String()
		}, "it cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := integration(t, private)
			s.valve()
			s.command("c-1", "open", `{"percent":1}`)
			s.heard(to(c.url))
			linktest.Eventually(t, "it is answered", func() bool { return s.answer("c-1") != "" })
			if got := s.answer("c-1"); !strings.HasSuffix(got, "the network server has not taken it: "+c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// Without a driver nobody can say what a command is as a frame.
func TestACommandThatNobodyCanWriteAsAFrame(t *testing.T) {
	s, ns := integration(t, private), networkserver.Start(t)
	s.command("c-1", "open", `{"percent":1}`)
	s.heard(things1(ns))
	s.answered("c-1", "false there is no way to the device for this: a LoRaWAN device takes frames, and its type has no driver that writes them")
	if n := len(ns.Requests()); n != 0 {
		t.Errorf("%d requests came", n)
	}
}
