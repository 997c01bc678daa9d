package link

import (
	"context"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/trace"
)

const (
	maxResolve = 500             // keys per call
	maxKnown   = 100_000         // answers kept
	negative   = 2 * time.Second // how long it is believed that there is nothing for a key
	settling   = 5 * time.Second // after a change, for which its function's replicas may differ
)

// A lookup asks a function about keys, for many at a time, and believes its answers for a while.
type lookup[K comparable, V any] struct {
	link *Link
	what string // for the log: "device references cannot be resolved"
	ask  func(ctx context.Context, keys []K) (map[K]V, error)
	wake chan struct{}

	mu      sync.Mutex
	known   map[K]answer[V]
	asked   map[K]*question[V]
	brief   time.Time // until when answers are believed for as long only as that there is nothing
	version uint64    // grows when something was forgotten: answers to calls made before are void
}

type answer[V any] struct {
	value  V
	exists bool
	until  time.Time
}

// A question is answered for all who ask it meanwhile.
type question[V any] struct {
	answered chan struct{}
	answer[V]
}

func newLookup[K comparable, V any](l *Link, what string, ask func(context.Context, []K) (map[K]V, error)) *lookup[K, V] {
	return &lookup[K, V]{link: l, what: what, ask: ask, wake: make(chan struct{}, 1), known: make(map[K]answer[V]), asked: make(map[K]*question[V])}
}

// peek is get of what is known already: ok tells whether something is, be it that there is nothing.
func (c *lookup[K, V]) peek(key K) (v V, known, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have, ok := c.known[key]
	if !ok || !c.link.now().Before(have.until) {
		return v, false, false
	}
	return have.value, have.exists, true
}

// get returns what there is for key. known tells whether there is anything; ok is false when done was closed before that was clear.
func (c *lookup[K, V]) get(key K, done <-chan struct{}) (v V, known, ok bool) {
	c.mu.Lock()
	if have, ok := c.known[key]; ok && c.link.now().Before(have.until) {
		c.mu.Unlock()
		return have.value, have.exists, true
	}
	q := c.asked[key]
	if q == nil {
		q = &question[V]{answered: make(chan struct{})}
		c.asked[key] = q
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case <-q.answered:
		return q.value, q.exists, true
	case <-done:
	case <-c.link.work.Done():
	}
	return v, false, false
}

// run asks until ctx ends: one call at a time, for all that was asked during the one before.
func (c *lookup[K, V]) run(ctx context.Context) {
	tries := 0
	for {
		keys, version := c.next()
		if len(keys) == 0 {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		call, cancel := context.WithTimeout(trace.With(ctx, trace.New()), c.link.limits.Timeout)
		found, err := c.ask(call, keys)
		cancel()
		if err == nil && c.answer(keys, found, version) {
			tries = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if tries++; tries == 1 || tries%10 == 0 {
				c.link.log.WarnContext(call, c.what+", messages wait", "waiting", len(keys), "tries", tries, "error", err)
			}
			pause(ctx, nil, backoff(tries, c.link.limits.Backoff))
		}
	}
}

func (c *lookup[K, V]) next() (keys []K, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.asked {
		if len(keys) == maxResolve {
			break
		}
		keys = append(keys, key)
	}
	return keys, c.version
}

// answer gives the answers to those who asked. It is false, and gives none, if something has changed since the call.
func (c *lookup[K, V]) answer(keys []K, found map[K]V, version uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		return false
	}
	if len(c.known) > maxKnown {
		c.known = make(map[K]answer[V])
	}
	now := c.link.now()
	for _, key := range keys {
		a := answer[V]{until: now.Add(negative)}
		if v, ok := found[key]; ok {
			a = answer[V]{value: v, exists: true, until: now.Add(c.link.limits.Cache)}
			if now.Before(c.brief) {
				a.until = now.Add(negative)
			}
		}
		c.known[key] = a
		q := c.asked[key]
		q.answer = a
		delete(c.asked, key)
		close(q.answered)
	}
	return true
}

// forget forgets what is known of a key.
func (c *lookup[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
	c.version++
}

// unsettle forgets everything; what is asked soon may still be answered by who has not heard of the change, and is asked again.
func (c *lookup[K, V]) unsettle() {
	c.clear()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brief = c.link.now().Add(settling)
}

// clear forgets everything, after events may have been missed.
func (c *lookup[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
	c.version++
}
