package gateway_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Requests whose bodies were announced and do not come hold up nobody else.
func TestBodiesThatDoNotComeTakeNoRoom(t *testing.T) {
	url := serve(t, config())
	for i := range 20 {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		length := "Transfer-Encoding: chunked"
		if i%2 == 0 {
			length = fmt.Sprintf("Content-Length: %d", 32<<20)
		}
		if _, err := fmt.Fprintf(c, "POST /function/echo HTTP/1.1\r\nHost: castor\r\nExpect: 100-continue\r\n%s\r\n\r\n", length); err != nil {
			t.Fatal(err)
		}
		// The gateway asks for the body when it begins to read it: from then on the request is under way.
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range []string{"hello", strings.Repeat("x", 5<<20)} {
		if response, answer := send(t, "POST", url+"/function/echo", body); response.StatusCode != 201 {
			t.Errorf("a body of %d bytes meanwhile: %d %.200s, want 201", len(body), response.StatusCode, answer)
		}
	}
}
