package link

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"golang.org/x/sync/singleflight"
)

// maxHeld bounds the code of drivers that a link keeps, in bytes; each weighs codeCost beside, because what is made of it is larger.
const (
	maxHeld  = 64 << 20
	codeCost = 16 << 10
)

// codecs are the drivers that are ready to be called, by their code.
type codecs struct {
	link  *Link
	fetch singleflight.Group // lanes that need the same code at once have it fetched once

	mu   sync.Mutex
	have map[codecKey]*held
	size int
}

type codecKey struct {
	kind   driver.Kind
	digest string
	limit  time.Duration
}

type held struct {
	codec driver.Codec
	size  int
	used  time.Time
}

func newCodecs(l *Link) *codecs { return &codecs{link: l, have: make(map[codecKey]*held)} }

// errBroken is wrapped by errors about code that can never be called.
var errBroken = errors.New("the driver's code cannot be used")

// open makes a driver ready. It fetches its code where that is not at hand; errors but errBroken may pass.
func (c *codecs) open(ctx context.Context, u *api.UsedDriver) (driver.Codec, error) {
	key := codecKey{u.Kind, u.Digest, u.Limit.D()}
	c.mu.Lock()
	if h := c.have[key]; h != nil {
		h.used = time.Now()
		c.mu.Unlock()
		return h.codec, nil
	}
	c.mu.Unlock()
	codec, err, _ := c.fetch.Do(fmt.Sprint(key), func() (any, error) { return c.make(ctx, key, u) })
	if err != nil {
		return nil, err
	}
	return codec.(driver.Codec), nil
}

// make fetches a driver's code and keeps what is made of it.
func (c *codecs) make(ctx context.Context, key codecKey, u *api.UsedDriver) (driver.Codec, error) {
	call, cancel := context.WithTimeout(ctx, c.link.limits.Timeout)
	defer cancel()
	code, err := c.link.api.DriverCode(call, u.Digest)
	if err != nil {
		return nil, fmt.Errorf("code of %s: %w", nameOf(u), err)
	}
	if sum := sha256.Sum256(code); hex.EncodeToString(sum[:]) != u.Digest {
		return nil, fmt.Errorf("code of %s: what came is not what its digest names", nameOf(u))
	}
	codec, err := c.link.config.Drivers.Open(&driver.Driver{Name: u.Name, Version: u.Version, Kind: u.Kind, Code: code, Limit: u.Limit.D()})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	c.keep(key, &held{codec, len(code) + codeCost, time.Now()})
	return codec, nil
}

// keep gives up those that were not used for longest until the new one has room.
func (c *codecs) keep(key codecKey, h *held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have[key] != nil {
		return
	}
	for c.size+h.size > maxHeld && len(c.have) > 0 {
		var oldest codecKey
		var since time.Time
		for k, o := range c.have {
			if since.IsZero() || o.used.Before(since) {
				oldest, since = k, o.used
			}
		}
		c.size -= c.have[oldest].size
		delete(c.have, oldest)
	}
	c.have[key] = h
	c.size += h.size
}
