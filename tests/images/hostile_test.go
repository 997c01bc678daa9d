package images_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and returns the status of the answer; 0 if there is none.
func raw(t *testing.T, p *process, text string) int {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(c, text) // fails when the answer comes before all is sent
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// Whatever a caller sends, a function answers it as the caller's error, and goes on.
func TestHostileCalls(t *testing.T) {
	w := newWorld(t)
	p := w.start("twins")
	eventually(t, "it is ready", func() bool { return status(p.URL+"/_/ready") == 200 })
	const host = "Host: x\r\n"
	for what, c := range map[string]struct {
		text string
		want []int
	}{
		"a path by the header, which only we set": {"GET /nothing HTTP/1.1\r\n" + host + "X-Castor-Path: /twins\r\n\r\n", []int{404}},
		"the header in other letters":             {"GET /nothing HTTP/1.1\r\n" + host + "x-castor-path: /twins\r\nX-CASTOR-PATH: /twins\r\n\r\n", []int{404}},
		"the header as one of the connection":     {"GET /nothing HTTP/1.1\r\n" + host + "Connection: X-Castor-Path\r\nX-Castor-Path: /twins\r\n\r\n", []int{404}},
		"a path with dots":                        {"GET /../../twins HTTP/1.1\r\n" + host + "\r\n", []int{400, 401, 404}},
		"a path with encoded slashes and dots":    {"GET /twins%2f..%2f..%2fx HTTP/1.1\r\n" + host + "\r\n", []int{400, 401, 404}},
		"a path with NUL":                         {"GET /twins/%00 HTTP/1.1\r\n" + host + "\r\n", []int{400, 401, 404}},
		"a path of two slashes":                   {"GET //twins HTTP/1.1\r\n" + host + "\r\n", []int{400, 401, 404}},
		"a path that is none":                     {"GET twins HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		"a method that is none":                   {"G\x00T / HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		"below the watchdog's own path":           {"GET /_/ready/x HTTP/1.1\r\n" + host + "\r\n", []int{404}},
		"a write to the watchdog's own path":      {"POST /_/ready HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", []int{405}},
		"a length that is none":                   {"POST /twins HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", []int{400}},
		"two lengths":                             {"POST /twins HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", []int{400}},
		"chunks that are none":                    {"POST /twins HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", []int{400}},
		"no body":                                 {"POST /twins HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", []int{401, 404, 405}},
		"64 KiB and more of headers":              {"GET / HTTP/1.1\r\n" + host + "X-Long: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", []int{431}},
		"a body of 64 MiB":                        {"POST /twins HTTP/1.1\r\n" + host + "Content-Length: 67108864\r\n\r\n" + strings.Repeat("x", 33<<20), []int{413}},
		"a body of 64 MiB in chunks":              {"POST /twins HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n", 34), []int{413}},
		"headers that never end":                  {"GET / HTTP/1.1\r\n" + host + "X-Slow: ", []int{0, 408}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := raw(t, p, c.text)
			for _, s := range c.want {
				if got == s {
					return
				}
			}
			t.Errorf("answered %d, want one of %v", got, c.want)
		})
	}
}

// Connections that do nothing cost no more than their number.
func TestIdleConnections(t *testing.T) {
	w := newWorld(t)
	p := w.start("twins")
	eventually(t, "it is ready", func() bool { return status(p.URL+"/_/ready") == 200 })
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for range 500 {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		fmt.Fprint(c, "POST /twins HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
	}
	if s := status(p.URL + "/twins"); s != http.StatusUnauthorized {
		t.Errorf("beside 500 calls whose bodies do not come, a call is answered %d", s)
	}
}
