// Package shelf keeps versions of drivers ready to be called, so that the code of each is fetched and opened once. Where code comes
// from and what runs it is its owner's.
package shelf

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"golang.org/x/sync/singleflight"
)

// room bounds the code that a shelf keeps, in bytes; each weighs codeCost beside, because what is made of it is larger.
const (
	room     = 64 << 20
	codeCost = 16 << 10
)

// makeFor is how long it may take to fetch and open a driver. Who asked first may leave before: others wait for it, too.
const makeFor = time.Minute

// A Shelf has drivers that are ready to be called, each as a C. Versions of the same code, kind, limit and port are one. Beyond 64 MiB of code
// those go that nobody has asked for for longest. Any number of goroutines may use it.
type Shelf[C driver.Codec] struct {
	fetch func(ctx context.Context, digest string) ([]byte, error)
	open  func(ctx context.Context, d *driver.Driver) (C, error)
	one   singleflight.Group // who need the same at once have it made once

	mu   sync.Mutex
	has  map[content]*held[C]
	size int
	asks uint64
}

type content struct {
	kind   driver.Kind
	digest string
	limit  time.Duration
	port   int
}

type held[C driver.Codec] struct {
	codec C
	size  int
	asked uint64 // when somebody asked for it last, in asks
}

// New makes an empty shelf. fetch returns the code that a digest (SHA-256, hexadecimal) names, and has checked that it does; open makes
// what is called of it.
func New[C driver.Codec](fetch func(ctx context.Context, digest string) ([]byte, error), open func(context.Context, *driver.Driver) (C, error)) *Shelf[C] {
	return &Shelf[C]{fetch: fetch, open: open, has: map[content]*held[C]{}}
}

// Get returns a driver, whose Code digest names, ready to be called. Errors are those of fetch and open, and the next Get tries again;
// who asks while it is made for somebody else gets what that one gets. It is made even if ctx ends meanwhile, for the others and the next.
func (s *Shelf[C]) Get(ctx context.Context, d driver.Driver, digest string) (C, error) {
	key := content{d.Kind, digest, d.Limit, d.Port}
	if c, ok := s.find(key); ok {
		return c, nil
	}
	made := s.one.DoChan(fmt.Sprint(key), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeFor)
		defer cancel()
		var err error
		if d.Code, err = s.fetch(ctx, digest); err != nil {
			return nil, err
		}
		c, err := s.open(ctx, &d)
		if err != nil {
			return nil, err
		}
		return s.keep(key, c, len(d.Code)+codeCost), nil
	})
	var none C
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case r := <-made:
		if r.Err != nil {
			return none, r.Err
		}
		return r.Val.(C), nil
	}
}

func (s *Shelf[C]) find(key content) (c C, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.has[key]
	if h == nil {
		return c, false
	}
	s.asks++
	h.asked = s.asks
	return h.codec, true
}

// keep makes room for a driver and keeps it, unless it is there by now.
func (s *Shelf[C]) keep(key content, c C, size int) C {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.has[key]; h != nil {
		return h.codec
	}
	for s.size+size > room && len(s.has) > 0 {
		var oldest content
		for k, h := range s.has {
			if o := s.has[oldest]; o == nil || h.asked < o.asked {
				oldest = k
			}
		}
		s.size -= s.has[oldest].size
		delete(s.has, oldest)
	}
	s.asks++
	s.has[key] = &held[C]{c, size, s.asks}
	s.size += size
	return c
}
