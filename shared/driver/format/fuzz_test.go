package format

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

// Whatever comes in, the answer is values that JSON can say or an error of ours.
func FuzzDecode(f *testing.F) {
	names := []Name{JSON, CBOR, SenMLJSON, SenMLCBOR, Compact, Plain}
	for _, e := range rfc8428 {
		f.Add(uint8(2), []byte(e.pack))
	}
	f.Add(uint8(1), []byte{0xa1, 0x61, 0x61, 0xf9, 0x3e, 0x00})
	f.Add(uint8(1), []byte{0xc4, 0x82, 0x21, 0x03})
	f.Add(uint8(3), []byte{0x81, 0xa2, 0x00, 0x61, 0x61, 0x02, 0x01})
	f.Add(uint8(4), []byte{0xa2, 0x00, 0x1a, 0x69, 0xa4, 0x2a, 0x40, 0x02, 0x01})
	f.Add(uint8(4), []byte{0x9f, 0xa1, 0x01, 0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0, 0xff})
	f.Add(uint8(2), []byte(`[{"bn":"a","bv":1.7e308,"v":1.7e308,"s":1}]`))
	f.Add(uint8(5), []byte("-21.5"))
	f.Add(uint8(0), []byte(`{"a":[{"b":1e308}]}`))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		r, err := Decode(names[int(which)%len(names)], b, Options{IDs: ids, Received: now})
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		for _, rec := range r.Records {
			if y := rec.Time.Year(); y < 1 || y > 9999 {
				t.Fatal(rec.Time)
			}
		}
	})
}

// An envelope that is taken has an EUI and a port that can be, and its radio figures are numbers.
func FuzzEnvelopes(f *testing.F) {
	f.Add([]byte(theThings))
	f.Add([]byte(chirpStack))
	f.Add([]byte(`{"name":"as.up.data.forward","data":{"uplink_message":{}}}`))
	f.Add([]byte(`{"end_device_ids":{},"correlation_ids":["a"],"downlink_failed":{"error":{"name":"b"}}}`))
	f.Add([]byte(`{"deviceInfo":{"devEui":"0101010101010101"},"queueItemId":"q","level":"ERROR","context":{"queue_item_id":"q"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, event := range []string{"", "ack", "txack", "log"} {
			e, err := ChirpStackDownlinkEvent(event, b)
			if event == "" {
				e, err = TheThingsStackDownlinkEvent(b)
			}
			if err == nil && (e.Fate == "" || e.EUI != "" && len(e.EUI) != 16 || len(e.Reason) > 1200) {
				t.Fatalf("%+v", e)
			}
		}
		for _, read := range []func([]byte) (Uplink, error){TheThingsStack, ChirpStack} {
			u, err := read(b)
			if err != nil {
				if !errors.Is(err, ErrInvalid) {
					t.Fatal(err)
				}
				continue
			}
			if eui, err := EUI(u.EUI); err != nil || eui != u.EUI || u.Port < 0 || u.Port > 255 || math.IsNaN(u.Radio.Frequency) || math.IsInf(u.Radio.Frequency, 0) {
				t.Fatalf("%+v", u)
			}
		}
	})
}
