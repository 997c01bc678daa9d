package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	streamPath = "/stream"
	maxStreams = 4096             // forwarded at a time
	streamRead = 8 << 10          // of a stream, before it is passed on
	answerTime = 10 * time.Second // for a replica to begin its answer
	streamTime = 15 * time.Second // a reader that takes nothing for so long is gone
)

// A streams is the way to the stream of changes. It is no function: it answers piece by piece and for as long as its reader
// stays, so no time limit, no room for bodies and no buffer of this gateway is for it.
type streams struct {
	g        *Gateway
	replicas *replicas
	room     *semaphore.Weighted
}

// newStreams returns what serves GET /stream: the connector in this process, else one of its replicas; nil where there is none.
func (g *Gateway) newStreams() (http.Handler, error) {
	if g.Stream != nil || len(g.StreamUpstreams) == 0 {
		return g.Stream, nil
	}
	f := Function{Name: "stream", Upstreams: g.StreamUpstreams}
	s := &streams{g: g, replicas: &replicas{resolve: g.Resolve, now: g.Now}, room: semaphore.NewWeighted(maxStreams)}
	s.replicas.set(f.bases())
	return s, f.Check()
}

// ServeHTTP passes a stream on, from a replica that takes it.
func (s *streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// Nobody waits for its end, which may never come: neither what answers, nor the server before it closes.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		w.Header().Set("Connection", "close")
		problem(w, http.StatusBadRequest, "a request for the stream has no body")
		return
	}
	if !s.room.TryAcquire(1) {
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "too many streams are open here; try again soon")
		return
	}
	defer s.room.Release(1)
	var refused *http.Response // by a replica that is full, starting or going down
	for tried := map[*replica]bool{}; ; {
		p := s.replicas.take(r.Context(), tried)
		if p == nil && refused != nil {
			s.pass(w, r, refused)
			return
		}
		if p == nil {
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusServiceUnavailable, "no replica of the stream can be reached now")
			return
		}
		tried[p] = true
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel() // of some replicas at most
		response, err := s.open(ctx, cancel, r, p)
		switch {
		case err == nil && response.StatusCode == http.StatusServiceUnavailable:
			s.replicas.release(p)
			refused = response
			continue
		case err == nil:
			s.pass(w, r, response)
			s.replicas.done(p, true)
			return
		}
		if r.Context().Err() != nil {
			s.replicas.release(p)
			return
		}
		s.replicas.done(p, false)
		s.g.Log.WarnContext(r.Context(), "stream not opened", "replica", p.url.Host, "error", err)
	}
}

// open asks a replica. Nothing is done by asking, so that another can be asked after any error.
func (s *streams) open(ctx context.Context, cancel func(), r *http.Request, p *replica) (*http.Response, error) {
	defer time.AfterFunc(answerTime, cancel).Stop()
	request, err := http.NewRequestWithContext(ctx, r.Method, p.url.String(), nil)
	if err != nil {
		return nil, err
	}
	request.URL = below(p.url, streamPath, r.URL.RawQuery)
	request.Host = p.host
	request.Header = r.Header.Clone()
	for _, name := range []string{"Accept-Encoding", "Content-Length", "Expect"} {
		request.Header.Del(name) // it has no body, and its answer is not to be compressed: that would hold frames back
	}
	return s.g.Transport.RoundTrip(request)
}

// pass writes what comes as it comes, until either side ends.
func (s *streams) pass(w http.ResponseWriter, r *http.Request, response *http.Response) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-stopping(r.Context()): // a stream would keep the server from stopping
		case <-stop:
		}
		_ = response.Body.Close()
	}()
	for name, values := range withoutHops(response.Header) {
		w.Header()[name] = values
	}
	flush := http.NewResponseController(w)
	if response.StatusCode == http.StatusOK { // a refusal ends, and has the server's own bounds
		for _, set := range []func(time.Time) error{flush.SetReadDeadline, flush.SetWriteDeadline} {
			if err := set(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return
			}
		}
	}
	w.WriteHeader(response.StatusCode)
	_ = flush.Flush() // the first write finds out if it cannot
	piece := make([]byte, streamRead)
	for {
		n, err := response.Body.Read(piece)
		if n > 0 {
			if err := flush.SetWriteDeadline(time.Now().Add(streamTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return
			}
			if _, err := w.Write(piece[:n]); err != nil {
				return
			}
			if err := flush.Flush(); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.g.Log.DebugContext(r.Context(), "stream ended", "error", err)
			}
			return
		}
	}
}
