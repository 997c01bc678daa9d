package mqtt

import (
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
	others  map[string]*link.Session // that it speaks for, by name
	listens bool                     // it has subscribed to something
	unknown map[string]bool          // names that nobody knows, and that were logged
	full    bool                     // it speaks for too many, and that was logged
}

// Bounds of a bridge's session.
const (
	maxRelayed = 5_000 // devices that it speaks for
	maxUnknown = 100   // names that nobody knows, in the log
)

// openLogin opens the link's side of the device that has come. A bridge's others follow when they are heard of.
func (m *Connector) openLogin(s *gateway.Session) *login {
	l := &login{m: m, session: s, others: make(map[string]*link.Session), unknown: make(map[string]bool)}
	l.device = l.open(device.Ref(s.Client), s.Topics.Device())
	return l
}

func (l *login) open(ref device.Ref, name string) *link.Session {
	d := l.m.link.Open(l.session.ID, ref, l.session.Number, l.session.Done())
	d.Name = name
	l.m.logins.Store(d, l)
	if l.listens {
		d.Listen()
	}
	return d
}

func (l *login) close() {
	for _, d := range l.others {
		l.shut(d)
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
	for _, d := range l.others {
		d.Listen()
	}
}

// received passes a message on as the device's that its topic names.
func (l *login) received(topic string, payload []byte, received time.Time, done func(stored bool)) {
	name, ok := l.session.Topics.From(topic)
	d := l.device
	if ok && name != "" && l.session.Topics.Bridge() {
		d, ok = l.speaksFor(name)
	}
	if !ok { // nobody's, or one too many: to send it again would not help
		l.session.Refused()
		done(true)
		return
	}
	d.Publish(telemetry.Telemetry, topic, payload, received, done)
}

// speaksFor is the device that the bridge calls name. One that nobody has brought in is none of the platform's business: what a bridge
// says of all its others would be parked for ever.
func (l *login) speaksFor(name string) (*link.Session, bool) {
	d := l.others[name]
	if d == nil {
		if len(l.others) >= maxRelayed {
			if !l.full {
				l.full = true
				l.m.log.Warn("a bridge speaks for too many devices, the others are not heard", "ref", l.session.Client, "most", maxRelayed, "name", name)
			}
			return nil, false
		}
		d = l.open(device.RelayedRef(device.Ref(l.session.Client), name), name)
		l.others[name] = d
	}
	known, ok := d.Known()
	if ok && !known && !l.unknown[name] && len(l.unknown) < maxUnknown {
		l.unknown[name] = true
		l.m.log.Info("a bridge speaks for a device that nobody has brought in, it is not heard", "ref", l.session.Client, "name", name)
	}
	return d, known
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
