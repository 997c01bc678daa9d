package bridge

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Where mosquitto tells of clients that come and go, and of what they hear (log_dest topic, log_type notice and subscribe).
const (
	connections   = "$SYS/broker/log/N"
	subscriptions = "$SYS/broker/log/M/subscribe"
)

const (
	queued    = 256             // messages of one device that wait for the link
	lingerFor = time.Minute     // how long what a device has said may take to be stored after it has gone
	holdFor   = 5 * time.Second // how long a device's full queue holds back the broker, before a message is left to it
)

// A visitor is a device at the broker, from its first sign to its last. What it says is dealt with one after the other.
type visitor struct {
	ref   device.Ref
	queue chan mqtt.Message // nil: commands reach the device from now on
	over  chan struct{}     // closed when nothing more is expected of it: what is in the queue by then still counts
	done  chan struct{}     // closed when it has gone
	leave sync.Once
}

// received takes one message, or one line of the broker's log.
func (m *Bridge) received(_ mqtt.Client, msg mqtt.Message) {
	switch msg.Topic() {
	case connections:
		m.noticed(untimed(string(msg.Payload())))
		return
	case subscriptions:
		m.subscribed(untimed(string(msg.Payload())))
		return
	}
	rest, ok := strings.CutPrefix(msg.Topic(), "castor/")
	name, _, _ := strings.Cut(rest, "/")
	if ref := device.Ref(name); !ok || ref.Valid() != nil || len(msg.Payload()) > maxPayload {
		m.drop(msg)
	} else if v := m.visitor(ref); v != nil {
		hold := time.NewTimer(holdFor)
		defer hold.Stop()
		select {
		case v.queue <- msg:
		case <-hold.C: // not acknowledged: the broker brings it again after the next connection, a device that counts sends it again
			m.dropped.Add(1)
		}
	}
}

func (m *Bridge) drop(msg mqtt.Message) {
	m.dropped.Add(1)
	msg.Ack()
}

// visitor is the device's session here, made now if there is none.
func (m *Bridge) visitor(ref device.Ref) *visitor {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	v := m.devices[ref]
	if v == nil {
		v = &visitor{ref: ref, queue: make(chan mqtt.Message, queued), over: make(chan struct{}), done: make(chan struct{})}
		m.devices[ref] = v
		m.working.Go(func() { m.attend(v) })
	}
	return v
}

// gone ends the device's session here. What it said before still counts.
func (m *Bridge) gone(ref device.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.devices[ref]; v != nil {
		delete(m.devices, ref)
		close(v.over)
		time.AfterFunc(lingerFor, v.end)
	}
}

// noticed reads a line of mosquitto's log. A text that it does not know changes nothing: then sessions begin with a device's first
// message, and end with the next that is known.
func (m *Bridge) noticed(line string) {
	if rest, ok := strings.CutPrefix(line, "New client connected from "); ok {
		if _, rest, ok = strings.Cut(rest, " as "); ok {
			name, _, _ := strings.Cut(rest, " (")
			if ref := device.Ref(name); ref.Valid() == nil {
				m.gone(ref) // its session begins with the first that it may say or hear
			}
		}
		return
	}
	for _, begin := range []string{"Client ", "Socket error on client "} {
		rest, ok := strings.CutPrefix(line, begin)
		if !ok {
			continue
		}
		name, what, _ := strings.Cut(rest, " ")
		name = strings.TrimSuffix(name, ",")
		if ref := device.Ref(name); ref.Valid() == nil && !strings.Contains(what, "already connected") {
			m.gone(ref)
		}
		return
	}
}

// untimed is a line of the log without its time.
func untimed(line string) string {
	if when, after, ok := strings.Cut(line, ": "); ok && strings.Trim(when, "0123456789TZ:+-") == "" {
		return after
	}
	return line
}

// subscribed reads what mosquitto tells of a filter that it has taken: "dev-4f2a 1 castor/dev-4f2a/command/+".
func (m *Bridge) subscribed(line string) {
	words := strings.Split(line, " ")
	if len(words) != 3 || device.Ref(words[0]).Valid() != nil {
		return
	}
	rest, own := strings.CutPrefix(words[2], "castor/"+words[0]+"/")
	if !own {
		return
	}
	if v := m.visitor(device.Ref(words[0])); v != nil && rest == "command/+" {
		select {
		case v.queue <- nil:
		default: // so busy that its messages will tell
		}
	}
}

// attend brings what the device says to the link until it has gone.
func (m *Bridge) attend(v *visitor) {
	id, number := m.numbers.Next(m.config.Now())
	s := m.link.Open(id, v.ref, number, v.done)
	for msg, ok := v.next(); ok; msg, ok = v.next() {
		if msg == nil {
			s.Listen()
			continue
		}
		m.bring(s, v.ref, msg)
	}
	s.Close()
	v.end()
}

// next waits for what the device says, until it is over and the queue empty. What comes in even later is not acknowledged.
func (v *visitor) next() (mqtt.Message, bool) {
	select {
	case msg := <-v.queue:
		return msg, true
	case <-v.over:
	}
	select {
	case msg := <-v.queue:
		return msg, true
	default:
		return nil, false
	}
}

// end ends what the device's session still waits for.
func (v *visitor) end() { v.leave.Do(func() { close(v.done) }) }

// bring hands one message to the link, and acknowledges it to the broker when it is stored.
func (m *Bridge) bring(s *link.Session, ref device.Ref, msg mqtt.Message) {
	ack := func(stored bool) {
		if stored {
			msg.Ack()
		}
	}
	rest := strings.TrimPrefix(msg.Topic(), "castor/"+string(ref)+"/")
	switch {
	case rest == "provision/confirm":
		s.Confirm(ack)
	case rest == "credential/renew":
		s.Renew(msg.Payload(), func(a api.RenewAnswer) {
			if payload, err := json.Marshal(a); err == nil {
				m.publish(fmt.Sprintf("castor/%s/credential/renewed", ref), false, payload)
			}
		}, ack)
	case rest == "credential/confirm":
		var shown api.Shown
		if m.config.Shown != nil {
			shown = m.config.Shown(ref)
		}
		s.ConfirmCredential(shown, ack)
	default:
		kind, ok := kindOf(rest)
		if !ok {
			m.drop(msg)
			return
		}
		s.Publish(kind, msg.Topic(), msg.Payload(), m.config.Now().UTC().Truncate(time.Millisecond), ack)
	}
}

func kindOf(rest string) (telemetry.Kind, bool) {
	switch {
	case rest == "telemetry":
		return telemetry.Telemetry, true
	case rest == "state/reported":
		return telemetry.State, true
	case rest == "event":
		return telemetry.Event, true
	case strings.HasPrefix(rest, "log/"):
		return telemetry.Log, true
	case strings.HasPrefix(rest, "command/") && strings.HasSuffix(rest, "/response"):
		return telemetry.Response, true
	}
	return "", false
}
