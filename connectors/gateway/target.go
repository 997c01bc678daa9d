package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A target is the door as its configurator sees it. The door asks the configurator who may come in, so that all there is to do
// about a change is to end sessions.
type target Door

// Apply ends those sessions of the client whose credential lets it in no more, and no others: while a credential is renewed, two
// are good.
func (t *target) Apply(_ context.Context, a api.Admission) error {
	(*Door)(t).review(a.Client)
	return nil
}

// Remove ends the client's sessions, and has what was kept for it forgotten.
func (t *target) Remove(_ context.Context, client string) error {
	d := (*Door)(t)
	d.review(client)
	if d.config.Dismissed != nil {
		d.config.Dismissed(client)
	}
	return nil
}

// OwnTopics tells that devices with topics of their own are kept apart, by what speaks MQTT on the door.
func (t *target) OwnTopics() {}

// List is the configurator's own list.
func (t *target) List(context.Context) ([]string, error) { return t.admitted.Clients(), nil }

// State never changes: a door forgets nothing that its configurator knows.
func (t *target) State(context.Context) (string, error) { return "", nil }

func (d *Door) review(client string) {
	if d.config.Phase == Operational { // where the two names are one
		if s, ok := d.sessions.current(client); ok && !s.mayStay() {
			d.cut(s)
		}
		return
	}
	for _, s := range d.sessions.all() {
		if s.Name == client && !s.mayStay() {
			d.cut(s)
		}
	}
}

func (d *Door) cut(s *Session) {
	if s.Why() == nil {
		d.count.cut.Add(1)
		s.cut(ErrDismissed)
	}
}

// expire ends what time ends: sessions whose admission or certificate has run out, those that are not visited any more, and
// connections that do not come to a session.
func (d *Door) expire(ctx context.Context) {
	tick := time.NewTicker(min(time.Second, d.config.Limits.Linger/3))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.guard.hall.clear(2 * d.config.Limits.Handshake)
		for _, s := range d.sessions.all() {
			switch {
			case !s.mayStay():
				d.cut(s)
			case s.visits.idle(d.now(), d.config.Limits.Linger):
				s.cut(ErrIdle)
			}
		}
	}
}

func (d *Door) current(expires time.Time) error {
	if !expires.IsZero() && !d.now().Before(expires) {
		return errors.New("it has expired")
	}
	return nil
}
