package format

import (
	"fmt"
	"strings"
	"testing"
)

// The events as the network servers document them.
const heard = `"end_device_ids":{"device_id":"dev1","application_ids":{"application_id":"app1"},"dev_eui":"0004A30B001C0530"},"correlation_ids":["as:downlink:01","ours"]`

func TestDownlinkEvents(t *testing.T) {
	things := func(b string) (DownlinkEvent, error) { return TheThingsStackDownlinkEvent([]byte(b)) }
	chirp := func(event, b string) func(string) (DownlinkEvent, error) {
		return func(string) (DownlinkEvent, error) { return ChirpStackDownlinkEvent(event, []byte(b)) }
	}
	device := `"deviceInfo":{"devEui":"0101010101010101","applicationId":"a"}`
	for name, tt := range map[string]struct {
		read func(string) (DownlinkEvent, error)
		b    string
		want string
	}{
		"ack":            {things, `{` + heard + `,"downlink_ack":{"f_port":15,"f_cnt":1,"frm_payload":"vu8=","confirmed":true,"correlation_ids":["as:downlink:01"]}}`, "0004a30b001c0530 acknowledged [as:downlink:01 as:downlink:01 ours] "},
		"nack, more":     {things, `{` + heard + `,"downlink_nack":{"confirmed_retry":{"attempt":1,"max_attempts":8}}}`, "0004a30b001c0530 under way [as:downlink:01 ours] the device has not acknowledged it; the network server sends it again"},
		"nack, the last": {things, `{` + heard + `,"downlink_nack":{"confirmed_retry":{"attempt":8,"max_attempts":8}}}`, "0004a30b001c0530 dropped [as:downlink:01 ours] the device has not acknowledged it in 8 attempts"},
		"failed, no EUI": {things, `{"end_device_ids":{"device_id":"dev1"},"downlink_failed":{"downlink":{"correlation_ids":["ours"]},"error":{"namespace":"pkg/networkserver","name":"application_downlink_too_long","message_format":"application downlink payload is too long","code":3}}}`,
			" dropped [ours] the network server could not send it: application_downlink_too_long: application downlink payload is too long"},
		"failed, odd": {things, `{` + heard + `,"downlink_failed":{"downlink":[],"error":7}}`, "0004a30b001c0530 dropped [as:downlink:01 ours] the network server could not send it"},
		"sent":        {things, `{` + heard + `,"downlink_sent":{}}`, "0004a30b001c0530 under way [as:downlink:01 ours] it was sent"},
		"queued":      {things, `{` + heard + `,"downlink_queued":{}}`, "0004a30b001c0530 under way [as:downlink:01 ours] it waits in the network server's queue"},
		"a join":      {things, `{` + heard + `,"join_accept":{}}`, "it tells of no downlink"},
		"no object":   {things, `[]`, "it tells of no downlink"},
		"ack of ChirpStack": {chirp("ack", `{"deduplicationId":"b1","time":"2022-07-18T09:34:15.775Z",`+device+`,"queueItemId":"q-1","acknowledged":true,"fCntDown":4}`), "",
			"0101010101010101 acknowledged [q-1] "},
		"not acknowledged": {chirp("ack", `{`+device+`,"queueItemId":"q-1"}`), "", "0101010101010101 dropped [q-1] the device has not acknowledged it in time"},
		"txack":            {chirp("txack", `{`+device+`,"queueItemId":"q-1","downlinkId":3}`), "", "0101010101010101 under way [q-1] it was sent"},
		"too large": {chirp("log", `{`+device+`,"level":"ERROR","code":"DOWNLINK_PAYLOAD_SIZE","description":"discarded","context":{"queue_item_id":"q-1","item_size":"200"}}`), "",
			"0101010101010101 dropped [q-1] the network server has dropped it: DOWNLINK_PAYLOAD_SIZE discarded"},
		"out of date": {chirp("log", `{`+device+`,"level":"INFO","code":"EXPIRED","description":"discarded","context":{"queue_item_id":"q-1"}}`), "",
			"0101010101010101 dropped [q-1] the network server has dropped it: EXPIRED discarded"},
		"another log": {chirp("log", `{`+device+`,"level":"ERROR","code":"UPLINK_MIC"}`), "", "it tells of no downlink"},
		"a status":    {chirp("status", `{`+device+`,"margin":8}`), "", "it tells of no downlink"},
		"no device":   {chirp("ack", `{"queueItemId":"q-1"}`), "", "it tells of no downlink"},
	} {
		e, err := tt.read(tt.b)
		got := fmt.Sprintf("%s %s %v %s", e.EUI, e.Fate, e.IDs, e.Reason)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
	}
}

// What goes beside a frame may be of any type: the frame counts.
func TestEnvelopesWithOddFields(t *testing.T) {
	odd := strings.NewReplacer(`{"temperature": 1.0, "luminosity": 0.64}`, `"none"`, `"f_cnt": 1`, `"f_cnt": -1`, `"f_port": 15`, `"f_port": "15", "new_field": [1]`, `"2020-02-12T15:15:45.7871Z"`, `17`,
		`"rssi": -120`, `"rssi": "low"`, `"867300000"`, `{}`, `"confirmed": true`, `"confirmed": "yes"`, `"bandwidth": 125000`, `"bandwidth": "wide"`, `"device_id": "dev1"`, `"device_id": 1`, `"as:up:01E0WZGT6Y7657CPFPE5WEYDSQ", "gs:conn:01"`, `1`).Replace(theThings)
	u, err := TheThingsStack([]byte(odd))
	if err != nil || u.EUI != "0004a30b001c0530" || u.Port != 15 || fmt.Sprintf("%x", u.Frame) != "8241de" || u.Object != nil || u.Received.Format("15:04:05.000") != "15:15:45.787" || len(u.Radio.Gateways) != 2 || u.Radio.Gateways[0].SNR != -2.2 {
		t.Errorf("%+v, %v", u, err)
	}
	odd = strings.NewReplacer(`{"on": true}`, `[1]`, `"fPort": 1`, `"fPort": "1"`, `"dr": 1`, `"dr": {}, "fCnt": 1.5, "confirmed": 1`, `"rssi": -36`, `"rssi": null`, `867100000`, `"high"`, `"2022-07-18T09:34:15.775023242+00:00"`, `"yesterday"`).Replace(chirpStack)
	if u, err = ChirpStack([]byte(odd)); err != nil || u.EUI != "0101010101010101" || u.Port != 1 || fmt.Sprintf("%x", u.Frame) != "aa" || u.Object != nil || !u.Received.IsZero() || len(u.Radio.Gateways) != 1 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err = TheThingsStack([]byte(`{"end_device_ids":{"dev_eui":"0004A30B001C0530"},"uplink_message":{"f_port":{},"frm_payload":"gkHe"}}`)); err == nil || !strings.Contains(err.Error(), "a port must be a whole number") {
		t.Error(err)
	}
}
