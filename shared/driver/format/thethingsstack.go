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
	IDs struct {
		Device      string `json:"device_id"`
		EUI         string `json:"dev_eui"`
		Application struct {
			ID string `json:"application_id"`
		} `json:"application_ids"`
	} `json:"end_device_ids"`
	Correlation []string  `json:"correlation_ids"`
	Received    time.Time `json:"received_at"`
	Uplink      *struct {
		Port      int            `json:"f_port"`
		Counter   uint32         `json:"f_cnt"`
		Frame     []byte         `json:"frm_payload"`
		Object    map[string]any `json:"decoded_payload"`
		Confirmed bool           `json:"confirmed"`
		Received  time.Time      `json:"received_at"`
		Metadata  []struct {
			Gateway struct {
				ID  string `json:"gateway_id"`
				EUI string `json:"eui"`
			} `json:"gateway_ids"`
			Time time.Time `json:"time"`
			RSSI float64   `json:"rssi"`
			SNR  float64   `json:"snr"`
		} `json:"rx_metadata"`
		Settings struct {
			Rate struct {
				LoRa *struct {
					Bandwidth float64 `json:"bandwidth"`
					Spreading int     `json:"spreading_factor"`
				} `json:"lora"`
				FSK *struct {
					BitRate float64 `json:"bit_rate"`
				} `json:"fsk"`
			} `json:"data_rate"`
			Frequency text `json:"frequency"`
		} `json:"settings"`
	} `json:"uplink_message"`

	// Data is set where the event of the console's stream is passed on: the uplink is within.
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// text is a number that JSON of protocol buffers writes as text.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		s = string(b)
	}
	*t = text(s)
	return nil
}

// TheThingsStack reads an uplink of The Things Stack v3: what its webhooks and its MQTT server send, or such an event of its stream. An error
// wraps ErrOther if the message is another one, ErrInvalid if it is none.
func TheThingsStack(b []byte) (u Uplink, err error) { return theThingsStack(b, 0) }

func theThingsStack(b []byte, depth int) (u Uplink, err error) {
	var m theThingsStackUp
	if len(b) > driver.MaxInput {
		return u, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(b), driver.MaxInput)
	}
	if err = json.Unmarshal(b, &m); err != nil {
		return u, fmt.Errorf("%w: must be an uplink of The Things Stack in JSON: %w", ErrInvalid, err)
	}
	if m.Uplink == nil {
		if len(m.Data) > 0 && depth == 0 {
			return theThingsStack(m.Data, 1)
		}
		return u, fmt.Errorf("%w: it has no uplink_message", ErrOther)
	}
	up := m.Uplink
	u = Uplink{EUI: m.IDs.EUI, Device: m.IDs.Device, Application: m.IDs.Application.ID,
		Port: up.Port, Frame: up.Frame, Counter: up.Counter, Confirmed: up.Confirmed, Object: up.Object, Received: up.Received}
	if len(m.Correlation) > 0 {
		u.ID = m.Correlation[0]
	}
	if u.Received.IsZero() {
		u.Received = m.Received
	}
	for _, g := range up.Metadata {
		id := g.Gateway.ID
		if id == "" {
			id = g.Gateway.EUI
		}
		u.Radio.Gateways = append(u.Radio.Gateways, Reception{Gateway: id, RSSI: g.RSSI, SNR: g.SNR, Time: g.Time})
	}
	rate := up.Settings.Rate
	switch {
	case rate.LoRa != nil:
		u.Radio.DataRate = lora(rate.LoRa.Spreading, rate.LoRa.Bandwidth)
	case rate.FSK != nil:
		u.Radio.DataRate = fmt.Sprintf("FSK%g", rate.FSK.BitRate/1000)
	}
	u.Radio.Frequency, _ = strconv.ParseFloat(string(up.Settings.Frequency), 64)
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
	}
	return json.Marshal(map[string]any{"downlinks": []downlink{{d.Port, d.Frame, d.Confirmed, "NORMAL"}}})
}
