package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// A delivery is one message to one address as it is stored. What it says is fixed when it is made, so that every attempt
// says the same.
type delivery struct {
	api.Delivery `bson:",inline"`

	Owner   string    `bson:"owner,omitempty"`   // of the route
	Subject string    `bson:"subject,omitempty"` // of an e-mail
	Text    string    `bson:"text,omitempty"`    // of an e-mail
	Body    []byte    `bson:"body,omitempty"`    // of a webhook
	Created time.Time `bson:"created"`

	Trace string `bson:"trace,omitempty"` // of the alarm

	// Lease names the attempt that is under way until Next; "" if none is.
	Lease string `bson:"lease,omitempty"`
}

// The states of a delivery.
const (
	pending = "pending"
	sent    = "sent"
	failed  = "failed"
)

// tell says who has taken a on, and makes the deliveries of its untold transitions. Their ids say alarm, transition, route and address: made twice, by
// two instances or after a crash, they are still there once.
func (f *function) tell(ctx context.Context, a alarm) error {
	if a.Untold == (untold{Since: a.Untold.Since}) {
		return nil
	}
	if a.Untold.Taken != 0 {
		if err := f.tellTaken(ctx, &a); err != nil {
			return err
		}
	}
	var all []delivery
	err := f.routes.Scan(ctx, store.Query{Index: "by-of", Filter: store.In("of", routesFor(a)...)}, func(r route) error {
		if a.Untold.Raised && r.matches(&a, true) {
			all = append(all, f.deliveriesFor(&a, &r, true)...)
		}
		if a.Untold.Cleared && r.matches(&a, false) {
			all = append(all, f.deliveriesFor(&a, &r, false)...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(all) > 0 {
		errs, err := f.deliveries.InsertMany(ctx, all)
		if err != nil {
			return err
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, store.ErrExists) {
				return err
			}
		}
	}
	_, err = f.alarms.Update(ctx, a.ID, func(v *alarm) error {
		v.Untold.Raised = v.Untold.Raised && !a.Untold.Raised
		v.Untold.Cleared = v.Untold.Cleared && !a.Untold.Cleared
		if v.Untold.Taken == a.Untold.Taken {
			v.Untold.Taken = 0
		}
		if v.Untold == (untold{Since: v.Untold.Since}) {
			v.Untold.Since = time.Time{}
		}
		return nil
	})
	return err
}

// routesFor are the owners whose routes may want to know of a.
func routesFor(a alarm) []string {
	if a.Owner == "" {
		return []string{ownersName("")}
	}
	return []string{ownersName(""), ownersName(a.Owner)}
}

// deliveriesFor makes the messages of one transition by one route: one per e-mail address, so that an address that is
// refused keeps nobody else from being told.
func (f *function) deliveriesFor(a *alarm, r *route, raised bool) (out []delivery) {
	now := f.p.Time()
	d := delivery{Owner: r.Owner, Trace: a.Trace, Created: now, Delivery: api.Delivery{Alarm: a.ID, Route: r.ID, Raised: raised, State: pending, Next: now}}
	if r.Webhook != "" {
		d.ID = deliveryID(a.ID, raised, r.ID, 0)
		body, err := json.Marshal(api.Notice{Delivery: d.ID, Raised: raised, Alarm: a.Alarm})
		if err != nil {
			panic(err) // an alarm came as JSON
		}
		d.Body = body
		return []delivery{d}
	}
	d.Subject, d.Text = subject(&a.Alarm, raised), text(&a.Alarm, raised)
	for i, to := range r.Email {
		d.ID, d.To = deliveryID(a.ID, raised, r.ID, i), to
		out = append(out, d)
	}
	return out
}

func deliveryID(alarm string, raised bool, route string, address int) string {
	what := "cleared"
	if raised {
		what = "raised"
	}
	return fmt.Sprintf("%s:%s:%s:%d", alarm, what, route, address)
}

// raisedID is the id of the delivery that told of the beginning whose end d tells of.
func (d *delivery) raisedID() string {
	return strings.Replace(d.ID, ":cleared:"+d.Route, ":raised:"+d.Route, 1)
}
