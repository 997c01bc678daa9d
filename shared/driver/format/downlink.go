package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
)

// Fate is what became of a frame for a device.
type Fate string

// What a network server tells of a frame. The first two are the end of it.
const (
	Acknowledged Fate = "acknowledged" // the device has it
	Dropped      Fate = "dropped"      // the device has not acknowledged it, and it is not sent again; or it could not be sent
	UnderWay     Fate = "under way"    // it is in the queue, or was sent, or is sent again
)

// A DownlinkEvent is what a network server tells of a frame for a device.
type DownlinkEvent struct {
	EUI string // device EUI, 16 hexadecimal digits in lower case; "" = not told: The Things Stack leaves it out where a frame failed

	// IDs have what the frame was given as Downlink.ID among them (The Things Stack), or the id that ChirpStack has answered with.
	IDs []string

	Fate   Fate
	Reason string // in words; "" = not told
}

// errNoDownlink is of an event that is of no frame for a device.
var errNoDownlink = errors.New("it tells of no downlink")

type theThingsStackDown struct {
	Correlation maybe[[]string] `json:"correlation_ids"`
	Retry       maybe[struct {
		Attempt int `json:"attempt"`
		Most    int `json:"max_attempts"`
	}] `json:"confirmed_retry"`
}

// TheThingsStackDownlinkEvent reads what The Things Stack v3 tells of a frame for a device: downlink_ack, downlink_nack, downlink_failed,
// downlink_sent and downlink_queued. A frame that was not acknowledged is put into the queue again there, so that it is dropped only with the
// last attempt. The error says that it is none of these.
func TheThingsStackDownlinkEvent(b []byte) (e DownlinkEvent, err error) {
	var m struct {
		IDs         maybe[theThingsStackIDs] `json:"end_device_ids"`
		Correlation maybe[[]string]          `json:"correlation_ids"`

		Ack    *maybe[theThingsStackDown] `json:"downlink_ack"`
		Nack   *maybe[theThingsStackDown] `json:"downlink_nack"`
		Sent   *maybe[theThingsStackDown] `json:"downlink_sent"`
		Queued *maybe[theThingsStackDown] `json:"downlink_queued"`
		Failed *maybe[struct {
			Downlink maybe[theThingsStackDown] `json:"downlink"`
			Error    maybe[struct {
				Name    string `json:"name"`
				Message string `json:"message_format"`
			}] `json:"error"`
		}] `json:"downlink_failed"`
	}
	if len(b) > driver.MaxInput || json.Unmarshal(b, &m) != nil {
		return e, errNoDownlink
	}
	var of theThingsStackDown
	switch {
	case m.Ack != nil:
		of, e.Fate = m.Ack.v, Acknowledged
	case m.Nack != nil:
		of, e.Fate, e.Reason = m.Nack.v, UnderWay, "the device has not acknowledged it; the network server sends it again"
		if r := of.Retry.v; r.Most > 0 && r.Attempt >= r.Most {
			e.Fate, e.Reason = Dropped, fmt.Sprintf("the device has not acknowledged it in %d attempts", r.Attempt)
		}
	case m.Failed != nil:
		of, e.Fate, e.Reason = m.Failed.v.Downlink.v, Dropped, "the network server could not send it"
		for _, said := range []string{m.Failed.v.Error.v.Name, m.Failed.v.Error.v.Message} {
			if said != "" {
				e.Reason += ": " + cut(said)
			}
		}
	case m.Sent != nil:
		of, e.Fate, e.Reason = m.Sent.v, UnderWay, "it was sent"
	case m.Queued != nil:
		of, e.Fate, e.Reason = m.Queued.v, UnderWay, "it waits in the network server's queue"
	default:
		return e, errNoDownlink
	}
	e.EUI, _ = EUI(m.IDs.v.EUI.v)
	e.IDs = append(of.Correlation.v, m.Correlation.v...)
	return e, nil
}

// ChirpStackDownlinkEvent reads what ChirpStack v4 tells of a frame for a device, by the event's name: ack, txack, and log where an item of the
// queue was dropped. The error says that it is none of these.
func ChirpStackDownlinkEvent(event string, b []byte) (e DownlinkEvent, err error) {
	var m struct {
		Device  *chirpStackDevice        `json:"deviceInfo"`
		Item    maybe[string]            `json:"queueItemId"`
		Acked   maybe[bool]              `json:"acknowledged"`
		Code    maybe[string]            `json:"code"`
		Level   maybe[string]            `json:"level"`
		Said    maybe[string]            `json:"description"`
		Context maybe[map[string]string] `json:"context"`
	}
	if len(b) > driver.MaxInput || json.Unmarshal(b, &m) != nil || m.Device == nil {
		return e, errNoDownlink
	}
	item := m.Item.v
	switch event {
	case "ack":
		if e.Fate = Acknowledged; !m.Acked.v {
			e.Fate, e.Reason = Dropped, "the device has not acknowledged it in time"
		}
	case "txack":
		e.Fate, e.Reason = UnderWay, "it was sent"
	case "log":
		item = m.Context.v["queue_item_id"]
		if m.Level.v != "ERROR" && m.Code.v != "EXPIRED" {
			return e, errNoDownlink
		}
		e.Fate, e.Reason = Dropped, "the network server has dropped it: "+cut(strings.TrimSpace(m.Code.v+" "+m.Said.v))
	}
	if item == "" || e.Fate == "" {
		return e, errNoDownlink
	}
	e.EUI, _ = EUI(m.Device.EUI.v)
	e.IDs = []string{item}
	return e, nil
}

// cut bounds what others have said.
func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 500)], "")
}
