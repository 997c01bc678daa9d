package stream

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"testing"
	"time"
)

// BenchmarkIdleStreams is the memory that a stream takes on which nothing happens: reader, goroutines and the server's connection,
// with a client in the same process that keeps next to nothing.
func BenchmarkIdleStreams(b *testing.B) {
	const n = 1000
	w := newWorld(b)
	token := header(w.owner("plant")).Get("Authorization")
	r := w.replica(func(c *Connector) { c.Streams, c.PerCaller = n, n })
	u, err := url.Parse(r.url)
	must(b, err)
	for b.Loop() {
		before := used()
		var open []net.Conn
		for range n {
			c, err := net.Dial("tcp", u.Host)
			must(b, err)
			_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: castor\r\nAuthorization: %s\r\n\r\n", u.Path, token)
			must(b, err)
			_, err = bufio.NewReaderSize(c, 16).ReadByte() // it is open
			must(b, err)
			open = append(open, c)
		}
		<-time.After(time.Second)
		b.ReportMetric(float64(used()-before)/n, "B/stream")
		for _, c := range open {
			_ = c.Close()
		}
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
			r.mu.Lock()
			left := r.all
			r.mu.Unlock()
			if left == 0 {
				break
			}
		}
	}
}

func used() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
