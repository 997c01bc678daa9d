package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/device"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A hook is how the gateway sits in the broker.
type hook struct {
	mqtt.HookBase
	g *Gateway
}

// maxSubscriptions is how many filters one session may hold.
const maxSubscriptions = 32

func (h *hook) ID() string { return "castor" }

func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnDisconnect, mqtt.OnPacketRead,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnPublish, mqtt.OnPublishDropped, mqtt.OnQosDropped, mqtt.OnPacketIDExhausted:
		return true
	}
	return false
}

// OnConnect takes from a client what this gateway does not give.
func (h *hook) OnConnect(cl *mqtt.Client, _ packets.Packet) error {
	cl.Properties.Will = mqtt.Will{} // the broker would publish it to any topic; the gateway sees itself that a device is gone
	cl.Properties.Clean = true       // a session ends with its connection
	cl.Properties.Props.SessionExpiryInterval, cl.Properties.Props.SessionExpiryIntervalFlag = 0, false
	cl.Properties.Props.TopicAliasMaximum = 0
	longest := uint16(min(h.g.config.Limits.Keepalive/time.Second, 43_000))
	if k := cl.State.Keepalive; k == 0 || k > longest {
		cl.State.Keepalive, cl.State.ServerKeepalive = longest, true
	}
	return nil
}

func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	g, c := h.g, cl.Net.Conn.(*conn)
	s, err := g.authenticate(c, pk)
	if err == nil {
		s.broker, s.receive = cl, int(cl.Properties.Props.ReceiveMaximum)
		// The broker's own count of what a client may still take can lock itself up; mayReceive stands for it.
		cl.Properties.Props.ReceiveMaximum = 0
		cl.State.Inflight.ResetSendQuota(0)
		err = g.sessions.enter(s, g.config.Limits.Handshake, func(old *Session) bool { return old.Name == s.Name })
	}
	if err != nil {
		g.refuse(c.addr, pk.Connect.ClientIdentifier, err)
		return false
	}
	c.session = s
	c.known()
	g.begin(s)
	if a, ok := g.admitted.get(s.Name); !ok || a.Since != s.admission { // removed while the former session was ending
		s.cut(packets.ErrNotAuthorized)
	}
	return true
}

// authenticate finds the client's admission and compares what it shows.
func (g *Gateway) authenticate(c *conn, pk packets.Packet) (*Session, error) {
	s := &Session{
		Client: pk.Connect.ClientIdentifier, Since: g.now().UTC().Truncate(time.Millisecond), gateway: g, mark: newMark(), numbered: make(chan struct{}),
		window: make(chan struct{}, g.config.Limits.Window), done: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := device.Ref(s.Client).Valid(); err != nil {
		return nil, fmt.Errorf("client id: %w", err)
	}
	if g.config.Phase == Provisioning {
		s.Name = string(pk.Connect.Username)
		sum := sha256.Sum256(pk.Connect.Password)
		shown := []byte(hex.EncodeToString(sum[:]))
		a, ok := g.find(s.Name, func(a admission) bool {
			return slices.ContainsFunc(a.Verifiers, func(v string) bool { return subtle.ConstantTimeCompare([]byte(v), shown) == 1 })
		})
		if !ok {
			return nil, errors.New("no such claim, or another token")
		}
		s.admission = a.Since
		return s, g.current(a.Expires)
	}
	chain := c.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return nil, errors.New("no certificate")
	}
	if s.Name = chain[0].Subject.CommonName; s.Name != s.Client {
		return nil, fmt.Errorf("client id is not the certificate's name %.64q", s.Name)
	}
	sum := sha256.Sum256(chain[0].Raw)
	shown := hex.EncodeToString(sum[:])
	a, ok := g.find(s.Name, func(a admission) bool { return slices.Contains(a.Fingerprints, shown) })
	if !ok {
		return nil, errors.New("certificate is not admitted here")
	}
	s.expires, s.admission = chain[0].NotAfter, a.Since
	return s, g.current(a.Expires)
}

// find returns the client's admission if it fits what the client shows. One that is not known here, or is another, is looked
// for in the bucket: a client that was admitted a moment ago may be faster than the news of it, above all where another
// replica had them first.
func (g *Gateway) find(name string, fits func(admission) bool) (admission, bool) {
	if a, ok := g.admitted.get(name); ok && fits(a) {
		return a, true
	}
	g.lookUp(name)
	a, ok := g.admitted.get(name)
	return a, ok && fits(a)
}

func (g *Gateway) current(expires time.Time) error {
	if !expires.IsZero() && !g.now().Before(expires) {
		return errors.New("admission has expired")
	}
	return nil
}

// refuse counts and remembers a connection that did not authenticate.
func (g *Gateway) refuse(addr netip.Addr, client string, err error) {
	g.count.refusedClients.Add(1)
	g.guard.failed(addr)
	if g.guard.mayLog() {
		g.log.Warn("connection refused", "address", addr, "client", fmt.Sprintf("%.64q", client), "error", err)
	}
}

func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	s := cl.Net.Conn.(*conn).session
	h.g.log.Debug("client connected", "client", s.Client, "name", s.Name, "session", s.ID)
	h.g.config.Handler.Connected(s)
}

func (h *hook) OnDisconnect(cl *mqtt.Client, err error, _ bool) {
	s := cl.Net.Conn.(*conn).session
	s.cut(packets.CodeDisconnect)
	h.g.log.Debug("client disconnected", "client", s.Client, "session", s.ID, "error", err)
	h.g.config.Handler.Disconnected(s)
}

// OnACLCheck also decides on each delivery, so that no message to one device reaches another.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	phase := h.g.config.Phase
	ok := write && phase.mayPublish(cl.ID, topic) || !write && phase.mayReceive(cl.ID, topic)
	if !ok {
		h.g.count.refusedTopics.Add(1)
	}
	return ok
}

func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if cl.State.Subscriptions.Len()+len(pk.Filters) > maxSubscriptions {
		for i := range pk.Filters {
			pk.Filters[i].Filter = "" // which the broker refuses
		}
	}
	return pk
}

func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	s := cl.Net.Conn.(*conn).session
	for i, f := range pk.Filters {
		if i < len(codes) && codes[i] <= 2 {
			h.g.config.Handler.Subscribed(s, f.Filter)
		}
	}
}

// OnPacketRead ends connections that publish with QoS 2: the broker would answer them as if it were 1.
func (h *hook) OnPacketRead(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos > 1 {
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

// OnPublish hands a message over and keeps the broker from acknowledging it and from passing it on. It blocks while the
// session's window is full or the handler holds it back; the device then feels it by TCP.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	g, s := h.g, cl.Net.Conn.(*conn).session
	select {
	case <-s.done:
		return pk, packets.ErrRejectPacket
	default:
	}
	if g.closing.Load() {
		return pk, packets.ErrRejectPacket
	}
	select {
	case s.window <- struct{}{}:
	case <-s.done:
		return pk, packets.ErrRejectPacket
	}
	g.count.received.Add(1)
	id, qos := pk.PacketID, pk.FixedHeader.Qos
	var finished atomic.Bool
	g.config.Handler.Received(s, pk.TopicName, pk.Payload, g.now().UTC().Truncate(time.Millisecond), func(stored bool) {
		if finished.Swap(true) {
			return
		}
		if stored {
			g.count.acknowledged.Add(1)
			if qos > 0 {
				s.acknowledge(id)
			}
		}
		<-s.window
	})
	return pk, packets.ErrRejectPacket
}

func (h *hook) OnPublishDropped(*mqtt.Client, packets.Packet)    { h.g.count.dropped.Add(1) }
func (h *hook) OnQosDropped(*mqtt.Client, packets.Packet)        { h.g.count.dropped.Add(1) }
func (h *hook) OnPacketIDExhausted(*mqtt.Client, packets.Packet) { h.g.count.dropped.Add(1) }
