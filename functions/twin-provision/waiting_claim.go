package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
)

// A hold is why a run cannot go on yet, which is neither a failure nor a refusal: somebody must do something first. It counts as no
// try, and ends by the state's limit.
type hold string

func (h hold) Error() string { return string(h) }

// holdFor is after how long it is tried again, should nobody say that it can be.
const holdFor = time.Minute

// held has the run rest in its state. That it waits is logged once.
func held(r *provision.Run, why string, now time.Time) {
	r.Rest = now.Add(holdFor)
	if r.Due = r.Rest; !r.Deadline.IsZero() && r.Deadline.Before(r.Due) {
		r.Due = r.Deadline
	}
	if n := len(r.Steps); n == 0 || r.Steps[n-1].Outcome != "waiting" || r.Steps[n-1].State != r.State {
		r.Log(provision.Step{At: now, State: r.State, Action: r.Next(), Actor: self, Outcome: "waiting", Reason: why})
	}
}

// unknown puts the device of a run whose serial nobody registered into the waiting list, and says what becomes of the run: it
// waits where the model says so and for how long, else it is refused.
func (f *function) unknown(ctx context.Context, r *provision.Run, with map[string]string) error {
	why := fmt.Sprintf("serial %q is not known; register the device's identity first", r.Request.Serial)
	if r.Request.Claim == "" || r.Request.Listed != "" || len(r.Request.Key) < 24 {
		return refusal(why)
	}
	banned, err := f.listAsked(ctx, r)
	switch {
	case errors.As(err, new(refusal)) && with["unknown"] != "wait":
		return refusal(why) // it would not have waited
	case err != nil:
		return err
	case banned:
		return refusal("this device is banned")
	case with["unknown"] == "wait" && !r.Deadline.IsZero():
		return hold(fmt.Sprintf("serial %q is not known; the device waits to be let in", r.Request.Serial))
	}
	return refusal(why)
}

// roomForAsked refuses a device that would be one of too many: who has a claim tells us serials as they like, and must neither hide
// the devices that wait behind those, nor have them give way.
func (f *function) roomForAsked(ctx context.Context, claim string) error {
	c, err := f.p.API.GetClaim(ctx, claim)
	if err != nil {
		return err
	}
	most := int(min(c.MaxUses, maxOfClaim))
	n, err := f.list.Count(ctx, store.And(store.Eq("claim", claim), store.Eq("state", api.WaitingNow)), "by-claim")
	if err == nil && n >= most {
		return refusal(fmt.Sprintf("%d devices that nobody knows wait with claim %s already, which is the most; have them let in or forgotten", n, claim))
	}
	counts, countErr := f.counts(ctx)
	if err = errors.Join(err, countErr); err == nil && counts.Waiting >= maxWaiting {
		err = refusal("as many devices wait to be let in as there is room for; register the device's identity first")
	}
	return err
}

// another is why a device that is in the list is not the one that now knocks or asks with its key; "" if it is. People admit what they
// have seen, so that does not change while it waits.
func (w *waiting) another(o *waiting) string {
	if w.Serial == o.Serial && w.MAC == o.MAC {
		return ""
	}
	return fmt.Sprintf("this key waits as serial %q with mac %q, not as %q with %q; have it forgotten, or use another key", w.Serial, w.MAC, o.Serial, o.MAC)
}

// macOf is a MAC in the form in which knocks keep it, where it is one.
func macOf(s string) string {
	if mac, err := net.ParseMAC(s); err == nil {
		return mac.String()
	}
	return seen(s)
}

// listAsked notes in the list that the device of a run waits, which has asked with a claim.
func (f *function) listAsked(ctx context.Context, r *provision.Run) (banned bool, err error) {
	q, now := &r.Request, f.p.Time()
	w := waiting{Key: q.Key, CSR: q.CSR, PublicKey: q.PublicKey, Kind: q.Kind, Asked: true, Waiting: api.Waiting{ID: q.Key[:24], State: api.WaitingNow,
		Gateway: q.Gateway, Client: q.Client, Serial: q.Serial, MAC: macOf(q.MAC), Model: seen(q.Model), Facts: map[string]string{}, Protocol: q.Protocol,
		Guess: []api.Guess{{Type: r.Type, Why: "it asks with a claim for it", Score: 1}}, Count: 1, First: now, Last: now,
		Type: r.Type, Owner: r.Owner, Location: r.Location, Claim: q.Claim, Run: r.ID}}
	for k, v := range q.Facts {
		w.Facts[seen(k)] = seen(v)
	}
	for range 3 {
		old, err := f.list.Get(ctx, w.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if err = f.roomForAsked(ctx, q.Claim); err == nil {
				f.tally.move("", api.WaitingNow)
				f.tell(ctx, &w, now)
				err = f.list.Insert(ctx, w)
			}
			if err == nil {
				f.flush(ctx, w)
			}
		case err != nil || old.State == api.WaitingBanned:
			return true, err
		case old.another(&w) != "":
			metrics.Knocked("refused")
			return false, refusal(old.another(&w))
		case old.State == api.WaitingNow && old.Claim != q.Claim:
			if err = f.roomForAsked(ctx, q.Claim); err != nil {
				return false, err
			}
			fallthrough
		case old.State == api.WaitingNow:
			_, err = f.list.Update(ctx, w.ID, func(v *waiting) error {
				if v.State != api.WaitingNow || v.another(&w) != "" {
					return store.Unchanged
				}
				v.Asked, v.Type, v.Owner, v.Location, v.Claim, v.Run, v.Guess = true, w.Type, w.Owner, w.Location, w.Claim, w.Run, w.Guess
				v.Gateway, v.Client, v.Last = w.Gateway, w.Client, now
				return nil
			})
		}
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return false, errSuperseded
}

// seen is s without what people would not see of it.
func seen(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
