package http

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// claimantState is what belongs to the session of a device that has a claim.
type claimantState struct {
	link   *link.Claimant
	places chan struct{} // of requests under way
	serial chan struct{} // holds a place for the one that asks

	mu     sync.Mutex
	asked  *asked
	asking int           // requests under way, whose answers are theirs
	came   chan struct{} // closed when an answer came, or another request, and made anew

	polling [2]chan struct{} // closed when a newer poll begins: of others, and of who has asked
}

// asked is what was asked last, and what came of it. Devices that share a claim may take each other's names, so only who has asked the
// same is told, and who shows the key that this was answered with.
type asked struct {
	digest [sha256.Size]byte
	key    string // "" before anybody has asked

	run    string              // that the answers are of
	answer api.ProvisionAnswer // the last
	number int                 // of answers that came
	told   int                 // the number of the last that was told
	early  api.ProvisionAnswer // one of a run that the request may yet turn out to be of
}

func newClaimant(l *link.Claimant, limits Limits) *claimantState {
	return &claimantState{link: l, places: make(chan struct{}, limits.Each), serial: make(chan struct{}, 1), asked: &asked{}, came: make(chan struct{})}
}

// begin makes a request the one whose answers come from now on. The same one goes on where it was.
func (c *claimantState) begin(kind string, payload []byte) *asked {
	digest := sha256.Sum256(append([]byte(kind+"\x00"), payload...))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.key == "" || c.asked.digest != digest {
		c.asked = &asked{digest: digest, key: rand.Text()}
		c.wake()
	}
	return c.asked
}

// put takes the answer to the request that is under way.
func (c *claimantState) put(a api.ProvisionAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.asked
	now.run, now.answer = a.Run, a
	now.number++
	if a.Status == pending && now.early.Status != "" && now.early.Run == a.Run {
		now.answer = now.early
	}
	now.early = api.ProvisionAnswer{}
	c.wake()
}

// later takes an answer that came by itself. It may be faster than the one to the request.
func (c *claimantState) later(a api.ProvisionAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.asked
	if a.Run != now.run {
		now.early = a
		return
	}
	now.answer = a
	now.number++
	c.wake()
}

// wake has all who wait look again. The caller holds the lock.
func (c *claimantState) wake() {
	close(c.came)
	c.came = make(chan struct{})
}

// await waits until enough says so or another request is made than what, for patience at most. The caller holds the lock.
func (c *claimantState) await(ctx context.Context, ended, newer <-chan struct{}, patience time.Duration, what *asked, enough func() bool) (replaced bool) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for c.asked == what && !enough() {
		came := c.came
		c.mu.Unlock()
		on := false
		select {
		case <-came:
			on = true
		case <-newer:
			replaced = true
		case <-timeout.C:
		case <-ended:
		case <-ctx.Done():
		}
		if c.mu.Lock(); !on {
			return replaced
		}
	}
	return false
}

// next polls for an answer that was not told yet, for patience at most, and tells the last there is; ok is false if there is none, or
// what there is is not theirs who show this key.
func (c *claimantState) next(ctx context.Context, ended <-chan struct{}, patience time.Duration, shown string) (a api.ProvisionAnswer, key string, ok, replaced bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what, theirs := c.asked, 1
	if subtle.ConstantTimeCompare([]byte(what.key), []byte(shown)) != 1 {
		theirs = 0
	}
	polling := &c.polling[theirs]
	if *polling != nil {
		close(*polling)
	}
	newer := make(chan struct{})
	*polling = newer
	replaced = c.await(ctx, ended, newer, patience, what, func() bool { return theirs == 1 && what.number > what.told && c.asking == 0 })
	if *polling == newer {
		*polling = nil
	}
	if theirs == 0 {
		return a, "", false, replaced
	}
	if !replaced && ctx.Err() == nil {
		what.told = what.number
	}
	return what.answer, what.key, what.number > 0, replaced
}

// ask brings a request to the platform, and its answer; one that is pending is waited for on.
func (v *visit) ask() *problem {
	payload, p := v.h.limits.body(v.w, v.r)
	if p != nil {
		return p
	}
	c := v.claimant
	c.mu.Lock()
	c.asking++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asking--
		c.wake() // who polls may have an answer that was not told
	}()
	var mine *asked
	var before int
	if p := v.settle(c.serial, func(ack func(bool)) {
		now, answered := c.begin(v.word, payload), make(chan struct{})
		c.mu.Lock()
		mine, before = now, now.number
		c.mu.Unlock()
		c.link.Request(twin.TypeID(v.word), payload, func(ok bool) { ack(ok); close(answered) })
		<-answered // the next one's answer is not this one's
	}); p != nil {
		return p
	}
	c.mu.Lock()
	c.await(v.ctx, v.session.Done(), nil, v.wait, mine, func() bool { return mine.number > before && mine.answer.Status != pending })
	a, key := mine.answer, mine.key
	if v.ctx.Err() == nil {
		mine.told = mine.number
	}
	c.mu.Unlock()
	return v.answered(a, key)
}

// pending is the status of an answer that another one follows.
const pending = "pending"

// status brings the next answer that was not told yet; after its time the last one there is.
func (v *visit) status() *problem {
	if v.client == "" {
		return bad("client", "it is missing", "give the name under which you have asked, or the address in the answer's Location")
	}
	a, key, ok, replaced := v.claimant.next(v.ctx, v.session.Done(), v.wait, v.key)
	switch {
	case replaced:
		return refuse(http.StatusConflict, "", "a newer poll of this device has begun", "keep one poll open at a time")
	case !ok && v.session.Why() != nil:
		return v.ended()
	case !ok:
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return v.answered(a, key)
}

// answered writes an answer. Where a pending one goes on only who has the key is told more.
func (v *visit) answered(a api.ProvisionAnswer, key string) *problem {
	if a.Status == pending {
		v.w.Header().Set("Location", "/v1/provision/"+url.PathEscape(v.word)+"/status?client="+url.QueryEscape(v.session.Client)+"&key="+url.QueryEscape(key))
	}
	reply(v.w, a)
	return nil
}
