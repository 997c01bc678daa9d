package format

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// theThingsStackUp is the uplink of The Things Stack v3, by webhook or MQTT. Empty fields are left out there.
type theThingsStackUp struct {
	IDs         *maybe[theThingsStackIDs] `json:"end_device_ids"`
	Correlation maybe[[]string]           `json:"correlation_ids"`
	Received    maybe[time.Time]          `json:"received_at"`
	Uplink      *struct {
		Port      digits                `json:"f_port"`
		Counter   maybe[uint32]         `json:"f_cnt"`
		Frame     []byte                `json:"frm_payload"`
		Object    maybe[map[string]any] `json:"decoded_payload"`
		Confirmed maybe[bool]           `json:"confirmed"`
		Received  maybe[time.Time]      `json:"received_at"`
		Metadata  maybe[[]maybe[struct {
			Gateway maybe[struct {
				ID  string `json:"gateway_id"`
				EUI string `json:"eui"`
			}] `json:"gateway_ids"`
			Time maybe[time.Time] `json:"time"`
			RSSI maybe[float64]   `json:"rssi"`
			SNR  maybe[float64]   `json:"snr"`
		}]] `json:"rx_metadata"`
		Settings maybe[struct {
			Rate maybe[struct {
				LoRa *struct {
					Bandwidth float64 `json:"bandwidth"`
					Spreading int     `json:"spreading_factor"`
				} `json:"lora"`
				FSK *struct {
					BitRate float64 `json:"bit_rate"`
				} `json:"fsk"`
			}] `json:"data_rate"`
			Frequency text `json:"frequency"`
		}] `json:"settings"`
	} `json:"uplink_message"`

	// Data is set where the event of the console's stream is passed on: the uplink is within.
	Data json.RawMessage `json:"data"`
}

type theThingsStackIDs struct {
	Device      maybe[string] `json:"device_id"`
	EUI         maybe[string] `json:"dev_eui"`
	Application maybe[struct {
		ID string `json:"application_id"`
	}] `json:"application_ids"`
}

// TheThingsStack reads an uplink of The Things Stack v3: what its webhooks and its MQTT server send, or such an event of its stream. An error
// wraps ErrOther if the message is another one, ErrInvalid if it is none. What is of another type than it should be counts as not told, as long
// as the device, the port and the frame can be read.
func TheThingsStack(b []byte) (u Uplink, err error) { return theThingsStack(b, 0) }

func theThingsStack(b []byte, depth int) (u Uplink, err error) {
	var m theThingsStackUp
	if len(b) > driver.MaxInput {
		return u, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(b), driver.MaxInput)
	}
	if err = json.Unmarshal(b, &m); err != nil {
		return u, fmt.Errorf("%w: must be an uplink of The Things Stack in JSON: %w", ErrInvalid, misread(err))
	}
	if m.Uplink == nil {
		if len(m.Data) > 0 && depth == 0 {
			return theThingsStack(m.Data, 1)
		}
		if _, down := TheThingsStackDownlinkEvent(b); m.IDs == nil && depth == 0 && down != nil {
			return u, fmt.Errorf("%w: must be an event of The Things Stack with end_device_ids", ErrInvalid)
		}
		return u, fmt.Errorf("%w: it has no uplink_message", ErrOther)
	}
	if m.IDs == nil {
		m.IDs = new(maybe[theThingsStackIDs])
	}
	up, ids := m.Uplink, &m.IDs.v
	u = Uplink{EUI: ids.EUI.v, Device: ids.Device.v, Application: ids.Application.v.ID,
		Port: int(up.Port), Frame: up.Frame, Counter: up.Counter.v, Confirmed: up.Confirmed.v, Object: up.Object.v, Received: up.Received.v}
	if len(m.Correlation.v) > 0 {
		u.ID = m.Correlation.v[0]
	}
	if u.Received.IsZero() {
		u.Received = m.Received.v
	}
	for _, g := range up.Metadata.v {
		id := g.v.Gateway.v.ID
		if id == "" {
			id = g.v.Gateway.v.EUI
		}
		u.Radio.Gateways = append(u.Radio.Gateways, Reception{Gateway: id, RSSI: g.v.RSSI.v, SNR: g.v.SNR.v, Time: g.v.Time.v})
	}
	rate := up.Settings.v.Rate.v
	switch {
	case rate.LoRa != nil:
		u.Radio.DataRate = lora(rate.LoRa.Spreading, rate.LoRa.Bandwidth)
	case rate.FSK != nil:
		u.Radio.DataRate = fmt.Sprintf("FSK%g", rate.FSK.BitRate/1000)
	}
	u.Radio.Frequency, _ = strconv.ParseFloat(string(up.Settings.v.Frequency), 64)
	return u, u.finish()
}

// TheThingsStackDownlink is the body that pushes a downlink to a device's queue at The Things Stack: by HTTP to
// …/webhooks/{webhook}/devices/{device}/down/push, by MQTT to v3/{application}@{tenant}/devices/{device}/down/push.
func TheThingsStackDownlink(d Downlink) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	type downlink struct {
		Port      int    `json:"f_port"`
		Frame     []byte `json:"frm_payload"`
		Confirmed bool   `json:"confirmed,omitempty"`
		Priority  string `json:"priority"`

		Correlation []string `json:"correlation_ids,omitempty"`
	}
	one := downlink{d.Port, d.Frame, d.Confirmed, "NORMAL", nil}
	if d.ID != "" {
		one.Correlation = []string{d.ID}
	}
	return json.Marshal(map[string]any{"downlinks": []downlink{one}})
}
