package twinprovision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/castor-iot/castor/shared/api"
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
	case err != nil:
		return err
	case banned:
		return refusal("this device is banned")
	case with["unknown"] == "wait" && !r.Deadline.IsZero():
		return hold(fmt.Sprintf("serial %q is not known; the device waits to be let in", r.Request.Serial))
	}
	return refusal(why)
}

// listAsked notes in the list that the device of a run waits, which has asked with a claim.
func (f *function) listAsked(ctx context.Context, r *provision.Run) (banned bool, err error) {
	q, now := &r.Request, f.p.Time()
	w := waiting{Key: q.Key, CSR: q.CSR, PublicKey: q.PublicKey, Kind: q.Kind, Asked: true, Waiting: api.Waiting{ID: q.Key[:24], State: api.WaitingNow,
		Gateway: q.Gateway, Client: q.Client, Serial: q.Serial, MAC: seen(q.MAC), Model: seen(q.Model), Facts: map[string]string{}, Protocol: q.Protocol,
		Guess: []api.Guess{{Type: r.Type, Why: "it asks with a claim for it", Score: 1}}, Count: 1, First: now, Last: now,
		Type: r.Type, Owner: r.Owner, Location: r.Location, Claim: q.Claim, Run: r.ID}}
	for k, v := range q.Facts {
		w.Facts[seen(k)] = seen(v)
	}
	for range 3 {
		old, err := f.list.Get(ctx, w.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if err = f.makeRoom(ctx); err == nil {
				f.tally.move("", api.WaitingNow)
				f.tell(ctx, &w, now)
				err = f.list.Insert(ctx, w)
			}
			if err == nil {
				f.flush(ctx, w)
			}
		case err != nil || old.State == api.WaitingBanned:
			return true, err
		case old.State == api.WaitingNow:
			_, err = f.list.Update(ctx, w.ID, func(v *waiting) error {
				if v.State != api.WaitingNow {
					return store.Unchanged
				}
				v.Asked, v.Type, v.Owner, v.Location, v.Claim, v.Run, v.Guess = true, w.Type, w.Owner, w.Location, w.Claim, w.Run, w.Guess
				v.Serial, v.Gateway, v.Client, v.Last = w.Serial, w.Gateway, w.Client, now
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
