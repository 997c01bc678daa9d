package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/trace"
	"github.com/nats-io/nats.go"
)

// sendTimeout is how long Send waits for a connector when its context has no deadline.
const sendTimeout = 5 * time.Second

// A Downlink is a message to a device, for the connectors of its gateway. It lives no longer than its way there: what
// must reach a sleeping device is kept by who sends it, until the device answers.
type Downlink struct {
	Gateway string `json:"gateway"`

	// Device is the device's reference, or the client id of a device that is being provisioned.
	Device string `json:"device"`

	// Claim is what a device that is being provisioned must have been let in by: claims may choose the same client id. "" asks
	// for none.
	Claim string `json:"claim,omitempty"`

	Topic   string `json:"topic"`
	Payload []byte `json:"payload"`

	// Retain asks the gateway to keep the message for the device's next session, where its protocol can.
	Retain bool `json:"retain,omitempty"`

	// ID names the message in logs and for devices that dedupe; may be empty.
	ID string `json:"id,omitempty"`

	// Trace is that of the call that sends the message. Send sets it where it is empty.
	Trace string `json:"trace,omitempty"`

	// Twin and Commands, in place of Device, Topic and Payload, tell that commands of those ids wait for the twin's device:
	// the connector that holds its session asks function twin-command for them.
	Twin     string   `json:"twin,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// Send hands d to every connector that serves its gateway and returns when the first has taken it. That does not mean
// that the device has it.
//
// Errors: ErrNoListener when no connector serves the gateway, ErrInvalid, ErrTooLarge, ErrUnavailable, or the context's.
func (b *Bus) Send(ctx context.Context, d Downlink) error {
	if err := checkName("gateway", d.Gateway); err != nil {
		return fmt.Errorf("send downlink: %w", err)
	}
	if d.Trace == "" {
		d.Trace = trace.Of(ctx)
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("send downlink: %w: %w", ErrInvalid, err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, sendTimeout)
		defer cancel()
	}
	_, err = b.conn.RequestWithContext(ctx, downlinkSubject+d.Gateway, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("send downlink to gateway %s: %w", d.Gateway, ErrNoListener)
	}
	if err != nil {
		return fmt.Errorf("send downlink to gateway %s: %w", d.Gateway, b.cause(err))
	}
	return nil
}

// Downlinks calls each with the downlinks of a gateway, one after the other, until stop is called. Every listener of a
// gateway gets every downlink; one that does not hold the device's session ignores it.
func (b *Bus) Downlinks(gateway string, each func(Downlink)) (stop func(), err error) {
	if err := checkName("gateway", gateway); err != nil {
		return nil, fmt.Errorf("downlinks: %w", err)
	}
	sub, err := b.conn.Subscribe(downlinkSubject+gateway, func(m *nats.Msg) {
		var d Downlink
		if err := json.Unmarshal(m.Data, &d); err != nil {
			b.log.Warn("bus downlink not readable", "gateway", gateway, "error", err)
			return
		}
		each(d)
		if err := m.Respond(nil); err != nil {
			b.log.Warn("bus downlink not answered", "gateway", gateway, "error", err)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("downlinks of gateway %s: %w", gateway, b.cause(err))
	}
	if err := b.conn.Flush(); err != nil {
		_ = sub.Unsubscribe()
		return nil, fmt.Errorf("downlinks of gateway %s: %w", gateway, b.cause(err))
	}
	return func() { _ = sub.Unsubscribe() }, nil
}
