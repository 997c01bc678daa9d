package link

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/trace"
)

const (
	maxResolve = 500             // keys per call
	maxKnown   = 100_000         // answers kept
	negative   = 2 * time.Second // how long it is believed that there is nothing for a key
	settling   = 5 * time.Second // after a change, for which its function's replicas may differ
	maxChanges = 100             // that are told apart
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
	changes []change[V] // lately, the oldest first
	version uint64      // grows with each change
	cleared uint64      // the version by which everything was forgotten last: answers to calls made before are void
}

// A change is something that answers depend on. Those that it is about are void if they are to calls made before it, and until its
// function's replicas have all heard of it they are believed for as long only as that there is nothing.
type change[V any] struct {
	about   func(V) bool
	version uint64
	until   time.Time
}

type answer[V any] struct {
	value  V
	exists bool
	until  time.Time
}

// A question is answered for all who ask it meanwhile.
type question[V any] struct {
	answered chan struct{}
	void     bool // what is answered to the call under way counts no more
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
	q := c.question(key)
	c.mu.Unlock()
	c.signal()
	select {
	case <-q.answered:
		return q.value, q.exists, true
	case <-done:
	case <-c.link.work.Done():
	}
	return v, false, false
}

// question is the one about a key. The caller holds the lock.
func (c *lookup[K, V]) question(key K) *question[V] {
	q := c.asked[key]
	if q == nil {
		q = &question[V]{answered: make(chan struct{})}
		c.asked[key] = q
	}
	return q
}

func (c *lookup[K, V]) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// prepare has what is not known of keys asked for, in one call, and does not wait for it.
func (c *lookup[K, V]) prepare(keys []K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.link.now()
	for _, key := range keys {
		if have, ok := c.known[key]; !ok || !now.Before(have.until) {
			c.question(key)
		}
	}
	if len(c.asked) > 0 {
		c.signal()
	}
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
			pause.For(ctx, backoff(tries, c.link.limits.Backoff))
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
		c.asked[key].void = false
	}
	return keys, c.version
}

// answer gives the answers to those who asked, but for those that something has changed about since the call: they are asked again. It
// is false, and gives none, if everything was forgotten.
func (c *lookup[K, V]) answer(keys []K, found map[K]V, version uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cleared > version {
		return false
	}
	if len(c.known) > maxKnown {
		c.known = make(map[K]answer[V])
	}
	now := c.link.now()
	c.changes = slices.DeleteFunc(c.changes, func(h change[V]) bool { return !now.Before(h.until) && h.version <= version })
	for _, key := range keys {
		q := c.asked[key]
		a := answer[V]{until: now.Add(negative)}
		v, ok := found[key]
		void, brief := c.touched(v, ok, version)
		if q.void || void {
			continue
		}
		if ok {
			a = answer[V]{value: v, exists: true, until: now.Add(c.link.limits.Cache)}
			if brief {
				a.until = now.Add(negative)
			}
		}
		c.known[key] = a
		q.answer = a
		delete(c.asked, key)
		close(q.answered)
	}
	return true
}

// touched tells whether a change is about an answer: void if it came after the call was made. The caller holds the lock.
func (c *lookup[K, V]) touched(v V, exists bool, version uint64) (void, brief bool) {
	for _, h := range c.changes {
		if exists && h.about(v) {
			void, brief = void || h.version > version, true
		}
	}
	return void, brief
}

// forget forgets what is known of a key.
func (c *lookup[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
	if q := c.asked[key]; q != nil {
		q.void = true
	}
}

// unsettle forgets what a change is about; what is asked soon may still be answered by who has not heard of it, and is asked again.
func (c *lookup[K, V]) unsettle(about func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, a := range c.known {
		if a.exists && about(a.value) {
			delete(c.known, key)
		}
	}
	c.version++
	if len(c.changes) == maxChanges { // one that is about everything stands for the oldest two
		c.changes = c.changes[1:]
		c.changes[0].about = func(V) bool { return true }
	}
	c.changes = append(c.changes, change[V]{about, c.version, c.link.now().Add(settling)})
}

// clear forgets everything, after events may have been missed.
func (c *lookup[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
	c.version++
	c.cleared = c.version
}
