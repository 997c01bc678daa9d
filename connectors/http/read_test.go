package http

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
)

// FuzzRead reads requests as they come from a device: nothing that it lets through may be outside of what the contract has.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"POST /v1/telemetry?commands=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer p-1.secret\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"POST /v1/log/app HTTP/1.1\r\nHost: x\r\nX-API-Key: p-1.secret\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
		"POST /v1/commands/c-1/response HTTP/1.1\r\nHost: x\r\nAuthorization: Basic cC0xOnNlY3JldA==\r\nContent-Type: application/cbor\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /v1/commands?wait=30s HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/ack HTTP/1.0\r\n\r\n", "POST /v1/confirm HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"POST /v1/provision/pump?client=box-1&wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"GET /v1/provision/pump/status?client=box-1 HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/knock HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"GET /v1/../v1/ack HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/log/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\nOrigin: null\r\n\r\n",
		"GET http://other/v1/ack HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\nAuthorization: Basic :\r\n\r\n",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, operational bool) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		phase := gateway.Provisioning
		if operational {
			phase = gateway.Operational
		}
		c, p := read(r, phase, time.Minute)
		if p != nil {
			if p.Status < 400 || p.Detail == "" || p.Remedy == "" {
				t.Fatalf("refused with %+v", p)
			}
			return
		}
		if c.op.method != r.Method || c.op.phase != "" && c.op.phase != phase || c.wait < 0 || c.wait > time.Minute {
			t.Fatalf("%q is read as %+v", text, c)
		}
		for _, word := range []string{c.word, c.client} {
			if word != "" && !typePattern.MatchString(word) || strings.ContainsAny(word, "/+#") || word == ".." {
				t.Fatalf("%q names %q", text, word)
			}
		}
		if (c.op.word && c.word == "") || c.user != "" && c.secret == "" {
			t.Fatalf("%q is read as %+v", text, c)
		}
	})
}
