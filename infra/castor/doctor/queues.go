package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// When what waits is told of.
const (
	manyPending = 1000 // of one consumer
	tooMany     = 100_000
	fullStream  = 0.8 // of its bound
	watchFor    = time.Minute
	waitTooLong = time.Hour
)

// asking says an error of a question that only maintainers may ask.
func asking(f *findings, what string, err error) {
	switch {
	case errors.Is(err, access.ErrUnauthenticated):
		f.warn(what+" was not examined: the session is over", "castor login")
	case errors.Is(err, access.ErrDenied):
		f.warn(what+" was not examined: it is for maintainers", "castor login as a maintainer")
	default:
		f.bad(fmt.Sprintf("%s cannot be asked: %v", what, err), "look at the log of function twin-watchdog")
	}
}

// queues tells what waits on the bus.
func (c *Config) queues(ctx context.Context, f *findings) {
	l, err := c.API.BusLoad(ctx)
	if err != nil {
		asking(f, "the bus", err)
		return
	}
	judgeLoad(f, l)
}

func judgeLoad(f *findings, l api.BusLoad) {
	behind := 0
	for _, x := range l.Consumers {
		n := x.Pending + uint64(max(x.Unacknowledged, 0))
		fact := fmt.Sprintf("%s has %d messages to handle", x.Name, n)
		if x.Redelivered > 0 {
			fact += fmt.Sprintf(", %d of them not for the first time", x.Redelivered)
		}
		remedy := "look at the log of who handles them, and start more replicas: castor-connector events, and the function"
		switch {
		case n >= tooMany:
			f.bad(fact, remedy)
		case n >= manyPending || x.Redelivered > 0:
			f.warn(fact, remedy)
		default:
			continue
		}
		behind++
	}
	for _, s := range l.Streams {
		if s.MaxBytes > 0 && float64(s.Bytes) > fullStream*float64(s.MaxBytes) {
			behind++
			f.bad(fmt.Sprintf("stream %s is %d %% full", s.Name, s.Bytes*100/uint64(s.MaxBytes)),
				"have its consumers catch up; when it is full calls are refused and the oldest events are lost")
		}
	}
	if l.Dead > 0 {
		behind++
		f.warn(fmt.Sprintf("%d events or calls were given up", l.Dead), "see what they are: nats stream view CASTOR_DEAD; then: nats stream purge CASTOR_DEAD")
	}
	if behind == 0 {
		f.ok(fmt.Sprintf("%d consumers of the bus are up to date", len(l.Consumers)))
	}
}

// watchdog tells whether it runs, and what it says of the functions.
func (c *Config) watchdog(ctx context.Context, f *findings) {
	page, err := c.API.WatchdogStatus(ctx)
	if err != nil {
		asking(f, "the watchdog", err)
		return
	}
	c.judgeSweeps(f, page.Items)
	if h, err := c.API.WatchdogHeartbeat(ctx); err == nil {
		judgeOperations(f, h)
	}
}

// judgeOperations tells of asynchronous operations that do not go on.
func judgeOperations(f *findings, h api.Heartbeat) {
	n := 0
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(h.Overdue)) {
		if x := h.Overdue[kind]; x > 0 {
			n += x
			kinds = append(kinds, fmt.Sprintf("%d %s", x, kind))
		}
	}
	if n == 0 {
		f.ok("no operation is overdue")
		return
	}
	f.warn(fmt.Sprintf("%d operations are overdue (%s), %d of them with an alarm", n, strings.Join(kinds, ", "), h.Alarms),
		"castor alarm list; GET /function/twin-watchdog/operations names them all, each with the reason")
}

func (c *Config) judgeSweeps(f *findings, all []api.SweepStatus) {
	var newest time.Time
	failing := 0
	for _, s := range all {
		if s.Planned.After(newest) {
			newest = s.Planned
		}
		if !s.Failing.IsZero() {
			failing++
			f.bad(fmt.Sprintf("function %s has not repaired what crashes left since %s: %s", s.Function, s.Failing.UTC().Format(time.RFC3339), s.Reason),
				"look at its log: faas-cli logs "+s.Function)
		}
		if s.Waiting > 0 && !s.Oldest.IsZero() {
			age := c.Now().Sub(s.Oldest).Round(time.Second)
			fact := fmt.Sprintf("function %s has %d things that should be done by now, the oldest for %s", s.Function, s.Waiting, age)
			if remedy := remedyFor(s.Function); age > waitTooLong {
				f.bad(fact, remedy)
			} else {
				f.warn(fact, remedy)
			}
		}
	}
	switch silent := c.Now().Sub(newest); {
	case newest.IsZero():
		f.bad("the watchdog has never run", "start the connector that calls it: castor-connector events")
	case silent > watchFor:
		f.bad(fmt.Sprintf("the watchdog has not run for %s", silent.Round(time.Second)), "start the connector that calls it: castor-connector events")
	case failing == 0:
		f.ok(fmt.Sprintf("the watchdog runs; %d functions repair what crashes leave", len(all)))
	}
}

func remedyFor(function string) string {
	if function == "alerts" {
		return "people have not been told of alarms: castor alarm get ID says why; look at the mail server and the webhooks"
	}
	return "look at its log: faas-cli logs " + function
}

// messages tells of device messages that belong to nobody.
func (c *Config) messages(ctx context.Context, f *findings) {
	page, err := c.API.ListParked(ctx, "", "")
	if err != nil {
		asking(f, "what is parked", err)
		return
	}
	if len(page.Items) == 0 {
		f.ok("no device message is parked without a twin")
		return
	}
	more := ""
	if page.Next != "" {
		more = " or more"
	}
	newest := page.Items[0]
	fact := fmt.Sprintf("%d%s device messages belong to no twin, the newest of %s: %s", len(page.Items), more, newest.Received.UTC().Format(time.RFC3339), newest.Reason)
	if c.Now().Sub(newest.Received) < waitTooLong {
		f.warn(fact, ownerless(newest.Reason))
		return
	}
	f.ok(fact)
}

// relayedRef is how references of devices look that another device speaks for (device.RelayedRef).
var relayedRef = regexp.MustCompile(`device reference r-[a-z2-7]{32}$`)

// forLookingAt says that the remedy is for what comes next, so that nobody waits for what is parked to go away.
var forLookingAt = fmt.Sprintf("; what has come before is kept (castor twin parked --no-twin) until its twin adopts it (castor twin adopt TWIN): this warning ends %.0f minutes after the newest", waitTooLong.Minutes())

// ownerless is what to do about a message of a device that is nobody's. One that another device speaks for has had no run.
func ownerless(reason string) string {
	if relayedRef.MatchString(reason) {
		return "bring in the device that a bridge or network server speaks for, unless it is there by now: castor device add TYPE --owner GROUP --serial EUI --via TWIN, with the twin of that one" + forLookingAt
	}
	return "enrol the device anew, or cut it off, unless that is done: castor run reset RUN" + forLookingAt
}
