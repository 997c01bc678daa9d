package link

import (
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
)

// Down is a command on its way to a device.
type Down struct {
	ID      string
	Payload []byte // a DeviceCommand as JSON; or bytes, if Encoded

	// Encoded tells that the device's driver has written Payload: bytes for that device alone, as it understands them.
	Encoded bool

	// Topic is where a device of other firmware than ours listens, Port is LoRaWAN's FPort; "" and 0 = the platform's own way. Both
	// are the driver's words: the protocol sees to it that they reach nobody else. What goes to a topic of the device's own counts as
	// done once it is handed over; all else is the device's to answer.
	Topic string
	Port  int

	// Until is when it is too late to hand over what is Encoded. Fail tells, after Command has returned, that it could not be handed over
	// after all, for protocols that do that beside: the command is answered as failed. It may be called at any time, once.
	Until time.Time
	Fail  func(reason string)

	// Owner is the group that the twin of what is Encoded belongs to, for protocols that share out what they have among owners; "" = nobody,
	// or not told.
	Owner string

	// Expires is when the command is over, for protocols that hand what is Encoded to somebody who keeps it until the device listens: what
	// is still kept then should not be sent any more. Zero = not told.
	Expires time.Time
}

// ErrNoWay is wrapped by a Protocol's Command where the device can never get it in this form: by a topic that is not the device's,
// or that the protocol has none of. The command is answered as failed.
var ErrNoWay = errors.New("there is no way to the device for this")

// Own is ErrNoWay for what is not to go the platform's own way; for protocols that have no other.
func (d Down) Own() error {
	if d.Topic != "" {
		return errTopic
	}
	return nil
}

var errTopic = noWay("the driver names a topic, and devices of this protocol have none of their own")

type noWay string

func (e noWay) Error() string { return string(e) }
func (noWay) Unwrap() error   { return ErrNoWay }

// Incoming is what a device sent, as its protocol has it.
type Incoming struct {
	Kind     telemetry.Kind
	Topic    string // where it came in
	Payload  []byte
	Received time.Time // when the gateway got it

	Port   int       // LoRaWAN FPort; 0 = none
	Time   time.Time // when it was measured, if somebody between could tell (a network server); zero = not told
	Format string    // package format's name, if the device told it (Content-Type); "" = as its type says

	// Object is what somebody between has made of the payload already, as a JSON object (a network server's decoder); it counts where
	// the type has neither driver nor format. nil = nothing.
	Object []byte
}
