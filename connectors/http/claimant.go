package http

import (
	"context"
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

	mu      sync.Mutex
	answer  api.ProvisionAnswer // the last
	number  int                 // of answers that came
	told    int                 // the number of the last that was told
	asking  int                 // requests under way, whose answers are theirs
	came    chan struct{}       // closed when one came, and made anew
	polling chan struct{}       // closed when a newer poll begins
}

func newClaimant(l *link.Claimant, limits Limits) *claimantState {
	return &claimantState{link: l, places: make(chan struct{}, limits.Each), serial: make(chan struct{}, 1), came: make(chan struct{})}
}

func (c *claimantState) put(a api.ProvisionAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = a
	c.number++
	c.wake()
}

// wake has all who wait look again. The caller holds the lock.
func (c *claimantState) wake() {
	close(c.came)
	c.came = make(chan struct{})
}

// next waits for an answer that enough says is one, for patience at most, and tells the last there is; ok is false if there is none.
func (c *claimantState) next(ctx context.Context, ended <-chan struct{}, patience time.Duration, poll bool, enough func() bool) (a api.ProvisionAnswer, ok, replaced bool) {
	var newer chan struct{}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if poll {
		if c.polling != nil {
			close(c.polling)
		}
		newer = make(chan struct{})
		c.polling = newer
	}
	for waiting := true; waiting && !enough(); {
		came := c.came
		c.mu.Unlock()
		select {
		case <-came:
		case <-newer:
			waiting, replaced = false, true
		case <-timeout.C:
			waiting = false
		case <-ended:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
		c.mu.Lock()
	}
	if poll && c.polling == newer {
		c.polling = nil
	}
	if !replaced && ctx.Err() == nil {
		c.told = c.number
	}
	return c.answer, c.number > 0, replaced
}

// ask brings a request to the platform, and its answer; one that is pending is waited for on.
func (v *visit) ask() *problem {
	payload, p := v.h.limits.body(v.w, v.r)
	if p != nil {
		return p
	}
	c := v.claimant
	c.mu.Lock()
	before := c.number
	c.asking++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asking--
		c.wake() // who polls may have an answer that was not told
	}()
	if p := v.settle(c.serial, func(ack func(bool)) { c.link.Request(twin.TypeID(v.word), payload, ack) }); p != nil {
		return p
	}
	a, _, _ := c.next(v.ctx, v.session.Done(), v.wait, false, func() bool { return c.number > before && c.answer.Status != pending })
	return v.answered(a)
}

// pending is the status of an answer that another one follows.
const pending = "pending"

// status brings the next answer that was not told yet; after its time the last one there is.
func (v *visit) status() *problem {
	if v.client == "" {
		return bad("client", "it is missing", "give the name under which you have asked, or the address in the answer's Location")
	}
	c := v.claimant
	a, ok, replaced := c.next(v.ctx, v.session.Done(), v.wait, true, func() bool { return c.number > c.told && c.asking == 0 })
	switch {
	case replaced:
		return refuse(http.StatusConflict, "", "a newer poll of this device has begun", "keep one poll open at a time")
	case !ok && v.session.Why() != nil:
		return v.ended()
	case !ok:
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return v.answered(a)
}

func (v *visit) answered(a api.ProvisionAnswer) *problem {
	if a.Status == pending {
		v.w.Header().Set("Location", "/v1/provision/"+url.PathEscape(v.word)+"/status?client="+url.QueryEscape(v.session.Client))
	}
	reply(v.w, a)
	return nil
}
