package stream

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// A request with a body that never ends is refused at once, and holds neither a place nor its connection.
func TestABodyHoldsNothing(t *testing.T) {
	w := newWorld(t)
	ada := w.owner("plant")
	r := w.replica(func(c *Connector) { c.Streams, c.PerCaller = 2, 2 })
	u, err := url.Parse(r.url)
	must(t, err)
	for i, head := range []string{"GET", "POST", "GET", "GET", "GET", "GET"} {
		c, err := net.Dial("tcp", u.Host)
		must(t, err)
		defer c.Close()
		length := []string{"Transfer-Encoding: chunked\r\n\r\n5\r\nbegun", "Content-Length: 10\r\n\r\nbegun"}[i%2]
		_, err = fmt.Fprintf(c, "%s /stream HTTP/1.1\r\nHost: castor\r\nAuthorization: %s\r\n%s", head, header(ada).Get("Authorization"), length)
		must(t, err)
		must(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
		in := bufio.NewReader(c)
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if answer.StatusCode != http.StatusBadRequest || !answer.Close {
			t.Errorf("%d: %d, to be closed: %v", i, answer.StatusCode, answer.Close)
		}
		for err = nil; err == nil; {
			_, err = in.ReadByte()
		}
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Errorf("%d: its connection stays open", i)
		}
	}
	r.open(t, ada, "")
	r.open(t, ada, "")
}
