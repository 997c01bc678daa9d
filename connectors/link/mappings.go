package link

import (
	"context"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/trace"
)

const (
	maxResolve  = 500             // references per call
	maxMappings = 100_000         // kept
	negative    = 2 * time.Second // how long it is believed that a reference has no twin
)

// mappings is the transformer's lookup in the credential mapper (paper 4.9), with its cache.
type mappings struct {
	link *Link
	wake chan struct{}

	mu      sync.Mutex
	known   map[device.Ref]lookup
	asked   map[device.Ref]*question
	version uint64 // grows when something was forgotten: answers to calls made before are void
}

type lookup struct {
	mapping api.Mapping
	exists  bool
	until   time.Time
}

// A question is answered for all who ask it meanwhile.
type question struct {
	answered chan struct{}
	lookup
}

func newMappings(l *Link) *mappings {
	return &mappings{link: l, wake: make(chan struct{}, 1), known: make(map[device.Ref]lookup), asked: make(map[device.Ref]*question)}
}

// get returns the mapping of ref. known tells whether there is one; ok is false when done was closed before that was clear.
func (c *mappings) get(ref device.Ref, done <-chan struct{}) (m api.Mapping, known, ok bool) {
	c.mu.Lock()
	if have, ok := c.known[ref]; ok && c.link.now().Before(have.until) {
		c.mu.Unlock()
		return have.mapping, have.exists, true
	}
	q := c.asked[ref]
	if q == nil {
		q = &question{answered: make(chan struct{})}
		c.asked[ref] = q
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case <-q.answered:
		return q.mapping, q.exists, true
	case <-done:
	case <-c.link.work.Done():
	}
	return m, false, false
}

// run asks until ctx ends: one call at a time, for all that was asked during the one before.
func (c *mappings) run(ctx context.Context) {
	tries := 0
	for {
		refs, version := c.next()
		if len(refs) == 0 {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		call, cancel := context.WithTimeout(trace.With(ctx, trace.New()), c.link.limits.Timeout)
		found, err := c.link.api.Resolve(call, refs)
		cancel()
		if err == nil && c.answer(refs, found, version) {
			tries = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if tries++; tries == 1 || tries%10 == 0 {
				c.link.log.WarnContext(call, "device references cannot be resolved, messages wait", "waiting", len(refs), "tries", tries, "error", err)
			}
			pause(ctx, nil, backoff(tries, c.link.limits.Backoff))
		}
	}
}

func (c *mappings) next() (refs []device.Ref, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref := range c.asked {
		if len(refs) == maxResolve {
			break
		}
		refs = append(refs, ref)
	}
	return refs, c.version
}

// answer gives the answers to those who asked. It is false, and gives none, if a mapping has changed since the call.
func (c *mappings) answer(refs []device.Ref, found []api.Mapping, version uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version {
		return false
	}
	if len(c.known) > maxMappings {
		c.known = make(map[device.Ref]lookup)
	}
	now := c.link.now()
	for _, ref := range refs {
		c.known[ref] = lookup{mapping: api.Mapping{Ref: ref}, until: now.Add(negative)}
	}
	for _, m := range found {
		if _, asked := c.asked[m.Ref]; asked && m.Twin.Valid() == nil {
			c.known[m.Ref] = lookup{mapping: m, exists: true, until: now.Add(c.link.limits.Cache)}
		}
	}
	for _, ref := range refs {
		q := c.asked[ref]
		q.lookup = c.known[ref]
		delete(c.asked, ref)
		close(q.answered)
	}
	return true
}

// changed forgets what an event says has changed.
func (c *mappings) changed(e event.Event) {
	var d api.CredentialChanged
	if err := e.Decode(&d); err != nil || d.Ref == "" {
		c.clear()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, d.Ref)
	c.version++
}

// clear forgets everything, after events may have been missed.
func (c *mappings) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
	c.version++
}
