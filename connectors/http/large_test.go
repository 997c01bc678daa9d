package http_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
)

// A body that is too large is answered, however it comes, and not by the end of the connection.
func TestABodyThatIsTooLargeIsAnswered(t *testing.T) {
	w := linktest.NewWorld(t)
	id := w.AdmitDevice("p-1")
	address, _ := start(t, w, "operational", nil)
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		for _, announced := range []bool{true, false} {
			for _, size := range []int{300 << 10, 2 << 20, 12 << 20} {
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(id), ForceAttemptHTTP2: h2}}
				p := probe{t: t, url: "https://" + address, http: client}
				linktest.Eventually(t, "the device is let in", func() bool { return p.do("GET", "/v1/ack", "", "", nil).StatusCode == 200 })
				var body io.Reader = bytes.NewReader(bytes.Repeat([]byte("a"), size))
				if !announced {
					body = io.MultiReader(body)
				}
				r, err := http.NewRequest("POST", p.url+"/v1/telemetry", body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(r)
				if err != nil {
					t.Errorf("%s, %d bytes, announced: %v: %v", name, size, announced, err)
					continue
				}
				text, err := io.ReadAll(resp.Body)
				if resp.StatusCode != http.StatusRequestEntityTooLarge || err != nil || !strings.Contains(string(text), `"detail":"it has more than 262144 bytes"`) || resp.ProtoMajor == 1 && !resp.Close {
					t.Errorf("%s, %d bytes, announced: %v: %s %s, %v", name, size, announced, resp.Status, text, err)
				}
				client.CloseIdleConnections()
			}
		}
	}
	// Who writes all before it reads, as small clients do, has the answer too.
	_, port, _ := net.SplitHostPort(address)
	for _, body := range []string{strings.Repeat("a", 4<<20), "{"} { // and who waits for the answer before it goes on
		c, err := tls.Dial("tcp", address, w.CA.Client(id))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("POST /v1/telemetry HTTP/1.1\r\nHost: localhost:" + port + "\r\nContent-Type: application/json\r\nContent-Length: 4194304\r\n\r\n" + body)); err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(c); !strings.HasPrefix(string(all), "HTTP/1.1 413 ") || err != nil {
			t.Errorf("%.300s, %v", all, err)
		}
	}
}
