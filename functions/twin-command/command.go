package twincommand

import (
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	leaseLeast = 30 * time.Second    // of a repeatable command; doubles with each attempt, up to leaseMost
	leaseMost  = time.Hour           //
	leaseOnce  = 2 * time.Minute     // the longest of another, whose end is the command's: outages shall be shorter
	lookAfter  = 5 * time.Second     // before what a crash may have left undone is done again; doubles while a command waits
	lookMost   = 5 * time.Minute     //
	keepFor    = 30 * 24 * time.Hour // how long a command is kept after its end
	maxTimeout = 30 * 24 * time.Hour
	minTimeout = time.Second
)

// A command is a command with what only this function needs to know of it.
type command struct {
	api.Command `bson:",inline"`

	// Lease is the newest; its number grows with each.
	Lease lease `bson:"lease"`

	// Filed is set on ended commands once the twin lists them no longer as open.
	Filed bool `bson:"filed,omitempty"`

	// Due is when somebody must look at the command although nothing happens.
	Due time.Time `bson:"due"`

	Outbox event.Outbox `bson:"outbox"`
}

// A lease is a connector's right to deliver a command.
type lease struct {
	Number  int64     `bson:"number"`
	Gateway string    `bson:"gateway,omitempty"`
	Holder  string    `bson:"holder,omitempty"`
	Session string    `bson:"session,omitempty"`
	Until   time.Time `bson:"until,omitempty"`
}

// to brings the command into a state, and leaves the event of it to be published.
func (c *command) to(s api.CommandState, now time.Time, format string, a ...any) {
	c.State, c.Reason, c.Updated = s, fmt.Sprintf(format, a...), now
	switch {
	case !s.Ended():
		c.Ended, c.Filed = time.Time{}, false
	case c.Ended.IsZero():
		c.Ended, c.Filed = now, false
	default:
		c.Filed = false // a late answer: the twin need not wait for one any more
	}
	c.Due = c.due(now)
	if s != api.CommandDelivering { // a step on the way that nobody waits for
		c.Outbox.Coalesce(c.ID, event.CommandChanged, string(c.Twin), now, api.CommandChanged{Twin: c.Twin, Command: c.ID, State: s})
	}
}

// due is when to look at the command next, having looked at it now.
func (c *command) due(now time.Time) time.Time {
	at := c.Expires
	switch {
	case c.State.Ended() && c.Filed:
		return c.Ended.Add(keepFor)
	case c.State.Ended():
		return now.Add(lookAfter)
	case c.State == api.CommandQueued:
		at = now.Add(min(max(now.Sub(c.Updated), lookAfter), lookMost))
	case c.State == api.CommandDelivering, c.Repeatable:
		at = c.Lease.Until
	}
	if c.State != api.CommandDelivering && at.After(c.Expires) {
		at = c.Expires
	}
	return at
}

// place is where the twin lists the command.
func (c *command) place() twin.Place {
	switch {
	case c.State == api.CommandQueued:
		return twin.Waiting
	case !c.State.Ended():
		return twin.Sent
	case c.Answered.IsZero() && c.Attempts > 0:
		return twin.Late
	}
	return twin.Nowhere
}

// take gives the command to a connector; false if it is not to be had. The same holder gets what it holds again.
func (c *command) take(l lease, now time.Time) (taken bool) {
	switch {
	case c.State == api.CommandDelivering && c.Lease.Holder == l.Holder && c.Lease.Gateway == l.Gateway && c.Lease.Session == l.Session:
		return now.Before(c.Lease.Until)
	case c.State != api.CommandQueued || !now.Before(c.Expires):
		return false
	}
	term := min(max(c.Expires.Sub(now), leaseLeast), leaseOnce)
	if c.Repeatable {
		term = min(leaseLeast<<min(c.Attempts, 10), leaseMost)
	}
	l.Number, l.Until = c.Lease.Number+1, now.Add(term)
	c.Lease = l
	c.Attempts++
	c.to(api.CommandDelivering, now, "")
	return true
}

// deliverUntil is when it is too late for the lease's holder to deliver the command.
func (c *command) deliverUntil() time.Time {
	if c.Expires.Before(c.Lease.Until) {
		return c.Expires
	}
	return c.Lease.Until
}

// report takes what the lease's holder says of the delivery; false if it says nothing new.
func (c *command) report(holder, gateway string, d api.CommandDelivery, now time.Time) (changed bool) {
	if c.State != api.CommandDelivering || c.Lease.Number != d.Lease || c.Lease.Holder != holder || c.Lease.Gateway != gateway {
		return false
	}
	if d.Sent {
		c.Sent = now
		c.to(api.CommandSent, now, "")
	} else {
		c.Attempts--
		c.to(api.CommandQueued, now, "the device had gone before it could be delivered")
	}
	return true
}

// elapse decides what the passing of time alone decides.
func (c *command) elapse(now time.Time) {
	over := !now.Before(c.Expires)
	switch c.State {
	case api.CommandQueued:
		switch {
		case over && c.Attempts == 0:
			c.to(api.CommandTimedOut, now, "the device was not there in time; it has not had the command")
		case over && c.Sent.IsZero():
			c.to(api.CommandUnknown, now, "delivery was tried and not confirmed; the device may have had the command")
		case over:
			c.to(api.CommandTimedOut, now, "the device has not answered in time")
		}
	case api.CommandDelivering:
		switch {
		case now.Before(c.Lease.Until):
		case c.Repeatable && !over:
			c.to(api.CommandQueued, now, "the connector has not said whether it delivered the command; it is offered again")
		default:
			c.to(api.CommandUnknown, now, "the connector has not said whether it delivered the command; the device may have had it")
		}
	case api.CommandSent:
		switch {
		case over:
			c.to(api.CommandTimedOut, now, "the device has not answered in time")
		case c.Repeatable && !now.Before(c.Lease.Until):
			c.to(api.CommandQueued, now, "the device has not answered; it is offered again")
		}
	}
	c.Due = c.due(now)
}

// answer takes the device's answer; false if it counts no more, or cannot be one because the device never had the command.
func (c *command) answer(a telemetry.Answer, received, now time.Time) bool {
	if !c.Answered.IsZero() || c.Attempts == 0 {
		return false
	}
	c.Late = c.State.Ended()
	c.Answered, c.Output = received, a.Output
	s := api.CommandFailed
	if a.OK {
		s = api.CommandSucceeded
	}
	c.to(s, now, "%s", a.Reason)
	return true
}

// cancel ends the command for whoever asked.
func (c *command) cancel(by string, now time.Time) {
	if c.Attempts == 0 {
		c.to(api.CommandCancelled, now, "by %s, before the device had it", by)
		return
	}
	c.to(api.CommandUnknown, now, "cancelled by %s after it was given to a connector; the device may carry it out", by)
}
