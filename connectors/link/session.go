package link

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A Session is one connection of a device whose reference the gateway has authenticated. Its methods but Close are called
// one after the other.
type Session struct {
	ID  string // sorts by time
	Ref device.Ref

	// Name is what the device is called in topics of its own, or by whoever speaks for it; "" = not told. It is {device} for its driver.
	// Whoever opens the session sets it before anything is reported.
	Name string

	// Via is who speaks for the device; "" = it speaks for itself. It is set as Name is.
	Via device.Ref

	link    *Link
	epoch   int64
	done    <-chan struct{}
	confirm chan struct{} // holds a place for the one confirmation under way

	mapping   api.Mapping  // as last resolved
	announced bool         // presence was sent
	unplaced  int          // how often the registry said nothing of its twin, one after the other
	listens   atomic.Bool  // for commands
	seq       atomic.Int64 // last assigned

	mu       sync.Mutex
	tickets  []*ticket  // in the order of reception
	stored   twin.Order // newest of the device's orders that is stored with all before it
	news     bool       // the device is to be told of stored
	firmware string     // that the device has said last, for what its driver depends on
	hole     bool       // something with an order was not stored: nothing after it may be told
}

// A ticket is one packet of a device that waits to be acknowledged.
type ticket struct {
	session *Session
	left    int         // messages of it that are not settled
	order   *twin.Order // newest the device gave in it; nil if none
	failed  bool
	receipt Receipt
	ack     func(Receipt)
}

// Open begins a session and announces the device as present. id and epoch grow with each session of a device, wherever it
// connects; epoch orders the messages of devices that do not count. done is closed when the session has ended; it ends
// whatever waits. Open waits for the device's twin to be known.
func (l *Link) Open(id string, ref device.Ref, epoch int64, done <-chan struct{}) *Session {
	s := &Session{ID: id, Ref: ref, link: l, epoch: epoch, done: done, confirm: make(chan struct{}, 1)}
	l.open.Add(1)
	s.resolve()
	return s
}

// resolve finds the twin and announces the device once it is known. It is false when the session has ended.
func (s *Session) resolve() (known, ok bool) {
	m, known, ok := s.link.mappings.get(s.Ref, s.done)
	if !known {
		return false, ok
	}
	anew := m.Twin != s.mapping.Twin || m.Generation != s.mapping.Generation
	if m.Twin != s.mapping.Twin {
		if s.announced { // a relayed device was exchanged for another of its name
			s.presence(false, true)
			s.announced = false
		}
		s.link.commands.left(s)
		s.mapping = m
		s.link.commands.arrived(s)
	}
	s.mapping = m
	if !s.announced {
		s.announced = s.presence(true, false)
	}
	if anew && m.Pending {
		s.seen()
	}
	return true, true
}

// Known tells whether the device has a twin. ok is false when the session has ended before that was clear.
func (s *Session) Known() (known, ok bool) { return s.resolve() }

// presence sends that the device is there or gone. The latter is forced into the lane: there are never more of them than
// of the former, which waited.
func (s *Session) presence(connected, force bool) bool {
	now := s.link.now().UTC().Truncate(time.Millisecond)
	t := s.begin(func(bool) {})
	return s.send(s.mapping.Twin, []*item{{ticket: t, size: itemCost, message: telemetry.Message{
		Twin: s.mapping.Twin, Generation: s.mapping.Generation, Kind: telemetry.Presence, Received: now, Order: s.block(1),
		Session: s.ID, Gateway: s.link.config.Gateway.ID, Samples: []telemetry.Sample{{Property: "connected", Value: connected}},
	}}}, force)
}

// Close ends the session and announces that the device is gone.
func (s *Session) Close() {
	s.link.open.Add(-1)
	s.link.commands.left(s)
	if s.announced {
		s.presence(false, true)
	}
}

// Listen tells that commands reach the device from now on. A device that never listens gets none.
func (s *Session) Listen() {
	s.listens.Store(true)
	s.link.commands.signal()
}

// Report is ReportAs of what came with nothing beside.
func (s *Session) Report(kind telemetry.Kind, topic string, payload []byte, received time.Time, ack func(Receipt)) {
	s.ReportAs(Incoming{Kind: kind, Topic: topic, Payload: payload, Received: received}, ack)
}

// ReportAs takes what a device sent. ack is called once, in the order of the calls of Report, Publish and Confirm: when everything in it
// is stored or parked, or when it was not and will not be. ReportAs waits while the platform is behind.
func (s *Session) ReportAs(in Incoming, ack func(Receipt)) {
	known, ok := s.resolve()
	e := &entry{session: s, in: in, ticket: s.ticket(1, nil, ack)}
	var u api.UsedDriver
	if known {
		e.mapping = s.mapping
		if payloads(in.Kind) {
			u, ok = s.reader()
		}
	}
	if known && ok && payloads(in.Kind) && s.link.drivers != nil {
		e.base = s.block(reserved) // also where it will be parked: it may be read again
	}
	switch {
	case !ok:
		e.ticket.finish(false)
	case called(&u) && driven(in.Kind):
		if _, ok = s.link.decoders.put(e, nameOf(&u), false, s.done); !ok {
			e.give()
		}
	default:
		if items := e.without(&u); len(items) > 0 {
			s.send(e.mapping.Twin, items, false)
		} else {
			e.nothing()
		}
	}
}

// placing is how often it is asked again who reads a device's payloads, while the registry says nothing of its twin: the device has
// come to this gateway a moment ago, and its place is not known everywhere. A session whose twin has none then waits no more.
const placing = 5

// reader tells how the device's payloads are read; ok is false when the session has ended before that was clear.
func (s *Session) reader() (u api.UsedDriver, ok bool) {
	d := s.link.drivers
	if d == nil {
		return u, true
	}
	for {
		var known bool
		if u, known, ok = d.get(s.mapping.Twin, s.done); known {
			s.unplaced = 0
		}
		if known || !ok || s.unplaced >= placing {
			return u, ok
		}
		if s.unplaced++; !pause.Unless(s.link.work, s.done, negative) {
			return u, false
		}
	}
}

// block sets orders aside for n messages whose device gives none, and returns the first.
func (s *Session) block(n int) twin.Order {
	return twin.Order{Epoch: s.epoch, Seq: s.seq.Add(int64(n)) - int64(n) + 1, Assigned: true}
}

// send puts messages of a twin ("" = of a device that has none) into its lane, behind what of the twin is being decoded.
func (s *Session) send(id twin.ID, items []*item, force bool) bool {
	key := string(id)
	if id == "" {
		key = string(s.Ref)
	}
	taken, ok := s.link.decoders.put(&entry{session: s, mapping: api.Mapping{Twin: id}, items: items}, "", force, s.done)
	for _, it := range items {
		if !taken && !(ok && s.link.laneOf(key).put(it, force, s.done)) {
			ok = false
			s.link.count.lost.Add(1)
			it.ticket.finish(false)
		}
	}
	return ok
}

// begin gives out a ticket for what is no message.
func (s *Session) begin(ack func(stored bool)) *ticket {
	return s.ticket(1, nil, func(r Receipt) { ack(r.Stored) })
}

// ticket gives out one for n messages; order is the newest that the device gave in them, nil if none.
func (s *Session) ticket(n int, order *twin.Order, ack func(Receipt)) *ticket {
	t := &ticket{session: s, left: n, order: order, ack: ack}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickets = append(s.tickets, t)
	return t
}

// expect says how many messages came of the packet, and the newest order that the device gave in it. Once.
func (t *ticket) expect(n int, order *twin.Order) {
	t.session.mu.Lock()
	defer t.session.mu.Unlock()
	t.left, t.order = max(n, 1), order
}

// finish settles one message of the ticket, and acknowledges every ticket that is complete with all before it.
func (t *ticket) finish(stored bool) {
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	t.left--
	t.failed = t.failed || !stored
	for len(s.tickets) > 0 && s.tickets[0].left <= 0 {
		first := s.tickets[0]
		s.tickets[0] = nil
		s.tickets = s.tickets[1:]
		if first.order != nil {
			s.hole = s.hole || first.failed
			s.news = s.news || !s.hole
			if !s.hole && first.order.After(s.stored) {
				s.stored = *first.order
			}
		}
		first.receipt.Stored = !first.failed
		first.ack(first.receipt)
	}
}

// tell tells the device what is stored now. It is told again what it has sent again.
func (s *Session) tell() {
	s.mu.Lock()
	o, news := s.stored, s.news
	s.news = false
	s.mu.Unlock()
	if news {
		s.link.config.Protocol.Stored(s, o)
	}
}
