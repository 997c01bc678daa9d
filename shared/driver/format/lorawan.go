package format

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// An Uplink is a frame of a LoRaWAN device as its network server passed it on.
type Uplink struct {
	EUI         string // device EUI, 16 hexadecimal digits in lower case
	Device      string // what the network server calls the device; "" = the EUI only
	Application string // its application there
	ID          string // of the reception: the same frame told again has it again; "" = not told

	Port      int    // FPort, 1 to 223; 0 = the frame had no payload of the application
	Frame     []byte // FRMPayload, decrypted
	Counter   uint32 // FCnt of the uplink; a device that joins anew begins at 0
	Confirmed bool

	Received time.Time // when the network server had it
	Radio    Radio

	// Object is what a decoder at the network server made of the frame; nil = there is none.
	Object map[string]any
}

// Radio is how a frame came in.
type Radio struct {
	DataRate  string  // "SF7BW125", "FSK50"; "" = not told
	Frequency float64 // Hz; 0 = not told
	Gateways  []Reception
}

// A Reception is a frame as one gateway heard it.
type Reception struct {
	Gateway string    // its id, or its EUI
	RSSI    float64   // dBm
	SNR     float64   // dB
	Time    time.Time // by the gateway's clock; zero = it has none
}

// Best is the reception with the best signal-to-noise ratio; false if no gateway is named.
func (r *Radio) Best() (best Reception, ok bool) {
	for i, g := range r.Gateways {
		if i == 0 || g.SNR > best.SNR || g.SNR == best.SNR && g.RSSI > best.RSSI {
			best, ok = g, true
		}
	}
	return best, ok
}

// A Downlink is a frame for a LoRaWAN device.
type Downlink struct {
	EUI       string // device EUI
	Port      int    // 1 to 223
	Frame     []byte // at most 242 bytes, fewer where the data rate is low
	Confirmed bool

	// ID comes back with what The Things Stack tells of the frame; ChirpStack gives one itself. At most 100 bytes; "" = none.
	ID string

	// Expires is when it is not to be sent any more if it still waits in the queue; zero = never. ChirpStack drops it then, from 4.10.1 on
	// (by MQTT 4.14), older ones pass over it. The Things Stack has nothing like it for class A: absolute_time would keep the frame, and
	// those behind it, from being sent at all.
	Expires time.Time
}

// Bounds of LoRaWAN (TS001-1.0.4, 4.3.2 and 4.3.3; RP002).
const (
	maxPort     = 223
	maxFrame    = 242
	maxID       = 100 // bytes of the id that a downlink is given
	maxGateways = 100 // receptions that are kept of a frame
)

// ErrOther is wrapped by the error for an event that is well formed but no uplink: a join, an acknowledgement, a status.
var ErrOther = fmt.Errorf("%w: it is no uplink", ErrInvalid)

func (d *Downlink) check() error {
	if _, err := EUI(d.EUI); err != nil {
		return err
	}
	switch {
	case d.Port < 1 || d.Port > maxPort:
		return fmt.Errorf("port %d: must be 1 to %d", d.Port, maxPort)
	case len(d.Frame) > maxFrame:
		return fmt.Errorf("the frame has %d bytes, LoRaWAN carries at most %d", len(d.Frame), maxFrame)
	case len(d.ID) > maxID:
		return fmt.Errorf("the id has %d bytes, at most %d are taken", len(d.ID), maxID)
	}
	return nil
}

// EUI brings an EUI-64 into its one form: 16 hexadecimal digits in lower case. "-" and ":" between are left out.
func EUI(s string) (string, error) {
	eui := strings.ToLower(strings.NewReplacer("-", "", ":", "").Replace(s))
	if len(eui) != 16 || strings.Trim(eui, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%w: the EUI %.40q must be 16 hexadecimal digits", ErrInvalid, s)
	}
	return eui, nil
}

// finish checks what all envelopes have.
func (u *Uplink) finish() error {
	eui, err := EUI(u.EUI)
	if err != nil {
		return err
	}
	u.EUI = eui
	switch {
	case u.Port < 0 || u.Port > 255:
		return fmt.Errorf("%w: port %d: must be 0 to 255", ErrInvalid, u.Port)
	case len(u.Frame) > driver.MaxInput:
		return fmt.Errorf("%w: the frame has %d bytes", ErrInvalid, len(u.Frame))
	}
	for _, id := range []*string{&u.Device, &u.Application, &u.ID} {
		if len(*id) > 256 {
			*id = ""
		}
	}
	if f := u.Radio.Frequency; math.IsNaN(f) || f < 0 || f > 1e12 {
		u.Radio.Frequency = 0
	}
	u.Radio.Gateways = u.Radio.Gateways[:min(len(u.Radio.Gateways), maxGateways)]
	u.Received = u.Received.UTC()
	return nil
}

// lora is a data rate as people write it.
func lora(spreading int, bandwidth float64) string {
	if spreading == 0 {
		return ""
	}
	return fmt.Sprintf("SF%dBW%g", spreading, bandwidth/1000)
}
