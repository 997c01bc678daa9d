package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"golang.org/x/sync/semaphore"
)

const (
	smallBody = 64 << 10  // of the beginning of a body, which is counted by itself
	maxSmall  = 64 << 20  // of the beginnings of all bodies
	maxLarge  = 256 << 20 // of what follows them
	firstBody = 16 << 10  // of a body that is announced and has not come
	roomStep  = 16 << 10  // in which room is taken while a body comes; smallBody is a multiple
)

// A room bounds the memory that bodies take together. Their beginnings are taken from one pool and the rest from another, so
// that large bodies cannot keep small ones out.
type room struct{ small, large *semaphore.Weighted }

func newRoom() room { return room{semaphore.NewWeighted(maxSmall), semaphore.NewWeighted(maxLarge)} }

// body reads the whole body of a request, within the bounds of one and of all. It answers itself when it returns false.
// release must be called when the body is not needed any more. A body counts as it comes, not as it was announced: who
// opens requests and sends nothing takes no room from others.
func (g *Gateway) body(w http.ResponseWriter, r *http.Request) (data []byte, release func(), ok bool) {
	if r.ContentLength > maxBody {
		problem(w, http.StatusRequestEntityTooLarge, "a body may have 32 MiB at most")
		return nil, nil, false
	}
	in := &counted{reader: http.MaxBytesReader(w, r.Body, maxBody), room: g.requests}
	buf := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0)+bytes.MinRead, firstBody)))
	_, err := buf.ReadFrom(in)
	data = buf.Bytes()
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

// counted takes room for a body while it is read.
type counted struct {
	reader io.Reader
	room

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
