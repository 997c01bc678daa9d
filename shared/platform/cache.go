package platform

import (
	"context"
	"sync"
	"time"
)

// cachedFor is how long a Cache believes what it has.
const cachedFor = 5 * time.Second

// A Cache keeps by key what many calls need and people seldom change. Its owner has events forget what they are about; that nothing is
// believed for longer than 5 s is for events that get lost. Any number of goroutines may use it; values are shared, so nobody changes them.
type Cache[K comparable, V any] struct {
	now  func() time.Time
	most int
	read func(context.Context, []K) (map[K]V, error)

	mu      sync.Mutex
	epoch   int // grows when something is forgotten, so that what is being read meanwhile is not kept
	has     map[K]cached[V]
	reading map[K]int // how many read a key now: what is told of it counts, though nobody has its value yet
}

type cached[V any] struct {
	at    time.Time
	value V
}

// NewCache makes an empty cache. It has at most about so many keys; when there would be more it begins anew. read reads what it has not,
// for many keys at once: of those that it leaves out the zero value is kept.
func NewCache[K comparable, V any](now func() time.Time, most int, read func(ctx context.Context, missing []K) (map[K]V, error)) *Cache[K, V] {
	return &Cache[K, V]{now: now, most: most, read: read, has: map[K]cached[V]{}, reading: map[K]int{}}
}

// Get returns the values of keys, each of which is named once. What is not there, or not from the last 5 s, is read in one go. Where
// that fails nothing is returned.
func (c *Cache[K, V]) Get(ctx context.Context, keys []K) (map[K]V, error) {
	out := make(map[K]V, len(keys))
	var missing []K
	now := c.now()
	c.mu.Lock()
	epoch := c.epoch
	for _, key := range keys {
		if x, ok := c.has[key]; ok && now.Sub(x.at).Abs() < cachedFor { // a clock that was set back keeps nothing for ever
			out[key] = x.value
		} else {
			missing = append(missing, key)
			c.reading[key]++
		}
	}
	c.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	found, err := c.read(ctx, missing)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range missing {
		if c.reading[key]--; c.reading[key] == 0 {
			delete(c.reading, key)
		}
	}
	if err != nil {
		return nil, err
	}
	keep := c.epoch == epoch
	if keep && len(c.has)+len(missing) > c.most {
		clear(c.has)
	}
	for _, key := range missing {
		out[key] = found[key]
		if keep {
			c.has[key] = cached[V]{now, found[key]}
		}
	}
	return out, nil
}

// Forget forgets a key, if its value is one of those that only tells of; nil tells of all. Of what is being read nobody knows the value yet:
// it is not kept.
func (c *Cache[K, V]) Forget(key K, only func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.has[key]; ok && (only == nil || only(x.value)) {
		delete(c.has, key)
		c.epoch++
	} else if c.reading[key] > 0 {
		c.epoch++
	}
}

// Clear forgets everything.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.has)
	c.epoch++
}
