package linktest

import (
	"encoding/json"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A Dialect is firmware that nobody changes, with what its public documentation has it say and hear.
type Dialect struct {
	Driver string // name of a document that is shipped
	Client string // what it calls itself
	Name   string // of the device in its topics
	Bridge bool   // it speaks for the device, and for others; the device itself has no connection

	Subscribes []string // filters that it is granted
	Refused    []string // filters that it asks for in vain
	Will       Saying
	Says       []Saying // in its order, once it is connected
	Strange    []Saying // what it says that is none of the platform's business
	Foreign    Saying   // what it would say as another device
	Hears      []Hearing
}

// A Saying is a message of a device, and the values that it is.
type Saying struct {
	Topic, Payload string
	QoS            byte
	Retain         bool
	Values         map[string]any // nil = there is nothing in it for the twin
	Of             string         // of a bridge: "" = the device's, else that of another by that name
}

// A Hearing is a command, and how it comes to the device.
type Hearing struct {
	Command, Input string
	Topic, Payload string
}

// Dialects are those that come with the platform.
var Dialects = []Dialect{
	{
		// tasmota.github.io/docs/MQTT
		Driver: "tasmota", Client: "DVES_9CF9D1", Name: "tasmota_9CF9D1",
		Subscribes: []string{"cmnd/tasmota_9CF9D1/#"},
		Refused:    []string{"cmnd/tasmotas/#", "cmnd/DVES_9CF9D1_fb/#"},
		Will:       Saying{Topic: "tele/tasmota_9CF9D1/LWT", Payload: "Offline", QoS: 1, Retain: true, Values: values{"online": false}},
		Says: []Saying{
			{Topic: "tele/tasmota_9CF9D1/LWT", Payload: "Online", Retain: true, Values: values{"online": true}},
			{Topic: "tele/tasmota_9CF9D1/INFO1", Payload: `{"Info1":{"Module":"Generic","Version":"14.1.0(tasmota)","FallbackTopic":"cmnd/DVES_9CF9D1_fb/","GroupTopic":"cmnd/tasmotas/"}}`,
				Values: values{"firmware": "14.1.0(tasmota)"}},
			{Topic: "stat/tasmota_9CF9D1/RESULT", Payload: `{"POWER":"OFF"}`, Values: values{"power": false}},
			{Topic: "stat/tasmota_9CF9D1/POWER", Payload: "OFF", Values: values{"power": false}},
			{Topic: "tele/tasmota_9CF9D1/STATE", Payload: `{"Time":"2024-02-24T22:20:38","Uptime":"0T00:10:11","UptimeSec":611,"Heap":24,"SleepMode":"Dynamic","Sleep":50,"LoadAvg":19,"MqttCount":1,"POWER":"OFF","Wifi":{"AP":1,"SSId":"ESP-Network","BSSId":"E6:8D:8C:4B:BE:F7","Channel":3,"Mode":"11n","RSSI":44,"Signal":-78,"LinkCount":1,"Downtime":"0T00:00:05"}}`,
				Values: values{"heap": 24.0, "power": false, "uptime": 611.0, "wifi.links": 1.0, "wifi.quality": 44.0, "wifi.signal": -78.0}},
			{Topic: "tele/tasmota_9CF9D1/SENSOR", Payload: `{"Time":"2022-01-11T21:57:38","ENERGY":{"TotalStartTime":"2020-10-21T22:15:00","Total":3.705,"Yesterday":0.028,"Today":0.026,"Period":1,"Power":5,"ApparentPower":5,"ReactivePower":0,"Factor":1.00,"Voltage":233,"Current":0.021}}`,
				Values: values{"energy.total": 3.705, "energy.yesterday": 0.028, "energy.today": 0.026, "energy.power": 5.0, "energy.apparentPower": 5.0, "energy.reactivePower": 0.0, "energy.factor": 1.0, "energy.voltage": 233.0, "energy.current": 0.021}},
		},
		Strange: []Saying{
			{Topic: "cmnd/tasmota_9CF9D1/POWER", Retain: true}, // it takes back a command that somebody had retained
			{Topic: "tasmota/discovery/E8DB849CF9D1/config", Payload: `{"ip":"192.168.1.10","dn":"Tasmota","t":"tasmota_9CF9D1"}`, Retain: true},
		},
		Foreign: Saying{Topic: "tele/tasmota_000000/SENSOR", Payload: `{"ENERGY":{"Power":1000}}`, QoS: 1},
		Hears: []Hearing{
			{"power", `{"on":true}`, "cmnd/tasmota_9CF9D1/POWER", "ON"},
			{"power", `{"on":false,"n":2}`, "cmnd/tasmota_9CF9D1/POWER2", "OFF"},
			{"interval", `{"seconds":60}`, "cmnd/tasmota_9CF9D1/TelePeriod", "60"},
		},
	},
	{
		// shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt
		Driver: "shelly-gen2", Client: "shellyplus1pm-a8032abe54dc", Name: "shellyplus1pm-a8032abe54dc",
		Subscribes: []string{"shellyplus1pm-a8032abe54dc/rpc"},
		Refused:    []string{"shellyplus1pm-a8032abe54dc/command", "shellies/command"},
		Will:       Saying{Topic: "shellyplus1pm-a8032abe54dc/online", Payload: "false", Retain: true, Values: values{"online": false}},
		Says: []Saying{
			{Topic: "shellyplus1pm-a8032abe54dc/online", Payload: "true", QoS: 1, Retain: true, Values: values{"online": true}},
			{Topic: "shellyplus1pm-a8032abe54dc/events/rpc", Payload: `{"src":"shellyplus1pm-a8032abe54dc","dst":"shellyplus1pm-a8032abe54dc/events","method":"NotifyStatus","params":{"ts":1631186545.04,"switch:0":{"id":0,"output":true,"source":"button"}}}`,
				QoS: 1, Values: values{"switch0.output": true}},
			{Topic: "shellyplus1pm-a8032abe54dc/status/switch:0", Payload: `{"id":0,"source":"timer","output":false,"timer_started_at":1626942399.36,"timer_duration":60,"apower":8.9,"voltage":237.5,"current":0.064,"aenergy":{"total":6.532,"by_minute":[45.199,47.141,88.397],"minute_ts":1626935779},"temperature":{"tC":23.5,"tF":73.4}}`,
				QoS: 1, Retain: true, Values: values{"switch0.output": false, "switch0.power": 8.9, "switch0.voltage": 237.5, "switch0.current": 0.064, "switch0.energy": 6.532, "switch0.temperature": 23.5}},
			{Topic: "shellyplus1pm-a8032abe54dc/status/wifi", Payload: `{"sta_ip":"192.168.33.2","status":"got ip","ssid":"Net","rssi":-49}`, QoS: 1},
			{Topic: "shellyplus1pm-a8032abe54dc/castor/rpc", Payload: `{"id":1,"src":"shellyplus1pm-a8032abe54dc","dst":"shellyplus1pm-a8032abe54dc/castor","result":{"was_on":true}}`, QoS: 1},
		},
		Strange: []Saying{{Topic: "castor/rpc", Payload: `{"id":1,"result":{}}`, QoS: 1}},
		Foreign: Saying{Topic: "shellyplus1pm-000000000000/events/rpc", Payload: `{"method":"NotifyStatus","params":{"ts":1,"switch:0":{"id":0,"output":true}}}`, QoS: 1},
		Hears: []Hearing{
			{"switch", `{"on":true}`, "shellyplus1pm-a8032abe54dc/rpc", `{"id":1,"method":"Switch.Set","params":{"id":0,"on":true},"src":"shellyplus1pm-a8032abe54dc/castor"}`},
			{"refresh", ``, "shellyplus1pm-a8032abe54dc/rpc", `{"id":1,"method":"Shelly.GetStatus","src":"shellyplus1pm-a8032abe54dc/castor"}`},
		},
	},
	{
		// zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
		Driver: "zigbee2mqtt", Client: "mqttjs_8b4f2a1c", Name: "kitchen/floor_light", Bridge: true,
		Subscribes: []string{"zigbee2mqtt/#"},
		Refused:    []string{"homeassistant/status"},
		Will:       Saying{Topic: "zigbee2mqtt/bridge/state", Payload: `{"state":"offline"}`, QoS: 1, Retain: true},
		Says: []Saying{
			{Topic: "zigbee2mqtt/bridge/state", Payload: `{"state":"online"}`, QoS: 1, Retain: true},
			{Topic: "zigbee2mqtt/bridge/devices", Payload: `[{"ieee_address":"0x00158d00018255df","type":"Router","friendly_name":"kitchen/floor_light","definition":{"model":"LED1624G9","vendor":"IKEA"}}]`, Retain: true},
			{Topic: "zigbee2mqtt/kitchen/floor_light/availability", Payload: `{"state":"online"}`, QoS: 1, Retain: true, Values: values{"online": true}},
			{Topic: "zigbee2mqtt/kitchen/floor_light", Payload: `{"state":"ON","brightness":215,"color_temp":325,"linkquality":94,"update":null}`,
				Values: values{"state": "ON", "brightness": 215.0, "color_temp": 325.0, "linkquality": 94.0}},
			{Topic: "zigbee2mqtt/sensor", Payload: `{"temperature":27.34,"humidity":44.72}`, QoS: 1, Values: values{"temperature": 27.34, "humidity": 44.72}, Of: "sensor"},
			{Topic: "zigbee2mqtt/kitchen/floor_light/availability", Payload: `{"state":"offline"}`, Retain: true, Values: values{"online": false}},
		},
		Strange: []Saying{{Topic: "homeassistant/light/0x00158d00018255df/light/config", Payload: `{"schema":"json"}`, Retain: true}},
		Foreign: Saying{Topic: "zigbee2mqtt/nobody", Payload: `{"temperature":1}`, QoS: 1}, // a device that nobody has brought in
		Hears: []Hearing{
			{"set", `{"state":"ON","brightness":255}`, "zigbee2mqtt/kitchen/floor_light/set", `{"brightness":255,"state":"ON"}`},
			{"get", `{"state":""}`, "zigbee2mqtt/kitchen/floor_light/get", `{"state":""}`},
		},
	},
}

type values = map[string]any

// topics are those of the dialect's document, as the platform admits a device of it.
func (d Dialect) topics(t testing.TB) api.Topics {
	t.Helper()
	document, ok := declarative.Document(d.Driver)
	if !ok {
		t.Fatalf("no document %s is shipped", d.Driver)
	}
	p, err := declarative.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	topics := api.Topics{Device: d.Name}
	if d.Bridge {
		topics.Device = ""
	}
	topics.Up, topics.Down = p.Patterns()
	if err := topics.Check(); err != nil {
		t.Fatal(err)
	}
	return topics
}

// admit lets one that speaks the dialect in by the reference, whose twins' payloads are read by its document.
func (d Dialect) admit(s *stage, ref device.Ref) Identity {
	s.t.Helper()
	document, _ := declarative.Document(d.Driver)
	u := s.w.Platform.Driver(d.Driver, "1.0.0", driver.Declarative, document)
	s.w.Platform.Use(TwinOf(ref), u)
	for _, name := range []string{d.Name, "sensor"} {
		s.w.Platform.Use(TwinOf(device.RelayedRef(ref, name)), u)
	}
	s.w.Platform.Unknown(device.RelayedRef(ref, "nobody"), true)
	id := s.w.AdmitOwn(ref, d.topics(s.t))
	id.Client = d.Client
	return id
}

// twin is that of the device by the name, which has come by the reference, or by a bridge's.
func (d Dialect) twin(ref device.Ref, name string) twin.ID {
	if !d.Bridge {
		return TwinOf(ref)
	}
	if name == "" {
		name = d.Name
	}
	return TwinOf(device.RelayedRef(ref, name))
}

// valuesOf are those of a message.
func valuesOf(m telemetry.Message) values {
	v := values{}
	for _, s := range m.Samples {
		v[s.Property] = s.Value
	}
	return v
}

// input is a Hearing's.
func (h Hearing) input() json.RawMessage {
	if h.Input == "" {
		return nil
	}
	return json.RawMessage(h.Input)
}
