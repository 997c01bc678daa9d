package broker

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A source gives what was said to the frames as a connection would, and notes what is left out.
type source struct {
	io.Reader
	frames  frames
	largest int
	left    []string
}

func (s *source) Read(b []byte) (int, error) {
	for {
		held := copy(b, s.frames.head[:s.frames.held])
		n, err := s.Reader.Read(b[held:])
		n = s.frames.pass(b[:held+n], func(n int) bool { return n >= s.largest }, func(f *frames) {
			s.left = append(s.left, fmt.Sprintf("%s %d %d", f.name, f.qos, f.id))
		})
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func said(first byte, body string) string {
	b := []byte{first}
	for n := len(body); ; n >>= 7 {
		if n < 0x80 {
			b = append(b, byte(n))
			break
		}
		b = append(b, byte(n)|0x80)
	}
	return string(b) + body
}

// A message that is too large is left out whole, whatever pieces it comes in, and all others pass as they are.
func TestLargeMessagesAreLeftOut(t *testing.T) {
	const largest = 300
	connect, ping := said(0x10, "\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"), said(0xc0, "")
	small, large0, large1 := said(0x30, "\x00\x01a{}"), said(0x31, "\x00\x03a/b"+strings.Repeat("x", 20_000)), said(0x32, "\x00\x03a/c\x01\x02"+strings.Repeat("y", largest))
	notPublish := said(0x82, "\x00\x07"+strings.Repeat("z", 400))
	just := said(0x30, "\x00\x01a"+strings.Repeat("x", largest-4))
	all := connect + small + large0 + ping + large1 + large1 + just + notPublish + small
	want := connect + small + ping + just + notPublish + small
	for name, r := range map[string]io.Reader{"at once": strings.NewReader(all), "byte by byte": iotest.OneByteReader(strings.NewReader(all)), "by halves": iotest.HalfReader(strings.NewReader(all)),
		"with its end": iotest.DataErrReader(strings.NewReader(all))} {
		s := &source{Reader: r, largest: largest}
		got, err := io.ReadAll(bufio.NewReaderSize(s, 100))
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes pass, want %d; %v", name, len(got), len(want), err)
		}
		if fmt.Sprint(s.left) != "[a/b 0 0 a/c 1 258 a/c 1 258]" {
			t.Errorf("%s: left out are %v", name, s.left)
		}
	}
}

// Where nothing is too large, everything passes as it is, whatever it is and however it is cut.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(said(0x30, "\x00\x01a{}")), 3)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n\xff\xff\xff\xff\xff\xff"), 1)
	f.Add([]byte("\x30\xff\xff\xff\x7fabc\x30\xff"), 2)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		s := &source{Reader: iotest.HalfReader(bytes.NewReader(b)), largest: 1 << 40}
		got, err := io.ReadAll(bufio.NewReaderSize(s, 16+max(0, size)%64))
		if err != nil || len(s.left) > 0 || !bytes.Equal(got, b[:len(b)-s.frames.held]) {
			t.Fatalf("of %x passes %x, %v", b, got, err)
		}
		s = &source{Reader: bytes.NewReader(b), largest: 16}
		if got, err = io.ReadAll(bufio.NewReaderSize(s, 16+max(0, size)%64)); err != nil || len(got) > len(b) {
			t.Fatalf("of %x passes %x, %v", b, got, err)
		}
	})
}
