package gateways

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"golang.org/x/sync/errgroup"
)

const (
	evacuateFor = 8 * time.Second // what one sweep takes for it
	maxMoving   = 1000            // moves under way at a time
	batch       = 100
	atOnce      = 4 // moves that an instance makes side by side
)

// A pulse is what the manager remembers of itself: since when it has been sweeping without a gap. Gateways could not report
// while it was away, or what they report through, so they get their time from then on.
type pulse struct {
	ID    string    `bson:"_id"`
	Since time.Time `bson:"since"`
	Seen  time.Time `bson:"seen"`
}

const pulseID = "sweep"

// maxGap is how far apart two sweeps may be, of which there is one every 10 s.
const maxGap = 35 * time.Second

// beat notes that the manager is there.
func (g *gateways) beat(ctx context.Context) (pulse, error) {
	return g.pulses.Upsert(ctx, pulseID, func(p *pulse, _ bool) error {
		now := g.p.Time()
		if now.Sub(p.Seen) > maxGap || now.Before(p.Since) {
			p.Since = now
		}
		p.Seen = now
		return nil
	})
}

// silent tells whether a gateway has not been heard of for so long that its devices go elsewhere.
func (p *pulse) silent(w *gateway, now time.Time) bool {
	heard := w.Seen
	if p.Since.After(heard) {
		heard = p.Since
	}
	return now.Sub(heard) >= deadAfter
}

func (g *gateways) dead(ctx context.Context, w *gateway) bool {
	p, err := g.pulses.Get(ctx, pulseID)
	return err == nil && p.silent(w, g.p.Time())
}

// evacuate gives devices of gateways that are dead or being drained places elsewhere, as many as one sweep may.
func (g *gateways) evacuate(ctx context.Context, p pulse, under int) (moved int, err error) {
	all, err := g.ofPhase(ctx, operational)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, evacuateFor)
	defer cancel()
	for _, w := range all {
		dead := p.silent(&w, g.p.Time())
		if !dead && !w.Draining || w.Devices == 0 || under+moved >= maxMoving {
			continue
		}
		m := move{why: "gateway " + w.ID + " is being drained (" + w.Reason + ")", stay: true}
		if dead {
			m = move{why: "gateway " + w.ID + " was not heard of for " + deadAfter.String()}
		}
		n, e := g.evacuateOne(ctx, w.ID, m, maxMoving-under-moved)
		moved += n
		if stuckErr := g.setStuck(ctx, &w, e); stuckErr != nil && ctx.Err() == nil {
			err = errors.Join(err, stuckErr)
		}
		switch {
		case errors.Is(e, api.ErrUnavailable):
			g.p.Log.WarnContext(ctx, "devices stay where they have their places", "gateway", w.ID, "dead", dead, "devices", w.Devices, "reason", e)
		case e != nil && ctx.Err() == nil:
			err = errors.Join(err, e)
		}
		if n > 0 {
			g.p.Log.InfoContext(ctx, "devices got places elsewhere", "gateway", w.ID, "dead", dead, "moved", n)
		}
	}
	return moved, err
}

// evacuateOne moves up to most devices of one gateway, until one of them cannot go anywhere.
func (g *gateways) evacuateOne(ctx context.Context, id string, m move, most int) (int, error) {
	var moved atomic.Int64
	q := store.Query{Index: "by-gateway", Filter: store.And(store.Eq("gateway", id), store.Eq("removed", nil)), Partial: true}
	for left := most; left > 0 && ctx.Err() == nil; {
		q.Limit = min(batch, left)
		page, err := g.places.Find(ctx, q)
		if err != nil {
			return int(moved.Load()), err
		}
		left -= len(page.Items)
		var work errgroup.Group
		work.SetLimit(atOnce)
		for _, v := range page.Items {
			work.Go(func() error {
				_, err := g.relocate(ctx, v, m)
				if err == nil || errors.Is(err, errRemoved) || errors.Is(err, errMoved) {
					moved.Add(1)
					return nil
				}
				return err
			})
		}
		if err := work.Wait(); err != nil || page.Next == "" {
			return int(moved.Load()), err
		}
		q.Cursor = page.Next
	}
	return int(moved.Load()), nil
}

// setStuck keeps with a gateway why devices stay there that are to go, for people to see: the error of the one that could not.
func (g *gateways) setStuck(ctx context.Context, w *gateway, cause error) error {
	why := ""
	switch {
	case errors.Is(cause, api.ErrUnavailable):
		why = strings.TrimPrefix(cause.Error(), api.ErrUnavailable.Error()+": ")
	case cause != nil:
		return nil // it says nothing of whether they can go
	}
	if why == w.Stuck {
		return nil
	}
	_, err := g.gateways.Update(ctx, w.ID, func(v *gateway) error {
		if v.Stuck == why {
			return store.Unchanged
		}
		v.Stuck = why
		return nil
	})
	return err
}

func (g *gateways) gatewayOf(ctx context.Context, id string) (gateway, error) {
	v, err := g.gateways.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return v, platform.NotFound("gateway", id)
	}
	return v, err
}

// drain has a gateway's devices move, beginning at once. The sweep goes on with it.
func (g *gateways) drain(ctx context.Context, call *faas.Call, in api.Because) (api.Gateway, error) {
	if in.Reason == "" || len(in.Reason) > 500 {
		return api.Gateway{}, api.Invalid("reason: say why, in at most 500 characters; people see it where their devices are")
	}
	v, err := g.setDraining(ctx, call.Var("id"), true, in.Reason)
	if err != nil {
		return v.Gateway, err
	}
	under, err := g.moving(ctx, maxMoving)
	if err == nil && len(under) < maxMoving {
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		m := move{why: "gateway " + v.ID + " is being drained (" + in.Reason + ")", stay: true}
		_, e := g.evacuateOne(soon, v.ID, m, min(batch, maxMoving-len(under)))
		if e != nil {
			g.p.Log.InfoContext(ctx, "drain goes on with the next sweep", "gateway", v.ID, "reason", e)
		}
		if err := g.setStuck(ctx, &v, e); err != nil {
			return v.Gateway, err
		}
	}
	if err != nil {
		return v.Gateway, err
	}
	return g.show(ctx, v.ID)
}

// resume ends a drain. Who has left stays where it is.
func (g *gateways) resume(ctx context.Context, call *faas.Call, _ faas.None) (api.Gateway, error) {
	v, err := g.setDraining(ctx, call.Var("id"), false, "")
	if err != nil {
		return v.Gateway, err
	}
	return g.show(ctx, v.ID)
}

func (g *gateways) setDraining(ctx context.Context, id string, draining bool, reason string) (gateway, error) {
	if _, err := g.gatewayOf(ctx, id); err != nil {
		return gateway{}, err
	}
	return g.gateways.Update(ctx, id, func(v *gateway) error {
		if v.Phase != operational {
			return fmt.Errorf("%w: gateway %s is a provisioning one: it has no devices of its own", api.ErrConflict, id)
		}
		v.Draining, v.Reason, v.Stuck = draining, reason, ""
		return nil
	})
}

// deleteGateway forgets a gateway that nobody speaks for and that has no devices.
func (g *gateways) deleteGateway(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	id := call.Var("id")
	v, err := g.gatewayOf(ctx, id)
	if err != nil {
		return faas.None{}, err
	}
	now := g.p.Time()
	switch {
	case v.Devices > 0 || len(v.Counting) > 0 || len(v.Leaving) > 0:
		return faas.None{}, fmt.Errorf("%w: gateway %s has %d devices; drain it first: castor gateway drain %s --reason …", api.ErrConflict, id, v.Devices, id)
	case v.healthy(now):
		return faas.None{}, fmt.Errorf("%w: gateway %s was heard of %s ago and would come back; stop it, and delete it 45 s later", api.ErrConflict, id, now.Sub(v.Seen).Round(time.Second))
	}
	if _, err := g.deleted.Upsert(ctx, id, func(d *deletion, _ bool) error { d.At = now; return nil }); err != nil {
		return faas.None{}, err
	}
	seen := store.Eq("seen", v.Seen)
	if v.Seen.IsZero() {
		seen = store.Eq("seen", nil) // it was never heard of, and nothing is stored
	}
	err = g.gateways.DeleteIf(ctx, id, store.And(store.Eq("devices", int64(0)), seen))
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return faas.None{}, fmt.Errorf("%w: gateway %s has changed meanwhile; look again", api.ErrConflict, id)
	}
	return faas.None{}, err
}

// moves remembers whether there may be devices on their way, so that most sessions that begin cost no look at the store.
type moves struct {
	mu    sync.Mutex
	until time.Time // when to look again
	some  bool
}

func (m *moves) begun() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.some, m.until = true, time.Time{}
}

// any tells whether any device is on its way; of what another instance has begun it learns within a second.
func (g *gateways) any(ctx context.Context) bool {
	g.moves.mu.Lock()
	defer g.moves.mu.Unlock()
	if now := g.p.Time(); g.moves.until.Before(now) || g.moves.until.Sub(now) > time.Minute {
		some, err := g.moving(ctx, 1)
		g.moves.some, g.moves.until = err != nil || len(some) > 0, now.Add(time.Second)
	}
	return g.moves.some
}
