package http_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A device on HTTP/2 that sends its body whatever the answer is hears why it was refused. The connection goes on: a client like curl
// drops the answer of a stream when the gateway ends the connection while the body is under way.
func TestRefusalsAreHeardWhileTheBodyComes(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", nil)
	id := w.AdmitDevice("p-1")
	linktest.Eventually(t, "the device is let in", func() bool {
		return refusal(t, w, address, id, "GET", "/v1/ack", "", 0).status == "200"
	})
	for name, c := range map[string]struct {
		id                  linktest.Identity
		path, media, status string
		size                int
	}{
		"too large":          {id, "/v1/telemetry", "application/json", "413", 300_000},
		"too large by far":   {id, "/v1/telemetry", "application/json", "413", 2_000_000},
		"of no known kind":   {id, "/v1/telemetry", "text/html", "415", 200_000},
		"at no address":      {id, "/v1/nothing", "application/json", "404", 200_000},
		"of nobody":          {linktest.Identity{}, "/v1/telemetry", "application/json", "401", 200_000},
		"of nobody, a word":  {linktest.Identity{}, "/v1/telemetry", "application/json", "401", 100},
		"with a body at all": {id, "/v1/ack", "", "400", 1000},
	} {
		t.Run(name, func(t *testing.T) {
			method := "POST"
			if c.media == "" {
				method = "GET"
			}
			for range 10 {
				got := refusal(t, w, address, c.id, method, c.path, c.media, c.size)
				var p struct{ Detail, Remedy string }
				if got.status != c.status || json.Unmarshal(got.body, &p) != nil || p.Detail == "" || p.Remedy == "" || !got.ended {
					t.Fatalf("answered %s %q, complete %v, then %v", got.status, got.body, got.ended, got.err)
				}
			}
		})
	}
}

type refused struct {
	status string
	body   []byte
	ended  bool // the stream, not only the connection
	err    error
}

// refusal makes one request on HTTP/2, frame by frame, and sends
// of the body what flow control lets through before it reads of the answer.
func refusal(t *testing.T, w *linktest.World, address string, id linktest.Identity, method, path, media string, size int) (got refused) {
	t.Helper()
	config := w.CA.Client(id)
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, h := range []hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "x"}, {Name: ":path", Value: path}, {Name: "content-type", Value: media}} {
		if h.Value != "" {
			_ = e.WriteField(h)
		}
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: size == 0})
	room := 65_535 // what may be sent, of the stream as of the connection, before anybody said more
	conn := room
	asked := false
	text := []byte(strings.Repeat("0", 8<<10))
	for {
		for size > 0 && room > 0 && conn > 0 {
			n := min(size, room, conn, len(text))
			size, room, conn = size-n, room-n, conn-n
			if got.err = f.WriteData(1, size == 0, text[:n]); got.err != nil {
				return got
			}
		}
		frame, err := f.ReadFrame()
		if err != nil {
			got.err = err
			return got
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if frame.IsAck() {
				break
			}
			if v, ok := frame.Value(http2.SettingInitialWindowSize); ok {
				room += int(v) - 65_535
			}
			_ = f.WriteSettingsAck()
		case *http2.WindowUpdateFrame:
			if frame.StreamID == 0 {
				conn += int(frame.Increment)
			} else {
				room += int(frame.Increment)
			}
		case *http2.MetaHeadersFrame:
			got.status = frame.PseudoValue("status")
			got.ended = frame.StreamEnded()
		case *http2.DataFrame:
			got.body, got.ended = append(got.body, frame.Data()...), frame.StreamEnded()
		case *http2.GoAwayFrame:
			t.Fatalf("the gateway ends the connection: %v", frame.ErrCode)
		case *http2.PingFrame:
			if frame.IsAck() { // it has said all it had to say
				return got
			}
		case *http2.RSTStreamFrame:
			if !got.ended { // after the answer it may be
				t.Fatalf("the stream is reset: %v", frame.ErrCode)
			}
			size = 0
		}
		if got.ended && !asked {
			_ = f.WritePing(false, [8]byte{})
			asked = true
			_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond)) // of who is not let in, no more may be read, nor is a ping
		}
	}
}

// What a problem says is for people who look at the answer as it comes.
func TestProblemsReadAsTheyAre(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", nil)
	got := refusal(t, w, address, linktest.Identity{}, "GET", "/v1/ack", "", 0)
	if got.status != "401" || !strings.Contains(string(got.body), "Authorization: Bearer <ref>.<secret>") {
		t.Errorf("who shows nothing is answered %s %s", got.status, got.body)
	}
	got = refusal(t, w, address, linktest.Identity{}, "GET", "/v1/ack?x=1", "", 0)
	if got.status != "400" || !strings.Contains(string(got.body), `"remedy":"leave it out; there are none"`) {
		t.Errorf("an address without parameters answers %s %s", got.status, got.body)
	}
}
