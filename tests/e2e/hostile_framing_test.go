package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// dial opens a connection to the user gateway that ends with the test.
func (h *hostile) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(h.w.URL, "http://"), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// raw sends a text as it is, closes the way there and returns the answer; nil if the connection ends without one.
func (h *hostile) raw(t *testing.T, text string) *http.Response {
	t.Helper()
	c := h.dial(t)
	defer c.Close()
	go func() {
		io.WriteString(c, text) // an error shows when reading
		c.(*net.TCPConn).CloseWrite()
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(b)))
	return resp
}

// framing sends requests whose first line, headers and lengths are none.
func (h *hostile) framing(t *testing.T, operations []operation) {
	for what, c := range map[string]struct {
		method, path, header, body string // "" = the operation's
		silent                     bool   // the connection may end without an answer
	}{
		"a length that is too long":       {header: "Content-Length: 1000\r\n", body: "{}"},
		"a length that is too short":      {header: "Content-Length: 1\r\nConnection: close\r\n", body: "{}GET / HTTP/1.1\r\n\r\n"},
		"a negative length":               {header: "Content-Length: -1\r\n", body: "{}"},
		"a length that is none":           {header: "Content-Length: two\r\n", body: "{}"},
		"a length beyond all":             {header: "Content-Length: 99999999999999999999\r\n", body: "{}"},
		"two lengths":                     {header: "Content-Length: 1\r\nContent-Length: 2\r\n", body: "{}"},
		"a length and chunks":             {header: "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", body: "0\r\n\r\n"},
		"chunks that are none":            {header: "Transfer-Encoding: chunked\r\n", body: "zz\r\n{}\r\n0\r\n\r\n"},
		"a chunk of 2^63":                 {header: "Transfer-Encoding: chunked\r\n", body: "7fffffffffffffff\r\n{}"},
		"a chunk that ends early":         {header: "Transfer-Encoding: chunked\r\n", body: "10\r\n{}"},
		"another encoding":                {header: "Transfer-Encoding: gzip, chunked\r\n", body: "0\r\n\r\n"},
		"NUL in the path":                 {path: "/function/twins/\x00"},
		"a path that is none":             {path: "function"},
		"a path of 80 KiB":                {path: "/function/twins/" + strings.Repeat("x", 80<<10)},
		"a path above all":                {path: "/../../../etc/passwd"},
		"another host's path":             {path: "http://example.com/function/users/me"},
		"80 KiB of headers":               {header: "X-Long: " + strings.Repeat("x", 80<<10) + "\r\n"},
		"20,000 headers":                  {header: strings.Repeat("A: b\r\n", 20_000)},
		"a header of no name":             {header: ": x\r\n"},
		"a folded header":                 {header: "X-A: b\r\n c\r\n"},
		"NUL in a header":                 {header: "X-A: b\x00c\r\n"},
		"a method that is none":           {method: "G\x00T"},
		"a method of 1 KiB":               {method: strings.Repeat("X", 1<<10)},
		"CONNECT":                         {method: "CONNECT"},
		"TRACE":                           {method: "TRACE"},
		"an upgrade":                      {header: "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"},
		"an expectation that is none":     {header: "Expect: the-best\r\nContent-Length: 2\r\n", body: "{}"},
		"a body that was not announced":   {body: "{}{}{}", header: "Connection: close\r\n"},
		"what only the connection is for": {header: "Connection: Authorization, X-Castor-Path\r\nX-Castor-Path: /twins\r\n"},
		"the preface of HTTP/2":           {method: "PRI", path: "*", header: "X: y\r\n", silent: true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for i := 0; i < len(operations); i += len(operations) / 5 { // of framing no operation hears
				op := operations[i]
				method, path := op.method, variable.ReplaceAllString(op.path, "nothing")
				if c.method != "" {
					method = c.method
				}
				if c.path != "" {
					path = c.path
				}
				resp := h.raw(t, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: castor\r\nContent-Type: application/json\r\n%s\r\n%s", method, path, c.header, c.body))
				switch {
				case resp == nil && !c.silent:
					t.Errorf("%s, %s: no answer", op.id, what)
				case resp == nil:
				case resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented && resp.StatusCode != http.StatusHTTPVersionNotSupported:
					t.Errorf("%s, %s: %s", op.id, what, resp.Status)
				case strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json"):
					b, _ := io.ReadAll(resp.Body)
					if wrong := judge(resp, b); wrong != "" {
						t.Errorf("%s, %s: %d %s: %s", op.id, what, resp.StatusCode, wrong, short(b))
					}
				}
			}
		})
	}
}

const huge = 64 << 20

// large sends bodies of 64 MiB and more, several at a time: what was announced as too long is refused at once, the rest when it is.
func (h *hostile) large(t *testing.T) {
	token := h.people[slices.IndexFunc(h.people, func(p person) bool { return p.name == "admin" })].token
	before := h.memory()
	var all sync.WaitGroup
	for _, path := range []string{"/function/twins/twins", "/function/twin-ingest/batch", "/function/users/login", "/async-function/twins/twins"} {
		head := "POST " + path + " HTTP/1.1\r\nHost: castor\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token + "\r\n"
		all.Go(func() { // of which nothing is sent
			c := h.dial(t)
			fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n", head, huge)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, announced: %v %v, want 413", path, resp, err)
			}
		})
		for range 2 {
			all.Go(func() {
				c, sent := h.dial(t), atomic.Int64{}
				go func() {
					io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
					chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<16, strings.Repeat("[", 1<<16))
					for sent.Load() < 2*huge {
						if _, err := io.WriteString(c, chunk); err != nil {
							return
						}
						sent.Add(1 << 16)
					}
				}()
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				n := sent.Load()
				switch {
				case errors.Is(err, syscall.ECONNRESET): // cut off while we sent
				case err != nil:
					t.Errorf("%s: %v", path, err)
				case resp.StatusCode != http.StatusRequestEntityTooLarge && resp.StatusCode != http.StatusServiceUnavailable:
					t.Errorf("%s: %d, want 413", path, resp.StatusCode)
				}
				if n > huge { // the connection's own buffers are in it
					t.Errorf("%s: %d MiB were taken before the answer", path, n>>20)
				}
			})
		}
	}
	all.Wait()
	t.Logf("memory %d MiB before, at most %d MiB since the start", before>>20, h.memory()>>20)
}

// slow has hundreds send a byte a second, of bodies and of headers, while others are served as ever.
func (h *hostile) slow(t *testing.T, operations []operation) {
	const bodies, heads, lasting = 400, 200, 5 * time.Second
	var open []net.Conn
	for i := range bodies + heads {
		op, c := operations[i%len(operations)], h.dial(t)
		open = append(open, c)
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: castor\r\nContent-Type: application/json\r\n", variable.ReplaceAllString(op.path, "nothing"))
		if i < bodies {
			head += "Content-Length: 100000\r\n\r\n{"
		} else {
			head += "X-Slow: "
		}
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
	}
	over := time.After(lasting)
	drip, ends := time.NewTicker(time.Second), false
	defer drip.Stop()
	var worst time.Duration
	for calls := 0; !ends || calls < 20; calls++ {
		select {
		case <-over:
			ends = true
		case <-drip.C:
			for _, c := range open {
				io.WriteString(c, "x") // those that were cut off have their peace
			}
		default:
		}
		begin := time.Now()
		if _, err := h.read.GetTwin(h.w.Context(), "pump"); err != nil {
			t.Fatalf("beside %d slow senders: %v", len(open), err)
		}
		worst = max(worst, time.Since(begin))
	}
	t.Logf("beside %d slow senders the slowest call took %s", len(open), worst)
	if worst > 3*time.Second {
		t.Errorf("beside %d slow senders a call took %s", len(open), worst)
	}
	// Headers have ten seconds, and then the connection is gone.
	for _, c := range open[bodies:] {
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("who sends headers byte by byte holds a connection for more than 20 s")
		}
	}
}

// memory is the most that the platform's processes have had, together, in bytes: of one process it is this test's.
func (h *hostile) memory() (sum int64) {
	if h.w.Cluster == nil {
		return peak(h.w, os.Getpid())
	}
	for _, pid := range h.w.Cluster.PIDs() {
		sum += peak(h.w, pid)
	}
	return sum
}

// bounded fails if the platform took more memory for the hostile than it may.
func (h *hostile) bounded(before int64) {
	h.w.Helper()
	after := h.memory()
	h.w.Logf("memory: at most %d MiB, %d MiB before", after>>20, before>>20)
	if h.w.Cluster == nil {
		if after-before > memoryBound {
			h.w.Errorf("platform and callers took %d MiB more than before", (after-before)>>20)
		}
		var m runtime.MemStats
		runtime.GC()
		if runtime.ReadMemStats(&m); m.HeapAlloc > 256<<20 {
			h.w.Errorf("%d MiB are still held when all is over", m.HeapAlloc>>20)
		}
		return
	}
	for name, pid := range h.w.Cluster.PIDs() {
		if m := peak(h.w, pid); m > 400<<20 { // what a container is given
			h.w.Errorf("%s took %d MiB", name, m>>20)
		}
	}
}

func peak(w *World, pid int) int64 {
	w.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0 // it has ended
	}
	w.must(err, "memory")
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	w.must(err, "memory")
	return kib << 10
}
