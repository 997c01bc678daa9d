package broker

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A conn is a device's connection. The broker knows one deadline for both directions; here a silent device and one that
// does not read are told apart.
type conn struct {
	*gateway.Conn
	server  *mqtt.Server
	session *gateway.Session // once authenticated
	broker  *mqtt.Client
	receive int // how many unacknowledged messages the client takes; 0 = any number

	will    mqtt.Will // that the client left
	strange []string  // topics outside its own that it has spoken on, and that were logged

	frames  frames
	largest int  // bytes of a message
	large   bool // it has sent a larger one, and that was logged
	log     *slog.Logger

	mu      sync.Mutex
	acks    []byte // PUBACK packets to be written
	settled []func(bool)
	writing bool
}

// SetDeadline is the broker's, for the next packet: it is for reading.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// end closes the connection because the door has ended its session, and tells the device why where MQTT can.
func (c *conn) end(why error) {
	code := reason(why)
	if c.broker.Properties.ProtocolVersion == 5 {
		_ = c.server.DisconnectClient(c.broker, code)
	}
	c.broker.Stop(code)
}

func reason(why error) packets.Code {
	switch {
	case errors.Is(why, gateway.ErrReplaced):
		return packets.ErrSessionTakenOver
	case errors.Is(why, gateway.ErrDismissed):
		return packets.ErrNotAuthorized
	case errors.Is(why, gateway.ErrStopping):
		return packets.ErrServerShuttingDown
	case errors.Is(why, gateway.ErrGaveWay):
		return packets.ErrServerBusy
	}
	return packets.ErrUnspecifiedError
}

// acknowledge writes a PUBACK, together with those that come while another write is under way: handlers finish messages
// by the batch, and a slow peer must not hold up the handler. settle is called when it is written.
func (c *conn) acknowledge(packetID uint16, settle func(bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks = append(c.acks, packets.Puback<<4, 2, byte(packetID>>8), byte(packetID)) // also in MQTT 5, where it means success
	c.settled = append(c.settled, settle)
	if !c.writing {
		c.writing = true
		go c.writeAcks()
	}
}

func (c *conn) writeAcks() {
	for {
		c.mu.Lock()
		b, settled := c.acks, c.settled
		c.acks, c.settled = nil, nil
		if len(b) == 0 {
			c.writing = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		_, _ = c.Write(b) // which closes the connection if it fails
		for _, settle := range settled {
			settle(true)
		}
	}
}
