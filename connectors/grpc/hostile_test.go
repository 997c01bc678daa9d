package grpc_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/telemetry"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A wire is a peer that speaks HTTP/2 as badly as it likes.
type wire struct {
	*tls.Conn
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
}

func open(t *testing.T, w *linktest.World, address string, id linktest.Identity, protos ...string) *wire {
	t.Helper()
	config := w.CA.Client(id)
	config.NextProtos = protos
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &wire{Conn: conn, framer: http2.NewFramer(conn, conn)}
	c.hpack = hpack.NewEncoder(&c.block)
	return c
}

// preface is what a client begins with.
func (c *wire) preface() {
	_, _ = c.Write([]byte(http2.ClientPreface))
	_ = c.framer.WriteSettings()
}

// headers are those of a call, and more.
func (c *wire) headers(method string, more ...string) []byte {
	c.block.Reset()
	fields := append([]string{":method", "POST", ":scheme", "https", ":path", method, ":authority", "gateway", "content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(fields); i += 2 {
		_ = c.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return c.block.Bytes()
}

// ends waits until the gateway closes the connection.
func (c *wire) ends(t *testing.T, what string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(linktest.Patience))
	for b := make([]byte, 4096); ; {
		if _, err := c.Read(b); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Errorf("%s: the connection stays", what)
			}
			return
		}
	}
}

const report, connectMethod = "/castor.device.v1.Device/Report", "/castor.device.v1.Device/Connect"

// Whatever one peer does, it is ended or refused, and another device is served meanwhile.
func TestHostilePeers(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", func(c *grpc.Config) { c.Gateway.Limits.Handshake = 3 * time.Second }) // who says nothing goes
	good, bad := w.AdmitDevice("good"), w.AdmitDevice("bad")
	var d linktest.Device
	linktest.Eventually(t, "the device is let in", func() (ok bool) {
		var err error
		d, err = dial(w, address, good)
		return err == nil
	})
	t.Cleanup(d.Cut)
	seq := 0
	served := func(after string) {
		t.Helper()
		seq++
		select {
		case <-d.Publish(telemetry.Telemetry, fmt.Appendf(nil, `{"epoch":1,"seq":%d,"data":{"rpm":1}}`, seq)):
		case <-time.After(linktest.Patience):
			t.Fatalf("after %s another device is not served", after)
		}
	}
	for name, act := range map[string]func(c *wire){
		"noise in place of the preface": func(c *wire) { _, _ = c.Write(bytes.Repeat([]byte{0xff, 0, 'x'}, 10_000)) },
		"HTTP/1.1 in place of it":       func(c *wire) { _, _ = c.Write([]byte("POST " + report + " HTTP/1.1\r\nHost: x\r\n\r\n")) },
		"noise after it": func(c *wire) {
			c.preface()
			_, _ = c.Write(bytes.Repeat([]byte{0xff}, 100_000))
		},
		"headers without an end": func(c *wire) {
			c.preface()
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(report)})
			for range 10_000 {
				if c.framer.WriteContinuation(1, false, bytes.Repeat([]byte{0x82}, 1000)) != nil {
					return
				}
			}
		},
		"data on a stream that is not there": func(c *wire) {
			c.preface()
			for i := range 1000 {
				if c.framer.WriteData(uint32(2*i+1), false, make([]byte, 16_000)) != nil {
					return
				}
			}
		},
		"pings without end": func(c *wire) {
			c.preface()
			for range 100_000 {
				if c.framer.WritePing(false, [8]byte{}) != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, w, address, bad, "h2")
			act(c)
			served(name)
			c.ends(t, name)
		})
	}
	t.Run("no HTTP/2 agreed upon", func(t *testing.T) {
		c := open(t, w, address, bad)
		c.preface()
		c.ends(t, "no HTTP/2")
	})
	t.Run("calls that are begun and reset", func(t *testing.T) {
		before := runtime.NumGoroutine()
		c := open(t, w, address, bad, "h2")
		c.preface()
		go func() { _, _ = c.Read(make([]byte, 1<<20)) }()
		for i := range 20_000 {
			id := uint32(2*i + 1)
			if c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.headers(connectMethod), EndHeaders: true}) != nil ||
				c.framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				break
			}
		}
		served("resets")
		_ = c.Close()
		linktest.Eventually(t, "nothing is left of it", func() bool { return runtime.NumGoroutine() < before+50 })
		served("resets")
	})
	t.Run("more calls than a connection has that is not known", func(t *testing.T) {
		c := open(t, w, address, bad, "h2")
		c.preface()
		refused := make(chan int)
		go func() {
			for n := 0; n < 36; { // 4 of the 40 are waited for
				f, err := c.framer.ReadFrame()
				if err != nil {
					return
				}
				switch f := f.(type) {
				case *http2.RSTStreamFrame:
					n++
				case *http2.HeadersFrame:
					if f.StreamEnded() {
						n++
					}
				}
				if n == 36 {
					close(refused)
				}
			}
		}()
		for i := range 40 {
			_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: c.headers(report), EndHeaders: true})
		}
		select {
		case <-refused:
		case <-time.After(linktest.Patience):
			t.Error("more than 4 calls are taken at a time")
		}
		served("many calls")
	})
	t.Run("metadata that is too much", func(t *testing.T) {
		c := open(t, w, address, bad, "h2")
		c.preface()
		block := c.headers(report, "authorization", strings.Repeat("x", 9000))
		_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
		for {
			f, err := c.framer.ReadFrame()
			if err != nil {
				break
			}
			if h, ok := f.(*http2.HeadersFrame); ok && h.StreamID == 1 || f.Header().Type == http2.FrameRSTStream || f.Header().Type == http2.FrameGoAway {
				break
			}
		}
		served("much metadata")
	})
}
