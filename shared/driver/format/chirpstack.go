package format

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// chirpStackUp is the event up of ChirpStack v4 in the JSON of its protocol buffers. What is zero may be left out there.
type chirpStackUp struct {
	ID        maybe[string]         `json:"deduplicationId"`
	Time      maybe[time.Time]      `json:"time"`
	Device    *chirpStackDevice     `json:"deviceInfo"`
	Counter   maybe[uint32]         `json:"fCnt"`
	Port      digits                `json:"fPort"`
	Confirmed maybe[bool]           `json:"confirmed"`
	Frame     []byte                `json:"data"`
	Object    maybe[map[string]any] `json:"object"`
	Receivers maybe[[]maybe[struct {
		Gateway maybe[string]    `json:"gatewayId"`
		RSSI    maybe[float64]   `json:"rssi"`
		SNR     maybe[float64]   `json:"snr"`
		Time    maybe[time.Time] `json:"gwTime"`
	}]] `json:"rxInfo"`
	Sent *maybe[struct {
		Frequency  maybe[float64] `json:"frequency"`
		Modulation maybe[struct {
			LoRa *struct {
				Bandwidth float64 `json:"bandwidth"`
				Spreading int     `json:"spreadingFactor"`
			} `json:"lora"`
			FSK *struct {
				Rate float64 `json:"datarate"`
			} `json:"fsk"`
		}] `json:"modulation"`
	}] `json:"txInfo"`
}

type chirpStackDevice struct {
	EUI         maybe[string] `json:"devEui"`
	Name        maybe[string] `json:"deviceName"`
	Application maybe[string] `json:"applicationId"`
}

// ChirpStack reads the event up of ChirpStack v4, as its HTTP and MQTT integrations send it in JSON. An error wraps ErrOther if it
// is another event, ErrInvalid if it is none. What is of another type than it should be counts as not told, as long as the device, the port
// and the frame can be read.
func ChirpStack(b []byte) (u Uplink, err error) {
	var m chirpStackUp
	if len(b) > driver.MaxInput {
		return u, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(b), driver.MaxInput)
	}
	if err = json.Unmarshal(b, &m); err != nil {
		return u, fmt.Errorf("%w: must be an event of ChirpStack in JSON: %w", ErrInvalid, misread(err))
	}
	switch {
	case m.Device == nil:
		return u, fmt.Errorf("%w: must be an event of ChirpStack with deviceInfo", ErrInvalid)
	case m.Sent == nil:
		return u, fmt.Errorf("%w: it has no txInfo of an uplink", ErrOther)
	case m.Receivers.v == nil:
		return u, fmt.Errorf("%w: it has no rxInfo", ErrOther)
	}
	u = Uplink{EUI: m.Device.EUI.v, Device: m.Device.Name.v, Application: m.Device.Application.v, ID: m.ID.v,
		Port: int(m.Port), Frame: m.Frame, Counter: m.Counter.v, Confirmed: m.Confirmed.v, Object: m.Object.v, Received: m.Time.v}
	for _, g := range m.Receivers.v {
		u.Radio.Gateways = append(u.Radio.Gateways, Reception{Gateway: g.v.Gateway.v, RSSI: g.v.RSSI.v, SNR: g.v.SNR.v, Time: g.v.Time.v})
	}
	u.Radio.Frequency = m.Sent.v.Frequency.v
	switch mod := m.Sent.v.Modulation.v; {
	case mod.LoRa != nil:
		u.Radio.DataRate = lora(mod.LoRa.Spreading, mod.LoRa.Bandwidth)
	case mod.FSK != nil:
		u.Radio.DataRate = fmt.Sprintf("FSK%g", mod.FSK.Rate/1000)
	}
	return u, u.finish()
}

// chirpStackItem is a downlink in ChirpStack's queue.
type chirpStackItem struct {
	EUI       string `json:"devEui"`
	Confirmed bool   `json:"confirmed"`
	Port      int    `json:"fPort"`
	Frame     []byte `json:"data"`

	Expires time.Time `json:"expiresAt,omitzero"`
}

func itemOf(d *Downlink) chirpStackItem {
	eui, _ := EUI(d.EUI)
	return chirpStackItem{eui, d.Confirmed, d.Port, d.Frame, d.Expires.UTC()}
}

// ChirpStackCommand is the message that queues a downlink by MQTT, and the topic it is published to.
func ChirpStackCommand(application string, d Downlink) (topic string, message []byte, err error) {
	if err = d.check(); err != nil {
		return "", nil, err
	}
	if application == "" || strings.Trim(strings.ToLower(application), "0123456789abcdefghijklmnopqrstuvwxyz-") != "" {
		return "", nil, fmt.Errorf("the application %.40q must be ChirpStack's id of it: letters, digits and -", application)
	}
	item := itemOf(&d)
	message, err = json.Marshal(item)
	return "application/" + application + "/device/" + item.EUI + "/command/down", message, err
}

// ChirpStackQueue is the body that queues a downlink by ChirpStack's REST API: POST /api/devices/{devEui}/queue.
func ChirpStackQueue(d Downlink) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"queueItem": itemOf(&d)})
}
