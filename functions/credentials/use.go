package credentials

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A use is what became of one run's use of a claim. Uses are never deleted, so that a call that comes late finds out.
//
// A use is counted exactly once without a transaction: the claim's counter and its list Taking change in one write, then the
// use's document is written, then the run leaves the list. Whoever finds the run neither in the list nor in a document knows
// that it is not counted, because the claim's revision guards the three.
type use struct {
	ID     string    `bson:"_id"` // claim/run
	Claim  string    `bson:"claim"`
	Run    string    `bson:"run"`
	Serial string    `bson:"serial"`
	State  string    `bson:"state"`
	At     time.Time `bson:"at"`
}

// The states of a use.
const (
	taken    = "taken"
	closed   = "closed"   // the run needs the claim no more
	returned = "returned" // not counted, and never again for this run
)

// maxOpen bounds how many uses may be under way at once.
const maxOpen = 1000

var runPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,80}$`)

func useID(claim, run string) string { return claim + "/" + run }

// state returns what the use's document says; "" if there is none.
func (c *credentials) state(ctx context.Context, claim, run string) (string, error) {
	u, err := c.uses.Get(ctx, useID(claim, run))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return u.State, err
}

func (c *credentials) useClaim(ctx context.Context, call *faas.Call, in api.ClaimUse) (device.Claim, error) {
	id := call.Var("id")
	if !runPattern.MatchString(in.Run) {
		return device.Claim{}, api.Invalid("run must be 1 to 80 letters, digits, '.', '-' or '_'")
	}
	had := false
	v, err := c.claims.Update(ctx, id, func(v *claim) error {
		had = false
		state, err := c.state(ctx, id, in.Run)
		switch {
		case err != nil:
			return err
		case state == returned, slices.Contains(v.Returning, in.Run):
			return fmt.Errorf("%w: run %s has given its use of claim %s back", api.ErrConflict, in.Run, id)
		case state != "":
			had = true
			return store.Unchanged
		case slices.Contains(v.Taking, in.Run):
			return store.Unchanged
		}
		if err := v.Covers(in.Type, in.Serial, c.p.Time()); err != nil {
			return err
		}
		if err := c.lists(ctx, v, in.Serial); err != nil {
			return err
		}
		if v.Used >= v.MaxUses {
			return fmt.Errorf("%w: claim %s is used up: it was for %d devices", device.ErrClaim, id, v.MaxUses)
		}
		if len(v.Taking)+len(v.Returning) >= maxOpen {
			return fmt.Errorf("%w: claim %s is in use by too many devices at once", api.ErrUnavailable, id)
		}
		v.Used++
		v.Taking = append(v.Taking, in.Run)
		v.mark(c.p.Time())
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return device.Claim{}, platform.NotFound("claim", id)
	}
	if err != nil || had {
		return c.told(v), err
	}
	return c.told(v), c.settleTaken(ctx, id, in.Run, in.Serial)
}

func (c *credentials) settleTaken(ctx context.Context, id, run, serial string) error {
	err := c.uses.Insert(ctx, use{ID: useID(id, run), Claim: id, Run: run, Serial: serial, State: taken, At: c.p.Time()})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	return c.settled(ctx, id, run, func(v *claim) *[]string { return &v.Taking })
}

// settled takes the run from one of the claim's lists: its use's document says it now.
func (c *credentials) settled(ctx context.Context, id, run string, list func(*claim) *[]string) error {
	_, err := c.claims.Update(ctx, id, func(v *claim) error {
		l := list(v)
		i := slices.Index(*l, run)
		if i < 0 {
			return store.Unchanged
		}
		*l = slices.Delete(*l, i, i+1)
		v.mark(v.OpenSince)
		return nil
	})
	return err
}

// mark keeps OpenSince.
func (v *claim) mark(now time.Time) {
	switch {
	case len(v.Taking)+len(v.Returning) == 0:
		v.OpenSince = time.Time{}
	case v.OpenSince.IsZero():
		v.OpenSince = now
	}
}

func (c *credentials) returnClaim(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	id, run := call.Var("id"), call.Var("run")
	if !runPattern.MatchString(run) {
		return faas.None{}, platform.NotFound("run", run)
	}
	had := false
	_, err := c.claims.Update(ctx, id, func(v *claim) error {
		had = false
		state, err := c.state(ctx, id, run)
		taking := slices.Index(v.Taking, run)
		switch {
		case err != nil:
			return err
		case state == returned && !slices.Contains(v.Returning, run):
			had = true
			return store.Unchanged
		case slices.Contains(v.Returning, run):
			return store.Unchanged
		case state != "" || taking >= 0:
			v.Used--
		}
		if taking >= 0 {
			v.Taking = slices.Delete(v.Taking, taking, taking+1)
		}
		v.Returning = append(v.Returning, run)
		v.mark(c.p.Time())
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return faas.None{}, platform.NotFound("claim", id)
	}
	if err != nil || had {
		return faas.None{}, err
	}
	return faas.None{}, c.settleReturned(ctx, id, run)
}

func (c *credentials) settleReturned(ctx context.Context, id, run string) error {
	_, err := c.uses.Upsert(ctx, useID(id, run), func(u *use, _ bool) error {
		u.Claim, u.Run, u.State, u.At = id, run, returned, c.p.Time()
		return nil
	})
	if err != nil {
		return err
	}
	return c.settled(ctx, id, run, func(v *claim) *[]string { return &v.Returning })
}

// closeClaim notes that a run needs the claim no more. When that is so of every use there was, the claim is taken from the
// gateways: until then devices that share it may still be waiting for their bundles.
func (c *credentials) closeClaim(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	id, run := call.Var("id"), call.Var("run")
	_, err := c.uses.Update(ctx, useID(id, run), func(u *use) error {
		if u.State != taken {
			return store.Unchanged
		}
		u.State = closed
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return faas.None{}, platform.NotFound("use of claim", id)
	}
	if err != nil {
		return faas.None{}, err
	}
	_, err = c.uses.FindOne(ctx, store.Query{Index: "by-state", Filter: store.And(store.Eq("claim", id), store.Eq("state", taken))})
	if err == nil {
		return faas.None{}, nil // another device still needs it
	}
	if !errors.Is(err, store.ErrNotFound) {
		return faas.None{}, err
	}
	v, err := c.claims.Update(ctx, id, func(v *claim) error {
		if v.over() || v.Used < v.MaxUses || len(v.Taking) > 0 {
			return store.Unchanged
		}
		v.Closed, v.PendingSince = true, c.p.Time()
		return nil
	})
	if err != nil {
		return faas.None{}, err
	}
	return faas.None{}, c.tell(ctx, v)
}
