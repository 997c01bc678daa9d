package mqtt

import (
	"container/list"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/broker"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A login is the session of a device whose firmware has topics of its own: one device, or a bridge that speaks for others by their
// names. The gateway has seen to it that the topics are its own. Its methods are called one after the other.
type login struct {
	m       *Connector
	session *gateway.Session
	device  *link.Session            // that has come
	others  map[string]*list.Element // that it speaks for and that are known, by name
	heard   *list.List               // of *link.Session: others, the last heard first
	number  int64                    // of the newest session
	listens bool                     // it has subscribed to something
	unknown map[string]bool          // names that nobody knows, and that were logged
	full    bool                     // it speaks for too many at a time, and that was logged
}

// Bounds of a bridge's session.
const (
	maxRelayed = 5_000 // devices that it speaks for at a time
	maxUnknown = 100   // names that nobody knows, in the log
)

// openLogin opens the link's side of the device that has come. A bridge's others follow when they are heard of.
func (m *Connector) openLogin(s *gateway.Session) *login {
	l := &login{m: m, session: s, others: make(map[string]*list.Element), heard: list.New(), number: s.Number, unknown: make(map[string]bool)}
	l.device = l.open(s.ID, device.Ref(s.Client), s.Topics.Device())
	return l
}

func (l *login) open(id string, ref device.Ref, name string) *link.Session {
	d := l.m.link.Open(id, ref, l.number, l.session.Done())
	d.Name = name
	if via := device.Ref(l.session.Client); via != ref {
		d.Via = via
	}
	l.m.logins.Store(d, l)
	if l.listens {
		d.Listen()
	}
	return d
}

func (l *login) close() {
	for e := l.heard.Front(); e != nil; e = e.Next() {
		l.shut(e.Value.(*link.Session))
	}
	l.shut(l.device)
}

func (l *login) shut(d *link.Session) {
	l.m.logins.Delete(d)
	d.Close()
}

// listen tells that commands reach the devices from now on.
func (l *login) listen() {
	l.listens = true
	l.device.Listen()
	for e := l.heard.Front(); e != nil; e = e.Next() {
		e.Value.(*link.Session).Listen()
	}
}

// received passes a message on as the device's that its topic names.
func (l *login) received(topic string, payload []byte, received time.Time, done func(stored bool)) {
	name, ok := l.session.Topics.From(topic)
	d := l.device
	if ok && name != "" && l.session.Topics.Bridge() {
		d, ok = l.speaksFor(name)
	}
	if !ok { // nobody's: to send it again would not help
		l.session.Refused()
		done(true)
		return
	}
	d.Publish(telemetry.Telemetry, topic, payload, received, done)
}

// speaksFor is the device that the bridge calls name. One that nobody has brought in is none of the platform's business: what a bridge
// says of all its others would be parked for ever. It takes no place, so that made-up names keep none from a device.
func (l *login) speaksFor(name string) (*link.Session, bool) {
	e := l.others[name]
	if e == nil {
		d := l.open(l.idOf(), device.RelayedRef(device.Ref(l.session.Client), name), name)
		if !l.known(d) {
			l.shut(d)
			return nil, false
		}
		if len(l.others) >= l.m.relayed {
			if !l.full {
				l.full = true
				l.m.log.Warn("a bridge speaks for too many devices at a time, those that are silent longest count as gone", "ref", l.session.Client, "most", l.m.relayed)
			}
			l.forget(l.heard.Back())
		}
		l.others[name] = l.heard.PushFront(d)
		return d, true
	}
	d := e.Value.(*link.Session)
	if !l.known(d) {
		l.forget(e)
		return nil, false
	}
	l.heard.MoveToFront(e)
	return d, true
}

// forget ends the session of one that the bridge speaks for. Should it be heard again, that session is younger.
func (l *login) forget(e *list.Element) {
	d := l.heard.Remove(e).(*link.Session)
	delete(l.others, d.Name)
	l.shut(d)
	l.number++
}

// idOf is the id of the next session: that of the bridge's own until one was forgotten.
func (l *login) idOf() string {
	if l.number == l.session.Number {
		return l.session.ID
	}
	return fmt.Sprintf("%012x-%s", l.number, rand.Text()[:8]) // as gateways make them, so that they sort
}

// known tells whether there is a twin for d; of the first names that have none the log says so.
func (l *login) known(d *link.Session) bool {
	known, ok := d.Known()
	if ok && !known && !l.unknown[d.Name] && len(l.unknown) < maxUnknown {
		l.unknown[d.Name] = true
		l.m.log.Info("a bridge speaks for a device that nobody has brought in, it is not heard", "ref", l.session.Client, "name", d.Name)
	}
	return known && ok
}

// command publishes on the topic that the driver names, if that is the device's.
func (l *login) command(d *link.Session, c link.Down) error {
	if c.Topic == "" {
		return fmt.Errorf("%w: it has topics of its own, and its driver names none for this", link.ErrNoWay)
	}
	topic := strings.ReplaceAll(c.Topic, "{device}", d.Name)
	if name, ok := l.session.Topics.To(topic); !ok || name != d.Name && (name != "" || d != l.device) {
		return fmt.Errorf("%w: it does not listen on %.200q", link.ErrNoWay, topic)
	}
	err := l.m.gateway.Publish(l.session.Client, topic, c.Payload, broker.Options{Acknowledged: true, Session: l.session.ID})
	if errors.Is(err, broker.ErrTopic) {
		err = fmt.Errorf("%w: %w", link.ErrNoWay, err)
	}
	return err
}
