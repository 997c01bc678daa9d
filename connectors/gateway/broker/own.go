package broker

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/castor-iot/castor/connectors/gateway"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Devices whose firmware has topics of its own choose their filters without a thought of others: two bridges subscribe to the same
// ones. The broker under this one knows each such filter and topic with the device's reference before it, so that nothing meets but
// what is one device's. The devices see nothing of it.

// ownRoot is what begins the topics that are one device's, as the broker knows them.
const ownRoot = "own/"

// inner is a topic or filter of the session's device as the broker knows it; outer is it as the device does.
func inner(s *gateway.Session, topic string) string { return ownRoot + s.Client + "/" + topic }

func outer(s *gateway.Session, topic string) string {
	return strings.TrimPrefix(topic, ownRoot+s.Client+"/")
}

// own is the session of a device with topics of its own; nil of others.
func own(cl *mqtt.Client) *gateway.Session {
	if c, ok := cl.Net.Conn.(*conn); ok && c.session != nil && c.session.Topics != nil {
		return c.session
	}
	return nil
}

// mayReceiveOwn tells whether a filter, or the topic of a message on its way, is the device's.
func mayReceiveOwn(s *gateway.Session, topic string) bool {
	rest, ok := strings.CutPrefix(topic, inner(s, ""))
	return ok && s.Topics.Listens(rest)
}

// rename has the broker know the filters of a device as its own.
func rename(cl *mqtt.Client, filters packets.Subscriptions) {
	if s := own(cl); s != nil {
		for i := range filters {
			filters[i].Filter = inner(s, filters[i].Filter)
		}
	}
}

// OnUnsubscribe takes filters away by the names that they were taken by.
func (h *hook) OnUnsubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	rename(cl, pk.Filters)
	return pk
}

// OnPacketEncode gives a message the topic by which the device knows it.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Publish {
		if s := own(cl); s != nil {
			pk.TopicName = outer(s, pk.TopicName)
		}
	}
	return pk
}

// maxStrange bounds the topics outside its own that the log names of a session.
const maxStrange = 10

// its tells whether what a device says is on a topic of its own. What is not is dropped and acknowledged: such firmware announces itself to
// programs that are not there, and would come again and again if it were cut off for that. That it speaks where it listens, as Tasmota
// does to ask itself for its status, is no offence.
func (h *hook) its(c *conn, pk packets.Packet) bool {
	if _, ok := c.session.Topics.From(pk.TopicName); ok {
		return true
	}
	h.drop(c, pk)
	return false
}

// drop counts and acknowledges what is not heard.
func (h *hook) drop(c *conn, pk packets.Packet) {
	if _, ok := c.session.Topics.To(pk.TopicName); !ok {
		c.session.Refused()
		if name := short(pk.TopicName); len(c.strange) < maxStrange && !slices.Contains(c.strange, name) {
			c.strange = append(c.strange, name)
			h.b.log.Warn("device speaks outside the topics of its type's driver, that is dropped", "client", c.session.Client, "topic", name)
		}
	}
	if pk.FixedHeader.Qos > 0 {
		c.acknowledge(pk.PacketID, func(bool) {})
	}
}

// unheard drops what such a device says on topics that the broker leaves without an answer, like $SYS/…: the device would send it for ever.
// What is left of it for the broker is a message that needs none.
func (h *hook) unheard(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if own(cl) == nil || mqtt.IsValidFilter(pk.TopicName, true) || strings.ContainsAny(pk.TopicName, "+#") { // which is no topic at all
		return pk
	}
	h.drop(cl.Net.Conn.(*conn), pk)
	pk.FixedHeader.Qos, pk.FixedHeader.Dup, pk.PacketID = 0, false, 0
	return pk
}

// short is a topic as a log line has it.
func short(topic string) string { return strings.ToValidUTF8(topic[:min(len(topic), 100)], "") }

// will hands over the last word that a device left for when it dies. One whose session was ended, by the platform or by its own next
// one, has not died: nothing is received of it any more.
func (h *hook) will(c *conn) {
	w := c.will
	if c.session.Topics == nil || atomic.LoadUint32(&w.Flag) == 0 || len(w.Payload) > h.b.limits.PacketSize {
		return
	}
	if pk := (packets.Packet{TopicName: w.TopicName, Payload: w.Payload}); h.its(c, pk) {
		h.received(c, pk)
	}
}
