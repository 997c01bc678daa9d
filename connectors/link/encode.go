package link

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// handed is what the platform says of a command on behalf of a device whose firmware has topics of its own: it knows no way to answer.
const handed = "handed over; this firmware does not confirm"

// An errand is a command that a driver may have to write first.
type errand struct {
	session *Session
	command api.LeasedCommand
}

// errands has what a driver may have to write done beside, one after the other for each twin. It is false where no driver is needed.
func (c *commands) errands(s *Session, n api.LeasedCommand) bool {
	if c.link.drivers == nil {
		return false
	}
	u, _, ok := c.link.drivers.peek(n.Twin)
	c.mu.Lock()
	defer c.mu.Unlock()
	have, running := c.encoding[n.Twin]
	if !running && ok && u.Name == "" {
		return false
	}
	if slices.ContainsFunc(have, func(e errand) bool { return e.command.ID == n.ID }) {
		return true
	}
	c.encoding[n.Twin] = append(have, errand{s, n})
	if !running {
		c.writing.Go(func() {
			for e, ok := c.errand(n.Twin, false); ok; e, ok = c.errand(n.Twin, true) {
				c.write(e)
				c.signal() // there is something to be reported
			}
		})
	}
	return true
}

// errand is the next one for a twin. The one before leaves the queue only when it is done, so that it is not begun twice.
func (c *commands) errand(id twin.ID, done bool) (errand, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue := c.encoding[id]
	if done {
		queue = queue[1:]
	}
	if len(queue) == 0 {
		delete(c.encoding, id)
		return errand{}, false
	}
	c.encoding[id] = queue
	return queue[0], true
}

// write has a driver write a command and hands it to the device. Firmware with topics of its own is answered for; a device that gets the
// driver's bytes on the platform's own topic answers there, as any other.
func (c *commands) write(e errand) {
	s, n := e.session, e.command
	d, err := c.link.encode(s, n)
	var refused encodeError
	for tries := 1; err != nil && !errors.As(err, &refused) && c.link.now().Before(n.Until); tries++ {
		if !pause.Unless(c.link.work, s.done, backoff(tries, c.link.limits.Backoff)) {
			break
		}
		d, err = c.link.encode(s, n)
	}
	if err == nil {
		d.Owner, d.Until, d.Expires, d.Fail = n.Owner, n.Until, n.Expires, func(reason string) { s.answer(n, false, reason) }
		err = c.link.config.Protocol.Command(s, d)
	}
	switch {
	case errors.As(err, &refused), errors.Is(err, ErrNoWay):
		c.link.log.Info("command cannot be written for the device", "ref", s.Ref, "twin", n.Twin, "command", n.ID, "error", err)
		s.answer(n, false, err.Error())
		err = nil // it is not to be tried again
	case err == nil && d.Topic != "":
		s.answer(n, true, handed)
	}
	c.handed(s, n, err)
}

// encodeError is why a driver cannot write a command.
type encodeError string

func (e encodeError) Error() string { return string(e) }

// encode is a command as its device takes it: written by its driver, if that writes any; else as the wire contract says. An error
// that is no encodeError may pass.
func (l *Link) encode(s *Session, n api.LeasedCommand) (Down, error) {
	u, ok := l.drivers.of(n.Twin, s.done)
	switch {
	case !ok:
		return Down{}, errors.New("the device has gone")
	case u.Name == "":
		return plain(n)
	case u.Parked != "":
		return Down{}, encodeError(u.Parked)
	}
	call, err := driver.CommandFor(u.Kind, n.Name, n.Input)
	if err != nil {
		return Down{}, encodeError(err.Error())
	}
	variables := maps.Clone(u.Variables)
	if variables == nil {
		variables = map[string]string{}
	}
	if name := cmp.Or(s.Name, u.Device); name != "" {
		variables["device"] = name
	}
	ctx, cancel := context.WithTimeout(l.work, l.limits.Timeout)
	defer cancel()
	call.Time, call.Variables = l.now().UTC().Truncate(time.Millisecond), variables
	results, err := l.drivers.call(ctx, &u, []driver.Call{call})
	if errors.Is(err, errBroken) {
		return Down{}, encodeError("driver " + nameOf(&u) + ": " + err.Error())
	}
	if err != nil {
		return Down{}, err
	}
	r := &results[0]
	if r.Failure == driver.Missing {
		return plain(n)
	}
	reason := unsendable(r)
	switch {
	case r.Failure.Grave():
		l.failures.note(&u, n.Twin, metrics.DecodeGrave, reason)
	case reason == "": // what a driver refuses is the fault of who sent the command
		l.failures.note(&u, n.Twin, metrics.Decoded, "")
	}
	if reason != "" {
		return Down{}, encodeError("driver " + nameOf(&u) + ": " + reason)
	}
	return Down{ID: n.ID, Payload: r.Bytes, Encoded: true, Topic: r.Topic, Port: r.Port}, nil
}

// plain is a command as the wire contract has it.
func plain(n api.LeasedCommand) (Down, error) {
	payload, err := json.Marshal(DeviceCommand{Name: n.Name, Input: n.Input, Repeatable: n.Repeatable})
	return Down{ID: n.ID, Payload: payload}, err
}

// unsendable tells what is wrong with what a driver has written; "" = nothing.
func unsendable(r *driver.Result) string {
	switch {
	case r.Failure != "":
		first, _, _ := strings.Cut(r.Reason, "\n") // without the script's stack
		return string(r.Failure) + ": " + first
	case len(r.Errors) > 0:
		return strings.Join(r.Errors, "; ")
	case r.Bytes == nil:
		return "it gives no bytes for the device"
	case len(r.Bytes) > telemetry.MaxPayload:
		return fmt.Sprintf("it gives %d bytes, at most %d are sent", len(r.Bytes), telemetry.MaxPayload)
	case r.Port < 0 || r.Port > 223:
		return fmt.Sprintf("it gives port %d, and ports are 1 to 223", r.Port)
	}
	return ""
}

// answer answers a command in the device's place. What is not stored ends as timed out.
func (s *Session) answer(n api.LeasedCommand, done bool, reason string) {
	m, known, _ := s.link.mappings.get(s.Ref, s.done)
	if !known || m.Twin != n.Twin {
		return
	}
	a := &telemetry.Answer{Command: n.ID, OK: done, Reason: reason}
	if err := a.Normalise(); err != nil {
		s.link.log.Warn("a command is not answered", "ref", s.Ref, "command", n.ID, "error", err)
		return
	}
	message := telemetry.Message{
		Twin: m.Twin, Generation: m.Generation, Kind: telemetry.Response, Received: s.link.now().UTC().Truncate(time.Millisecond), Order: s.block(1),
		Session: s.ID, Gateway: s.link.config.Gateway.ID, Answer: a,
	}
	s.send(m.Twin, []*item{{ticket: s.begin(func(bool) {}), size: sizeOf(&message), message: message}}, false)
}
