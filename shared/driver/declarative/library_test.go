package declarative

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

func ship(t testing.TB, name string) *Program {
	t.Helper()
	document, ok := Document(name)
	if !ok {
		t.Fatalf("%s is not shipped; there are %v", name, Shipped())
	}
	return parse(t, string(document))
}

func TestShipped(t *testing.T) {
	if got := fmt.Sprint(Shipped()); got != "[cayenne-lpp shelly-gen2 tasmota zigbee2mqtt]" {
		t.Error(got)
	}
	for _, name := range Shipped() {
		ship(t, name)
		document, _ := Document(name)
		if err := Check(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := Document("../library"); ok {
		t.Error("a path is a name")
	}
}

// The examples of Cayenne's own documentation, and an element of a type that nobody knows.
func TestCayenneLPP(t *testing.T) {
	p := ship(t, "cayenne-lpp")
	for payload, want := range map[string]string{
		"03 67 01 10 05 67 00 ff":                `{"temperature_3":27.2,"temperature_5":25.5}`,
		"01 67 ff d7 06 71 04 d2 fb 2e 00 00":    `{"accelerometer_6.x":1.234,"accelerometer_6.y":-1.234,"accelerometer_6.z":0,"temperature_1":-4.1}`,
		"01 88 06 76 5f f2 96 0a 00 03 e8":       `{"gps_1.altitude":10,"gps_1.latitude":42.3519,"gps_1.longitude":-87.9094}`,
		"02 68 83 07 73 27 8d 09 8e 01":          `{"barometric_pressure_7":1012.5,"relative_humidity_2":65.5,"switch_9":true}`,
		"01 00 01 02 63 05":                      `{"digital_in_1":1} warning: the element at byte 3 is of type "99", which is not known; what follows it was left out`,
		"01 67 01":                               `error: uplink[0]: temperature_1: needs bytes 2 to 3, the message has 3 bytes`,
		"01 85 69 a4 2a 40 02 74 01 4a 02 66 01": `{"presence_2":1,"voltage_2":3.3} at "2026-03-01T12:00:00Z"`,
	} {
		got := told(run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: unhex(t, payload)}))
		if strings.ReplaceAll(got, "}at", "} at") != want {
			t.Errorf("%s:\ngot  %s\nwant %s", payload, got, want)
		}
	}
}

// Messages as the public documentation of each firmware shows them.
func TestDialectUplinks(t *testing.T) {
	for _, tt := range []struct{ dialect, topic, payload, want string }{
		{"tasmota", "tele/plug/SENSOR", `{"Time":"2022-01-11T21:57:38","ENERGY":{"TotalStartTime":"2020-10-21T22:15:00","Total":3.705,"Yesterday":0.028,"Today":0.026,"Period":1,"Power":5,"ApparentPower":5,"ReactivePower":0,"Factor":1.00,"Voltage":233,"Current":0.021}}`,
			`{"energy.apparentPower":5,"energy.current":0.021,"energy.factor":1,"energy.power":5,"energy.reactivePower":0,"energy.today":0.026,"energy.total":3.705,"energy.voltage":233,"energy.yesterday":0.028}`},
		{"tasmota", "tele/tasmota/SENSOR", `{"Time":"2017-02-16T10:13:52", "DS18B20":{"Temperature":20.6}}`, `{"DS18B20.temperature":20.6}`},
		{"tasmota", "tele/x/SENSOR", `{"Time":"2018-02-07T20:16:19","DHT11":{"Temperature":78.8,"Humidity":27.0},"SHT3X":{"Temperature":74.8,"Humidity":18.9},"Switch1":"ON","TempUnit":"F"}`,
			`{"DHT11.humidity":27,"DHT11.temperature":26,"SHT3X.humidity":18.9,"SHT3X.temperature":23.8,"switch1":true}`},
		{"tasmota", "stat/x/STATUS8", `{"StatusSNS":{"Time":"2018-02-10T22:46:34","BMP280":{"Temperature":80.9,"Pressure":984.4},"TempUnit":"F"}}`, `{"BMP280.pressure":984.4,"BMP280.temperature":27.2}`},
		{"tasmota", "tele/tasmota_9CF9D1/STATE", `{"Time":"2024-02-24T22:20:38","Uptime":"0T00:10:11","UptimeSec":611,"Heap":24,"SleepMode":"Dynamic","Sleep":50,"LoadAvg":19,"MqttCount":1,"POWER":"OFF","Wifi":{"AP":1,"SSId":"ESP-Network","BSSId":"E6:8D:8C:4B:BE:F7","Channel":3,"Mode":"11n","RSSI":44,"Signal":-78,"LinkCount":1,"Downtime":"0T00:00:05"}}`,
			`{"heap":24,"power":false,"uptime":611,"wifi.links":1,"wifi.quality":44,"wifi.signal":-78}`},
		{"tasmota", "stat/x/RESULT", `{"POWER2":"ON"}`, `{"power2":true}`},
		{"tasmota", "stat/x/POWER", `OFF`, `{"power":false}`},
		{"tasmota", "stat/x/POWER4", `ON`, `{"power4":true}`},
		{"tasmota", "tele/x/LWT", `Online`, `{"online":true}`},
		{"tasmota", "tele/x/LWT", `Offline`, `{"online":false}`},
		{"tasmota", "tele/x/INFO1", `{"Info1":{"Module":"Generic","Version":"13.4.0(tasmota)","FallbackTopic":"cmnd/DVES_9CF9D1_fb/","GroupTopic":"cmnd/tasmotas/"}}`, `{"firmware":"13.4.0(tasmota)"}`},
		{"tasmota", "tele/x/INFO1", `{"Module":"Sonoff Basic","Version":"8.5.1(tasmota)","FallbackTopic":"cmnd/DVES_9CF9D1_fb/","GroupTopic":"cmnd/tasmotas/"}`, `{"firmware":"8.5.1(tasmota)"}`},
		{"tasmota", "tele/x/INFO2", `{"Info2":{"WebServerMode":"Admin","Hostname":"tasmota-9CF9D1-6609","IPAddress":"192.168.1.10"}}`, ``},
		{"tasmota", "cmnd/x/POWER", `ON`, `error: no message of the document fits 2 bytes on port 0, topic "cmnd/x/POWER"`},
		{"shelly-gen2", "shellypro4pm-f008d1d8b8b8/events/rpc", `{"src":"shellypro4pm-f008d1d8b8b8","dst":"user_1","method":"NotifyStatus","params":{"ts":1631186545.04,"switch:0":{"id":0,"output":true,"source":"button"}}}`,
			`{"switch0.output":true} at "2021-09-09T11:22:25.04Z"`},
		{"shelly-gen2", "s/events/rpc", `{"method":"NotifyStatus","params":{"ts":1624348482.25,"cloud":{"connected":false}}}`, `{"cloud.connected":false} at "2021-06-22T07:54:42.25Z"`},
		{"shelly-gen2", "s/events/rpc", `{"src":"s","method":"NotifyEvent","params":{"ts":1631266595.44,"events":[{"component":"input:0","id":0,"event":"single_push","ts":1631266595.44}]}}`,
			`+{"component":"input:0","event":"single_push"} 2021-09-10T09:36:35Z`},
		{"shelly-gen2", "s/status/switch:1", `{"id":1,"source":"timer","output":false,"timer_started_at":1626942399.36,"timer_duration":60,"apower":0,"voltage":237.571,"current":0,"aenergy":{"total":14.093,"by_minute":[0,0,0],"minute_ts":1626942416},"temperature":{"tC":null,"tF":null}}`,
			`{"switch1.current":0,"switch1.energy":14.093,"switch1.output":false,"switch1.power":0,"switch1.voltage":237.571}`},
		{"shelly-gen2", "s/online", `true`, `{"online":true}`},
		{"shelly-gen2", "s/status/wifi", `{}`, ``},
		{"shelly-gen2", "s/castor/rpc", `{"id":1,"src":"s","dst":"s/castor","result":{"ble":{},"cloud":{"connected":false},"input:0":{"id":0,"state":false},"switch:0":{"id":0,"source":"init","output":false,"apower":0.0,"voltage":225.9,"aenergy":{"total":11.679},"temperature":{"tC":53.3,"tF":127.9}},"sys":{"mac":"A8032ABE54DC","uptime":11081},"wifi":{"sta_ip":"192.168.33.2","rssi":-49}}}`,
			`{"cloud.connected":false,"input0.state":false,"switch0.energy":11.679,"switch0.output":false,"switch0.power":0,"switch0.temperature":53.3,"switch0.voltage":225.9,"uptime":11081,"wifi.signal":-49}`},
		{"shelly-gen2", "s/castor/rpc", `{"id":1,"src":"s","dst":"s/castor","result":{"was_on":true}}`, ``},
		{"zigbee2mqtt", "zigbee2mqtt/kitchen/floor_light", `{"state":"ON","brightness":215,"color_temp":325,"color":{"x":0.123,"y":0.5},"update":null}`,
			`{"brightness":215,"color":{"x":0.123,"y":0.5},"color_temp":325,"state":"ON"}`},
		{"zigbee2mqtt", "zigbee2mqtt/sensor", `{"temperature":27.34,"humidity":44.72}`, `{"humidity":44.72,"temperature":27.34}`},
		{"zigbee2mqtt", "zigbee2mqtt/button", `{"action":""}`, `{}`},
		{"zigbee2mqtt", "zigbee2mqtt/kitchen/floor_light/availability", `{"state":"online"}`, `{"online":true}`},
		{"zigbee2mqtt", "zigbee2mqtt/bulb/availability", `offline`, `{"online":false}`},
		{"zigbee2mqtt", "zigbee2mqtt/bridge/state", `online`, ``},
		{"zigbee2mqtt", "zigbee2mqtt/bulb/set", `{"state":"ON"}`, ``},
	} {
		got := told(run(t, ship(t, tt.dialect), driver.Call{Op: driver.DecodeUplink, Bytes: []byte(tt.payload), Topic: tt.topic}))
		if strings.ReplaceAll(got, "}at", "} at") != tt.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", tt.topic, tt.payload, got, tt.want)
		}
	}
}

func TestDialectCommands(t *testing.T) {
	for _, tt := range []struct {
		dialect     string
		data        m
		topic, want string
	}{
		{"tasmota", m{"power": true}, "cmnd/x/POWER", "ON"},
		{"tasmota", m{"power": false, "n": 2.0}, "cmnd/x/POWER2", "OFF"},
		{"tasmota", m{"command": "power", "input": m{"on": true}}, "cmnd/x/POWER", "ON"},
		{"tasmota", m{"command": "power", "input": m{"on": false, "n": 2.0}}, "cmnd/x/POWER2", "OFF"},
		{"tasmota", m{"command": "power", "input": m{"on": "yes"}}, "", "error: on must be one of true, false"},
		{"tasmota", m{"command": "power", "input": m{"on": true, "device": "another"}}, "cmnd/x/POWER", "ON"},
		{"tasmota", m{"command": "dimmer", "input": m{"dimmer": 40.0}}, "cmnd/x/Dimmer", "40"},
		{"tasmota", m{"command": "toggle"}, "cmnd/x/POWER", "TOGGLE"},
		{"tasmota", m{"command": "refresh"}, "cmnd/x/STATUS", "10"},
		{"tasmota", m{"command": "interval", "input": m{"seconds": 60.0}}, "cmnd/x/TelePeriod", "60"},
		{"tasmota", m{"command": "interval", "input": 60.0}, "", "error: value does not fit: interval takes seconds"},
		{"tasmota", m{"dimmer": 40.0}, "cmnd/x/Dimmer", "40"},
		{"tasmota", m{"dimmer": 140.0}, "", "error: dimmer is 140, must be 0 to 100 in %"},
		{"shelly-gen2", m{"command": "switch", "input": m{"on": true}}, "x/rpc", `{"id":1,"method":"Switch.Set","params":{"id":0,"on":true},"src":"x/castor"}`},
		{"shelly-gen2", m{"command": "switch", "input": m{"on": false, "channel": 2.0, "seconds": 5.0}}, "x/rpc", `{"id":1,"method":"Switch.Set","params":{"id":2,"on":false,"toggle_after":5},"src":"x/castor"}`},
		{"shelly-gen2", m{"command": "switch", "input": m{}}, "", "error: on is missing: give true or false"},
		{"shelly-gen2", m{"command": "cover", "input": m{"position": 50.0}}, "x/rpc", `{"id":1,"method":"Cover.GoToPosition","params":{"id":0,"pos":50},"src":"x/castor"}`},
		{"zigbee2mqtt", m{"state": "ON", "brightness": 255.0, "color": m{"x": 0.123, "y": 0.123}}, "zigbee2mqtt/x/set", `{"brightness":255,"color":{"x":0.123,"y":0.123},"state":"ON"}`},
		{"shelly-gen2", m{"command": "light", "input": m{"brightness": 50.0}}, "x/rpc", `{"id":1,"method":"Light.Set","params":{"brightness":50,"id":0},"src":"x/castor"}`},
		{"zigbee2mqtt", m{"command": "set", "input": m{"state": "ON"}}, "zigbee2mqtt/x/set", `{"state":"ON"}`},
		{"zigbee2mqtt", m{"command": "get", "input": m{"state": ""}}, "zigbee2mqtt/x/get", `{"state":""}`},
	} {
		p := ship(t, tt.dialect)
		r := run(t, p, driver.Call{Op: driver.EncodeDownlink, Data: tt.data, Variables: m2{"device": "x"}})
		got := string(r.Bytes)
		if !r.OK() {
			got = told(r)
		}
		if got != tt.want || r.Topic != tt.topic {
			t.Errorf("%v: to %s\ngot  %s\nwant %s", tt.data, r.Topic, got, tt.want)
		}
		if !r.OK() {
			continue
		}
		back := run(t, p, driver.Call{Op: driver.DecodeDownlink, Bytes: r.Bytes, Topic: r.Topic})
		again := run(t, p, driver.Call{Op: driver.EncodeDownlink, Data: back.Data, Variables: m2{"device": "x"}})
		if string(again.Bytes) != string(r.Bytes) || again.Topic != r.Topic {
			t.Errorf("%v: read as %s, written again as %s to %s", tt.data, told(back), told(again), again.Topic)
		}
	}
	// A device that the document does not know stays for whoever sends the message.
	if r := run(t, ship(t, "tasmota"), driver.Call{Op: driver.EncodeDownlink, Data: m{"power": true}}); r.Topic != "cmnd/{device}/POWER" {
		t.Error(r.Topic)
	}
}

type m2 = map[string]string

func TestTopicsOfDialects(t *testing.T) {
	for name, want := range map[string]string{
		"tasmota":     "[tele/+/SENSOR tele/+/STATE stat/+/RESULT tele/+/LWT tele/+/INFO1 stat/+/POWER stat/+/+ stat/+/STATUS8 stat/+/STATUS10 tele/+/# stat/+/#]",
		"shelly-gen2": "[+/events/rpc +/status/+ +/online +/castor/rpc +/rpc +/debug/log]",
		"zigbee2mqtt": "[zigbee2mqtt/bridge/# zigbee2mqtt/#]",
	} {
		if got := fmt.Sprint(ship(t, name).Topics()); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for topic, want := range map[string]string{"zigbee2mqtt/kitchen/floor/availability": "kitchen/floor", "zigbee2mqtt/a": "a", "zigbee2mqtt": "", "other/a": ""} {
		if got, ok := ship(t, "zigbee2mqtt").Device(topic); got != want || ok != (want != "") {
			t.Errorf("%s: %s, %v", topic, got, ok)
		}
	}
}

// A model can be begun from a document.
func TestProperties(t *testing.T) {
	p := parse(t, `
castor: 1
uplink:
  - fields:
      - {name: t, type: i16, unit: Cel}
      - {name: _hidden, type: u8}
      - {name: "t{_hidden}", type: u8}
      - {name: open, type: bool}
      - {type: u7, bits: [{name: alarm, bit: 0}, {name: mode, bit: 1, type: u2, values: {0: eco, 1: full}}]}
      - {name: id, type: text, length: 2}
      - {type: u32, time: unix}
      - {repeat: rest, name: probes, fields: [{name: x, type: u8}]}
  - {format: json, fields: [{name: t, path: t}, {name: level, path: l, unit: cm}]}
  - {format: text, fields: [{name: words}]}
`)
	var got []string
	for _, prop := range p.Properties() {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", prop.Name, prop.Type, prop.Unit)))
	}
	if want := []string{"alarm boolean", "id string", "level number cm", "mode string", "open boolean", "t number Cel", "words string"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}
