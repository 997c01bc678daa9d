// Package sse reads a stream of changes as a browser does, for tests, and holds each frame against openapi.yaml.
package sse

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/tests/contract"
)

// A Frame is one event.
type Frame struct {
	Event, ID string
	Data      json.RawMessage
}

// A Stream is one that is open.
type Stream struct {
	t      testing.TB
	frames chan Frame
	close  func()
	last   string
}

// Patience is how long Until waits.
const Patience = time.Minute

// Open opens the stream at url. It closes when the test ends. Status is that of an answer that is no stream.
func Open(t testing.TB, client *http.Client, url string, header http.Header) (s *Stream, status int) {
	t.Helper()
	frames, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	request.Header.Set("Accept", "text/event-stream")
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("open stream: %v", err)
	}
	if response.StatusCode != http.StatusOK {
		defer cancel()
		defer response.Body.Close()
		var p struct{ Title, Detail string }
		if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Title == "" {
			t.Errorf("an answer %d that is no problem document: %v", response.StatusCode, err)
		}
		return nil, response.StatusCode
	}
	s = &Stream{t: t, frames: make(chan Frame, 1000), close: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.frames)
		defer response.Body.Close()
		var f Frame
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				f.Event = value
			case "id":
				f.ID = value
			case "data":
				f.Data = json.RawMessage(value)
			case "":
				if f.Event == "" {
					continue
				}
				if err := frames.CheckFrame(f.Event, f.Data); err != nil {
					t.Error(err)
				}
				select {
				case s.frames <- f:
				case <-ctx.Done():
					return
				}
				f = Frame{}
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s, response.StatusCode
}

// Last is the id of the last frame that Next gave.
func (s *Stream) Last() string { return s.last }

// Close ends the stream from the reader's side.
func (s *Stream) Close() { s.close() }

// Next returns the next frame within d; false if none comes or the stream has ended.
func (s *Stream) Next(d time.Duration) (f Frame, ok bool) {
	select {
	case f, ok = <-s.frames:
	case <-time.After(d):
	}
	if f.ID != "" {
		s.last = f.ID
	}
	return f, ok
}

// Until returns the next frame of that name that is so, and passes over others.
func (s *Stream) Until(event string, is func(data string) bool) Frame {
	s.t.Helper()
	var others []string
	for end := time.Now().Add(Patience); time.Now().Before(end); {
		f, ok := s.Next(time.Until(end))
		if !ok {
			break
		}
		if f.Event == event && (is == nil || is(string(f.Data))) {
			return f
		}
		others = append(others, fmt.Sprintf("%s %.300s", f.Event, f.Data))
	}
	s.t.Fatalf("no such frame %s came; others were\n%s", event, strings.Join(others, "\n"))
	return Frame{}
}

// Ended tells whether the stream ends within d, and returns the frames that came before.
func (s *Stream) Ended(d time.Duration) (frames []Frame, ended bool) {
	for end := time.After(d); ; {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return frames, true
			}
			frames = append(frames, f)
		case <-end:
			return frames, false
		}
	}
}

// Has makes an is for Until: data that contains all of these.
func Has(parts ...string) func(string) bool {
	return func(data string) bool {
		for _, p := range parts {
			if !strings.Contains(data, p) {
				return false
			}
		}
		return true
	}
}
