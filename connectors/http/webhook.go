package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A webhook brings what a LoRaWAN network server has to tell of its devices. The integration there is a device of its own, which speaks
// for those: a frame goes to the session of the device that it is of. Its requests may say where frames for the devices go.
type webhook struct {
	name string // of the topic under which parked frames are found
	read func([]byte) (format.Uplink, error)
	up   string // the event that brings frames, as the parameter event has it; "" = it has none

	downHeader string                        // has the address for downlinks
	pushPath   func(path, eui string) string // is where a device's go, of that address' path; "" = nowhere
	keyHeader  string                        // shows the key there
	write      func(format.Downlink) ([]byte, error)
	numbers    bool // it gives downlinks ids itself
	told       func(event string, body []byte) (format.DownlinkEvent, error)
}

var (
	theThingsStack = &webhook{name: "the-things-stack", read: format.TheThingsStack,
		downHeader: "X-Downlink-Push", pushPath: theThingsStackPush, keyHeader: "Authorization", write: format.TheThingsStackDownlink,
		told: func(_ string, body []byte) (format.DownlinkEvent, error) {
			return format.TheThingsStackDownlinkEvent(body)
		}}
	chirpStack = &webhook{name: "chirpstack", read: format.ChirpStack, up: "up",
		downHeader: "X-Downlink-Api", pushPath: chirpStackPush, keyHeader: "Grpc-Metadata-Authorization", write: format.ChirpStackQueue, numbers: true,
		told: format.ChirpStackDownlinkEvent}
)

// taken is the answer to a webhook: the network server has done its part.
type taken struct {
	Device  string `json:"device,omitempty"`  // its EUI
	Command string `json:"command,omitempty"` // that it tells the end of; one that has ended before, or that there is not, stays as it is

	// Ignored says why nothing was stored: it is another event, or a frame without a payload.
	Ignored string `json:"ignored,omitempty"`

	Parked int         `json:"parked,omitempty"` // of what this call has brought
	Reason link.Reason `json:"reason,omitempty"`
	Detail string      `json:"detail,omitempty"`
}

// webhook takes one event. A frame of a device that nobody has brought in is parked and answered by a success: a network server that hears
// of failures pauses the whole webhook, and with it the devices that are known.
func (v *visit) webhook(of *webhook) *problem {
	received := v.h.now()
	body, p := v.h.limits.body(v.w, v.r)
	if p != nil {
		return p
	}
	if v.event != "" && v.event != of.up {
		return v.told(of, body)
	}
	u, err := of.read(body)
	switch {
	case errors.Is(err, format.ErrOther):
		return v.told(of, body)
	case err != nil:
		return bad("body", err.Error(), "have the network server send its own JSON, with all fields")
	}
	in := link.Incoming{Kind: telemetry.Telemetry, Topic: "webhooks/" + of.name + "/" + u.EUI, Payload: u.Frame, Received: received, Port: u.Port, Time: plausible(u.Received, received)}
	if len(u.Object) > 0 {
		if in.Object, err = json.Marshal(u.Object); err != nil {
			in.Object = nil // the frame counts
		}
	}
	if len(u.Frame) == 0 && in.Object == nil {
		return v.ignore(u.EUI, "the frame has no payload")
	}
	return v.bring(of, u.EUI, in, taken{Device: u.EUI})
}

// bring hands what came to the device that it is of, and answers once it is stored.
func (v *visit) bring(of *webhook, eui string, in link.Incoming, out taken) *problem {
	r, p := v.device.behind.of(eui)
	if p != nil {
		return p
	}
	v.device.behind.lead(r, of.wayOf(v.r.Header, eui), v.h.private, v.h.now())
	var became link.Receipt
	if p := v.settle(r.serial, func(ack func(bool)) { v.relay(r, in, &became, ack) }); p != nil {
		return p
	}
	out.Parked, out.Reason, out.Detail = became.Parked, became.Reason, became.Detail
	reply(v.w, out)
	return nil
}

// relay hands a frame to its device's session, which begins with the first.
func (v *visit) relay(r *endDevice, in link.Incoming, became *link.Receipt, ack func(bool)) {
	s := v.openEnd(r)
	if s == nil {
		ack(false)
		return
	}
	s.ReportAs(in, func(receipt link.Receipt) {
		*became = receipt
		ack(receipt.Stored)
	})
}

func (v *visit) ignore(eui, why string) *problem {
	reply(v.w, taken{Device: eui, Ignored: why})
	return nil
}

// ahead is how far a network server's clock may be ahead of the gateway's before its word does not count.
const ahead = 10 * time.Minute

// plausible is when the network server had the frame, unless its clock cannot be right: the zero time = when it came here.
func plausible(at, received time.Time) time.Time {
	if at.After(received.Add(ahead)) || at.Before(time.Unix(0, 0)) {
		return time.Time{}
	}
	return at
}

// tooMany is the answer to an integration whose devices are all being heard at once.
func tooMany() *problem {
	return later(http.StatusServiceUnavailable, 5, fmt.Sprintf("frames of %d devices of this integration wait to be stored", maxEndDevices))
}
