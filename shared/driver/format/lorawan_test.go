package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// theThings is an uplink as The Things Stack documents it (integrations, data formats).
const theThings = `{
  "end_device_ids": {"device_id": "dev1", "application_ids": {"application_id": "app1"}, "dev_eui": "0004A30B001C0530", "join_eui": "800000000000000C", "dev_addr": "00BCB929"},
  "correlation_ids": ["as:up:01E0WZGT6Y7657CPFPE5WEYDSQ", "gs:conn:01"],
  "received_at": "2020-02-12T15:15:45.787Z",
  "uplink_message": {
    "session_key_id": "AXBSH1Pk6Z0G166...", "f_cnt": 1, "f_port": 15, "frm_payload": "gkHe",
    "decoded_payload": {"temperature": 1.0, "luminosity": 0.64},
    "rx_metadata": [
      {"gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"}, "time": "2020-02-12T15:15:45.787Z", "timestamp": 2463457000, "rssi": -120, "channel_rssi": -120, "snr": -2.2, "uplink_token": "ChIKEA=="},
      {"gateway_ids": {"eui": "9C5C8E00001A05C5"}, "rssi": -35, "channel_rssi": -35, "snr": 5.2}],
    "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7, "coding_rate": "4/6"}}, "frequency": "867300000", "timestamp": 2463457000},
    "received_at": "2020-02-12T15:15:45.7871Z", "confirmed": true, "consumed_airtime": "1.056768s"}}`

// chirpStack is the event up as ChirpStack v4 documents it, with a decoded object.
const chirpStack = `{
  "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d", "time": "2022-07-18T09:34:15.775023242+00:00",
  "deviceInfo": {"tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "tenantName": "ChirpStack", "applicationId": "17c82e96-be03-4f38-aef3-f83d48582d97",
    "applicationName": "Test application", "deviceProfileId": "14855bf7-d10d-4aee-b618-ebfcb64dc7ad", "deviceName": "Test device", "devEui": "0101010101010101", "tags": {"key": "value"}},
  "devAddr": "00189440", "dr": 1, "fPort": 1, "data": "qg==", "object": {"on": true},
  "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -36, "snr": 10.5, "context": "E3OWOQ==", "metadata": {"region_name": "eu868"}}],
  "txInfo": {"frequency": 867100000, "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 11, "codeRate": "CR_4_5"}}}}`

func TestEnvelopes(t *testing.T) {
	u, err := TheThingsStack([]byte(theThings))
	if got := fmt.Sprintf("%s %s %s %s %d %x %d %v %s %s %g %v", u.EUI, u.Device, u.Application, u.ID, u.Port, u.Frame, u.Counter, u.Confirmed,
		u.Received.Format(time.RFC3339Nano), u.Radio.DataRate, u.Radio.Frequency, u.Object); err != nil ||
		got != "0004a30b001c0530 dev1 app1 as:up:01E0WZGT6Y7657CPFPE5WEYDSQ 15 8241de 1 true 2020-02-12T15:15:45.7871Z SF7BW125 8.673e+08 map[luminosity:0.64 temperature:1]" {
		t.Error(got, err)
	}
	if best, ok := u.Radio.Best(); !ok || best.Gateway != "9C5C8E00001A05C5" || best.RSSI != -35 || best.SNR != 5.2 || u.Radio.Gateways[0].Gateway != "gtw1" {
		t.Errorf("%+v", u.Radio)
	}
	event, err := TheThingsStack([]byte(`{"name": "as.up.data.forward", "data": ` + theThings + `}`))
	if err != nil || event.EUI != u.EUI || !bytes.Equal(event.Frame, u.Frame) {
		t.Errorf("%+v, %v", event, err)
	}

	u, err = ChirpStack([]byte(chirpStack))
	if got := fmt.Sprintf("%s %s %s %s %d %x %d %v %s %s %g %v %v", u.EUI, u.Device, u.Application, u.ID, u.Port, u.Frame, u.Counter, u.Confirmed,
		u.Received.Format(time.RFC3339Nano), u.Radio.DataRate, u.Radio.Frequency, u.Object, u.Radio.Gateways); err != nil ||
		got != "0101010101010101 Test device 17c82e96-be03-4f38-aef3-f83d48582d97 3ac7e3c4-4401-4b8d-9386-a5c902f9202d 1 aa 0 false "+
			"2022-07-18T09:34:15.775023242Z SF11BW125 8.671e+08 map[on:true] [{0016c001f153a14c -36 10.5 0001-01-01 00:00:00 +0000 UTC}]" {
		t.Error(got, err)
	}
}

func TestEnvelopesThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		read  func([]byte) (Uplink, error)
		b     string
		other bool
	}{
		"a join of The Things Stack":     {TheThingsStack, `{"end_device_ids":{"dev_eui":"0004A30B001C0530"},"join_accept":{}}`, true},
		"an event within an event":       {TheThingsStack, `{"data":{"data":` + theThings + `}}`, true},
		"an EUI that is none":            {TheThingsStack, `{"end_device_ids":{"dev_eui":"0004A30B001C05"},"uplink_message":{}}`, false},
		"a frame that is no base64":      {TheThingsStack, `{"end_device_ids":{"dev_eui":"0004A30B001C0530"},"uplink_message":{"frm_payload":"*"}}`, false},
		"a port that is none":            {TheThingsStack, `{"end_device_ids":{"dev_eui":"0004A30B001C0530"},"uplink_message":{"f_port":300}}`, false},
		"no json":                        {TheThingsStack, `x`, false},
		"a join of ChirpStack":           {ChirpStack, `{"deviceInfo":{"devEui":"0101010101010101"},"devAddr":"00189440"}`, true},
		"a transmission of a downlink":   {ChirpStack, `{"deviceInfo":{"devEui":"0101010101010101"},"txInfo":{"frequency":867900000}}`, true},
		"nothing of ChirpStack":          {ChirpStack, `{}`, false},
		"ChirpStack of The Things Stack": {ChirpStack, theThings, false},
		"no object":                      {ChirpStack, `[]`, false},
	} {
		u, err := tt.read([]byte(tt.b))
		if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrOther) != tt.other {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

// A downlink of ours is read by what their documentation says it must have.
func TestDownlinkEnvelopes(t *testing.T) {
	d := Downlink{EUI: "01-02-03-04-05-06-07-0A", Port: 15, Frame: []byte{0xbe, 0xef}, Confirmed: true}
	b, err := TheThingsStackDownlink(d)
	if string(b) != `{"downlinks":[{"f_port":15,"frm_payload":"vu8=","confirmed":true,"priority":"NORMAL"}]}` {
		t.Error(string(b), err)
	}
	named := d
	named.ID = "castor:1"
	if b, err = TheThingsStackDownlink(named); !strings.HasSuffix(string(b), `"priority":"NORMAL","correlation_ids":["castor:1"]}]}`) {
		t.Error(string(b), err)
	}
	topic, b, err := ChirpStackCommand("17c82e96-be03-4f38-aef3-f83d48582d97", d)
	if topic != "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/010203040506070a/command/down" ||
		string(b) != `{"devEui":"010203040506070a","confirmed":true,"fPort":15,"data":"vu8="}` {
		t.Error(topic, string(b), err)
	}
	b, err = ChirpStackQueue(d)
	var queue struct{ QueueItem json.RawMessage }
	if err != nil || json.Unmarshal(b, &queue) != nil || !strings.HasPrefix(string(queue.QueueItem), `{"devEui"`) {
		t.Error(string(b), err)
	}
	d.Expires = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600))
	if b, err = ChirpStackQueue(d); string(b) != `{"queueItem":{"devEui":"010203040506070a","confirmed":true,"fPort":15,"data":"vu8=","expiresAt":"2026-03-01T12:00:00Z"}}` {
		t.Error(string(b), err)
	}
	if b, err = TheThingsStackDownlink(d); strings.Contains(string(b), "2026") {
		t.Error(string(b), err)
	}
	for name, bad := range map[string]Downlink{
		"no EUI":           {Port: 1},
		"port 0":           {EUI: d.EUI},
		"port 224":         {EUI: d.EUI, Port: 224},
		"a frame too long": {EUI: d.EUI, Port: 1, Frame: make([]byte, 243)},
		"an id too long":   {EUI: d.EUI, Port: 1, ID: strings.Repeat("x", 101)},
	} {
		if _, err := TheThingsStackDownlink(bad); err == nil {
			t.Error(name)
		}
		if _, err := ChirpStackQueue(bad); err == nil {
			t.Error(name)
		}
	}
	for _, application := range []string{"", "a/b", "+", "#", "ä"} {
		if _, _, err := ChirpStackCommand(application, d); err == nil {
			t.Errorf("application %q became part of a topic", application)
		}
	}
}

// What is no event of a network server is told from an event that is no uplink, in the words of who has sent it.
func TestWhatIsNoEventOfANetworkServer(t *testing.T) {
	for body, want := range map[string]string{
		`{"x":1}`:                    "must be an event of The Things Stack with end_device_ids",
		`"x"`:                        "it must be an object, not string",
		`[]`:                         "it must be an object, not array",
		`{"uplink_message":"x"}`:     "uplink_message cannot be string",
		`{"end_device_ids":{}}`:      "it has no uplink_message",
		`{"downlink_ack":{}}`:        "it has no uplink_message",
		`{"uplink_message":{}}`:      "EUI",
		`{"data":{"x":1}}`:           "it has no uplink_message",
		`{"uplink_message":{"f_port`: "unexpected end of JSON input",
	} {
		_, err := TheThingsStack([]byte(body))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), want) || strings.Contains(fmt.Sprint(err), "Go ") ||
			errors.Is(err, ErrOther) != (want == "it has no uplink_message") {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	if _, err := ChirpStack([]byte(`"x"`)); !strings.Contains(fmt.Sprint(err), "it must be an object, not string") {
		t.Error(err)
	}
}
