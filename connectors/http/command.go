package http

import (
	"encoding/json"
	"fmt"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/telemetry"
)

// errNoDownlink is why a command does not reach a device behind a network server that has not said how.
var errNoDownlink = fmt.Errorf("%w: its network server has not said where downlinks go: give the webhook an API key for downlinks (The Things Stack), "+
	"or the headers X-Downlink-Api and X-Downlink-Apikey (ChirpStack)", link.ErrNoWay)

// command has a command handed to the device's network server, as a confirmed frame: what becomes of that is its answer.
func (h *Connector) command(to *endDevice, in link.Down) error {
	w := to.way.Load()
	switch {
	case w == nil:
		return errNoDownlink
	case w.fault != "":
		return fmt.Errorf("%w: %s", link.ErrNoWay, w.fault)
	case !in.Encoded:
		return fmt.Errorf("%w: a LoRaWAN device takes frames, and its type has no driver that writes them", link.ErrNoWay)
	}
	if err := in.Own(); err != nil {
		return err
	}
	body, err := w.of.write(format.Downlink{EUI: to.name, Port: in.Port, Frame: in.Payload, Confirmed: true, ID: downlinkID(to.name, in.ID), Expires: in.Expires})
	if err != nil {
		return fmt.Errorf("%w: what the driver has written cannot be sent: %w", link.ErrNoWay, err)
	}
	if !h.downlinks.add(to, push{way: w, via: to.via, command: in, body: body}) {
		return fmt.Errorf("%w: too many commands wait to be handed to its network server", link.ErrNoWay)
	}
	return nil
}

// told takes what the network server tells of a frame for a device: the end of a command is the device's answer to it.
func (v *visit) told(of *webhook, body []byte) *problem {
	e, err := of.told(v.event, body)
	if err != nil {
		return v.ignore("", "it is neither an uplink nor of a downlink; nothing else is taken")
	}
	eui, command := commandIn(&e)
	if of.numbers && len(e.IDs) > 0 {
		eui, command = e.EUI, v.h.downlinks.frames.of(string(v.device.link.Ref), e.IDs[0])
	}
	switch {
	case eui == "" || command == "":
		return v.ignore(e.EUI, "it is of no command that was sent from here")
	case e.Fate == format.UnderWay:
		return v.ignore(eui, e.Reason)
	}
	answer := map[string]string{"status": telemetry.Succeeded, "reason": "the device has acknowledged the frame"}
	if e.Fate == format.Dropped {
		answer["status"], answer["reason"] = telemetry.Failed, e.Reason
	}
	payload, err := json.Marshal(answer)
	if err != nil {
		return bad("body", "what it says cannot be kept", "have the network server send its own JSON")
	}
	return v.bring(of, eui, link.Incoming{Kind: telemetry.Response, Topic: "webhooks/" + of.name + "/" + eui + "/command/" + command + "/response", Payload: payload, Received: v.h.now()},
		taken{Device: eui, Command: command})
}
