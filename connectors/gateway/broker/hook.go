package broker

import (
	"context"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A hook is how the gateway sits in the broker.
type hook struct {
	mqtt.HookBase
	b *Broker
}

// maxSubscriptions is how many filters one session may hold.
const maxSubscriptions = 32

func (h *hook) ID() string { return "castor" }

func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnDisconnect, mqtt.OnPacketRead,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribe, mqtt.OnPacketEncode, mqtt.OnPublish, mqtt.OnPublishDropped, mqtt.OnQosDropped, mqtt.OnPacketIDExhausted:
		return true
	}
	return false
}

// OnConnect takes from a client what this gateway does not give.
func (h *hook) OnConnect(cl *mqtt.Client, _ packets.Packet) error {
	cl.Net.Conn.(*conn).will = cl.Properties.Will
	cl.Properties.Will = mqtt.Will{} // the broker would publish it to any topic; the gateway sees itself that a device is gone
	cl.Properties.Clean = true       // a session ends with its connection
	cl.Properties.Props.SessionExpiryInterval, cl.Properties.Props.SessionExpiryIntervalFlag = 0, false
	cl.Properties.Props.TopicAliasMaximum = 0
	longest := uint16(min(h.b.limits.Keepalive/time.Second, 43_000))
	if k := cl.State.Keepalive; k == 0 || k > longest {
		cl.State.Keepalive, cl.State.ServerKeepalive = longest, true
	}
	return nil
}

func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	c := cl.Net.Conn.(*conn)
	c.server, c.broker, c.receive = h.b.server, cl, int(cl.Properties.Props.ReceiveMaximum)
	// The broker's own count of what a client may still take can lock itself up; mayTake stands for it.
	cl.Properties.Props.ReceiveMaximum = 0
	cl.State.Inflight.ResetSendQuota(0)
	shown := c.Shown()
	shown.Client, shown.User, shown.Secret = pk.Connect.ClientIdentifier, string(pk.Connect.Username), string(pk.Connect.Password)
	if shown.Client == "" {
		shown.Client = "?" // the broker has made one up; the platform's topics need the client's own, and the door refuses this
	}
	s, err := h.b.door.Enter(context.Background(), shown, c.end)
	if err != nil {
		return false
	}
	s.Attach(c)
	c.session = s
	cl.ID = s.Client // where the device may call itself anything
	return true
}

func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	s := cl.Net.Conn.(*conn).session
	h.b.log.Debug("client connected", "client", s.Client, "name", s.Name, "session", s.ID)
	h.b.handler.Connected(s)
}

func (h *hook) OnDisconnect(cl *mqtt.Client, err error, _ bool) {
	c := cl.Net.Conn.(*conn)
	s := c.session
	if err != nil {
		h.will(c)
	}
	s.End()
	h.b.log.Debug("client disconnected", "client", s.Client, "session", s.ID, "error", err)
	h.b.handler.Disconnected(s)
}

// OnACLCheck also decides on each delivery, so that no message to one device reaches another.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	c, ok := cl.Net.Conn.(*conn)
	if s := own(cl); s != nil {
		if write || mayReceiveOwn(s, topic) {
			return true // what it says is looked at in OnPublish
		}
	} else if !write && mayReceive(h.b.phase, cl.ID, topic) {
		return true
	}
	if !ok || write && mayPublish(h.b.phase, cl.ID, topic, c.session.Anonymous()) {
		return ok
	}
	c.session.Refused()
	return false
}

func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if cl.State.Subscriptions.Len()+len(pk.Filters) > maxSubscriptions {
		for i := range pk.Filters {
			pk.Filters[i].Filter = "" // which the broker refuses
		}
		return pk
	}
	rename(cl, pk.Filters)
	return pk
}

func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	s := cl.Net.Conn.(*conn).session
	for i, f := range pk.Filters {
		if i < len(codes) && codes[i] <= 2 {
			h.b.handler.Subscribed(s, outer(s, f.Filter))
		}
	}
}

// OnPacketRead ends connections that publish with QoS 2: the broker would answer them as if it were 1.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type != packets.Publish {
		return pk, nil
	}
	if pk.FixedHeader.Qos > 1 {
		return pk, packets.ErrRejectPacket
	}
	return h.unheard(cl, pk), nil
}

// OnPublish hands a message over and keeps the broker from acknowledging it and from passing it on. It blocks while the
// session's window is full or the handler holds it back; the device then feels it by TCP.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	c := cl.Net.Conn.(*conn)
	if c.session.Topics != nil && !h.its(c, pk) {
		return pk, packets.ErrRejectPacket
	}
	if c.session.Anonymous() && c.session.Knock() != nil {
		return pk, packets.ErrRejectPacket // unheard: it may knock again, later
	}
	h.received(c, pk)
	return pk, packets.ErrRejectPacket
}

// received hands a message over.
func (h *hook) received(c *conn, pk packets.Packet) {
	settle, ok := c.session.Take(context.Background())
	if !ok {
		return
	}
	id, qos := pk.PacketID, pk.FixedHeader.Qos
	var finished atomic.Bool
	h.b.handler.Received(c.session, pk.TopicName, pk.Payload, h.b.now().UTC().Truncate(time.Millisecond), func(stored bool) {
		switch {
		case finished.Swap(true):
		case stored && qos > 0:
			c.acknowledge(id, settle)
		default:
			settle(stored)
		}
	})
}

func (h *hook) OnPublishDropped(cl *mqtt.Client, _ packets.Packet)    { dropped(cl) }
func (h *hook) OnQosDropped(cl *mqtt.Client, _ packets.Packet)        { dropped(cl) }
func (h *hook) OnPacketIDExhausted(cl *mqtt.Client, _ packets.Packet) { dropped(cl) }

func dropped(cl *mqtt.Client) {
	if c, ok := cl.Net.Conn.(*conn); ok && c.session != nil {
		c.session.Dropped()
	}
}
