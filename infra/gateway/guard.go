package gateway

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"

	"golang.org/x/sync/semaphore"
)

const headerCallID = "X-Call-Id"

var validCallID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// guard gives every request an id, puts what only we can know in place of what the client says, and turns a panic into
// an answer.
func (g *gateway) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header = withoutHops(r.Header) // first, or a client could name our headers as hop-by-hop
		id := r.Header.Get(headerCallID)
		if !validCallID.MatchString(id) {
			id = rand.Text()
		}
		r.Header.Set(headerCallID, id)
		r.Header.Set("X-Forwarded-For", clientAddress(r))
		r.Header.Set("X-Forwarded-Host", r.Host)
		r.Header.Set("X-Forwarded-Proto", scheme(r))
		for _, name := range []string{"Forwarded", "X-Real-Ip", headerPath} {
			r.Header.Del(name)
		}
		w.Header().Set(headerCallID, id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if p := recover(); p != nil {
				g.Log.Error("gateway panicked", "call", id, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				problem(w, http.StatusInternalServerError, "")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// hopByHop are headers that concern one connection, not the call (RFC 9110 section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func withoutHops(h http.Header) http.Header {
	h = h.Clone()
	for _, names := range h.Values("Connection") { // it may name further headers of the kind
		for name := range strings.SplitSeq(names, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
	return h
}

func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// body reads the whole body of a request, within the bounds of one and of all. It answers itself when it returns false.
// release must be called when the body is not needed any more. A body counts as it comes, not as it was announced: who
// opens requests and sends nothing takes no room from others.
func (g *gateway) body(w http.ResponseWriter, r *http.Request) (data []byte, release func(), ok bool) {
	if r.ContentLength > maxBody {
		problem(w, http.StatusRequestEntityTooLarge, "a body may have 32 MiB at most")
		return nil, nil, false
	}
	in := &counted{reader: http.MaxBytesReader(w, r.Body, maxBody), small: g.small, large: g.large}
	data, err := io.ReadAll(in)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return data, in.release, true
	case errors.Is(err, errNoRoom):
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "too many large requests at once")
	case errors.As(err, &tooLarge):
		problem(w, http.StatusRequestEntityTooLarge, "a body may have 32 MiB at most")
	default:
		problem(w, http.StatusBadRequest, "the body ends early or comes too slowly")
	}
	in.release()
	return nil, nil, false
}

var errNoRoom = errors.New("no room for more of the body")

// counted takes room for a body while it is read: for its beginning from one pool and for the rest from another, so that
// large bodies cannot keep small ones out.
type counted struct {
	reader       io.Reader
	small, large *semaphore.Weighted

	read, inSmall, inLarge int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.read += int64(n)
	for c.read > c.inSmall+c.inLarge {
		pool, in := c.small, &c.inSmall
		if c.inSmall >= smallBody {
			pool, in = c.large, &c.inLarge
		}
		if !pool.TryAcquire(roomStep) {
			return n, errNoRoom
		}
		*in += roomStep
	}
	return n, err
}

func (c *counted) release() {
	c.small.Release(c.inSmall)
	c.large.Release(c.inLarge)
}
