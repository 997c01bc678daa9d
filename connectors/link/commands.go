package link

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// commands is the way of commands to devices: what waits for a device is told by twin-ingest when the device was heard
// from, and by the bus when it is silent; either way it is fetched from twin-command under a lease, handed to the device's
// session, and reported.
type commands struct {
	link *Link
	wake chan struct{}

	mu       sync.Mutex
	sessions map[twin.ID]*Session
	twins    map[*Session]twin.ID // of sessions that are open
	waiting  map[twin.ID][]string // to be fetched, once the device listens
	reports  map[string]report    // to be made, by command
	encoding map[twin.ID][]errand // under way to a driver first
	writing  sync.WaitGroup       // goroutines that see to it
}

// A report says what became of a command, until the lease is over.
type report struct {
	api.CommandDelivery
	until time.Time
}

// maxReport bounds one call: devices, and commands in all.
const maxReport = min(api.MaxLeaseDevices, api.MaxLeased)

func newCommands(l *Link) *commands {
	return &commands{link: l, wake: make(chan struct{}, 1), sessions: map[twin.ID]*Session{}, twins: map[*Session]twin.ID{}, waiting: map[twin.ID][]string{}, reports: map[string]report{}, encoding: map[twin.ID][]errand{}}
}

// arrived makes s the session by which commands go to its twin.
func (c *commands) arrived(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-s.done: // left already
	default:
		c.sessions[s.mapping.Twin], c.twins[s] = s, s.mapping.Twin
	}
}

func (c *commands) left(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.twins, s)
	if c.sessions[s.mapping.Twin] == s {
		delete(c.sessions, s.mapping.Twin)
		delete(c.waiting, s.mapping.Twin)
	}
}

// wait notes what waits for twins whose devices are here.
func (c *commands) wait(all map[twin.ID][]string) {
	if len(all) == 0 {
		return
	}
	c.mu.Lock()
	for id, ids := range all {
		if c.sessions[id] != nil && len(ids) > 0 {
			c.waiting[id] = ids
		}
	}
	c.mu.Unlock()
	c.signal()
}

func (c *commands) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// deliver takes a downlink: news of commands, or a message that goes to the device as it is.
func (l *Link) deliver(d bus.Downlink) {
	if d.Twin == "" {
		l.config.Protocol.Deliver(d)
		return
	}
	l.commands.wait(map[twin.ID][]string{twin.ID(d.Twin): d.Commands})
}

// run fetches, hands over and reports until ctx ends; one thing after the other, for all that came meanwhile.
func (c *commands) run(ctx context.Context) {
	defer c.writing.Wait()
	tries := 0
	for {
		more := false
		err := c.report(ctx)
		if err == nil {
			more, err = c.fetch(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if tries++; tries == 1 || tries%10 == 0 {
				c.link.log.Warn("commands wait, twin-command does not answer", "tries", tries, "error", err)
			}
			if !pause.For(ctx, backoff(tries, c.link.limits.Backoff)) {
				return
			}
		case more:
			tries = 0
		default:
			tries = 0
			select {
			case <-c.wake:
			case <-ctx.Done():
				return
			}
		}
	}
}

// fetch leases what waits for devices that listen, and hands it over; more tells that there is something left to do. What
// could not be asked for waits on.
func (c *commands) fetch(ctx context.Context) (more bool, err error) {
	in := api.LeaseCommands{Gateway: c.link.config.Gateway.ID, Holder: c.link.holder}
	sessions := map[twin.ID]*Session{}
	c.mu.Lock()
	total := 0
	for id, ids := range c.waiting {
		s := c.sessions[id]
		if s == nil || !s.listens.Load() {
			continue
		}
		if ids = ids[:min(len(ids), maxReport)]; total+len(ids) > maxReport {
			more = true
			continue
		}
		total += len(ids)
		delete(c.waiting, id)
		sessions[id] = s
		in.Devices = append(in.Devices, api.LeaseDevice{Twin: id, Session: s.ID, Commands: ids})
	}
	c.mu.Unlock()
	if len(in.Devices) == 0 {
		return false, nil
	}
	call, cancel := context.WithTimeout(ctx, c.link.limits.Timeout)
	defer cancel()
	leased, err := c.link.api.LeaseCommands(call, in)
	if unreadable(err) {
		c.link.log.Error("twin-command does not take what waits", "devices", len(in.Devices), "error", err)
		return more, nil // the next news of it asks again
	}
	if err != nil {
		c.mu.Lock()
		for _, d := range in.Devices {
			if _, news := c.waiting[d.Twin]; !news {
				c.waiting[d.Twin] = d.Commands
			}
		}
		c.mu.Unlock()
		return true, err
	}
	for _, n := range leased.Commands {
		c.hand(sessions[n.Twin], n)
	}
	return more || len(leased.Commands) > 0, nil
}

// hand hands a command to the device's session, once per lease, and notes what is to be reported.
func (c *commands) hand(s *Session, n api.LeasedCommand) {
	c.mu.Lock()
	have, reported := c.reports[n.ID]
	c.mu.Unlock()
	if s == nil || reported && have.Lease == n.Lease || !c.link.now().Before(n.Until) {
		return
	}
	if c.errands(s, n) {
		return
	}
	d, err := plain(n)
	if err == nil {
		err = c.link.config.Protocol.Command(s, d)
	}
	if errors.Is(err, ErrNoWay) { // it is not to be tried again
		c.writing.Go(func() {
			s.answer(n, false, err.Error())
			c.handed(s, n, nil)
			c.signal()
		})
		return
	}
	c.handed(s, n, err)
}

// handed notes what is to be reported of a command.
func (c *commands) handed(s *Session, n api.LeasedCommand, err error) {
	if err != nil {
		c.link.log.Info("command was not delivered", "ref", s.Ref, "twin", n.Twin, "command", n.ID, "error", err)
	}
	c.mu.Lock()
	c.reports[n.ID] = report{api.CommandDelivery{Command: n.ID, Lease: n.Lease, Sent: err == nil}, n.Until}
	if err != nil && c.sessions[n.Twin] == s && !slices.Contains(c.waiting[n.Twin], n.ID) {
		c.waiting[n.Twin] = append(c.waiting[n.Twin], n.ID) // it is back where it was: for when the device listens again
	}
	c.mu.Unlock()
}

// DeviceCommand is a command as devices get it.
type DeviceCommand struct {
	Name       string          `json:"name"`
	Input      json.RawMessage `json:"input,omitempty"`
	Repeatable bool            `json:"repeatable,omitempty"` // may come again if it is not answered
}

// report tells what became of commands, unless that is too late.
func (c *commands) report(ctx context.Context) error {
	in := api.CommandDeliveries{Gateway: c.link.config.Gateway.ID, Holder: c.link.holder}
	now := c.link.now()
	c.mu.Lock()
	for id, r := range c.reports {
		if !now.Before(r.until.Add(time.Minute)) {
			delete(c.reports, id)
		} else if len(in.Deliveries) < maxReport {
			in.Deliveries = append(in.Deliveries, r.CommandDelivery)
		}
	}
	c.mu.Unlock()
	if len(in.Deliveries) == 0 {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, c.link.limits.Timeout)
	defer cancel()
	err := c.link.api.ReportDeliveries(call, in)
	if err != nil && !unreadable(err) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, r := range c.reports {
		if slices.Contains(in.Deliveries, r.CommandDelivery) {
			delete(c.reports, id)
		}
	}
	return nil
}
