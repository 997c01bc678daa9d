package e2e

import (
	"encoding/json"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Devices come in whose firmware nobody changes: a plug that speaks Tasmota, and a Zigbee bridge with a lamp that has no connection of its
// own. People type in a user name and a password, and that is all.
func TestLegacyDevices(t *testing.T) {
	both(t, func(t *testing.T, stage Option) { legacyDevices(NewWorld(t, stage)) })
}

func legacyDevices(w *World) {
	w.Type("plug", func(m *twin.Model) {
		m.Driver, m.Provisioning = "tasmota", "manual"
		m.Properties = []twin.Property{{Name: "energy.power", Unit: "W"}, {Name: "power", Type: "boolean"}, {Name: "online", Type: "boolean"}}
	})
	w.Type("zigbee", func(m *twin.Model) { m.Driver, m.Provisioning = "zigbee2mqtt", "manual" })
	w.Type("light", func(m *twin.Model) {
		m.Driver, m.Provisioning = "zigbee2mqtt", "relayed"
		m.Properties = []twin.Property{{Name: "state", Type: "string"}, {Name: "brightness"}, {Name: "online", Type: "boolean"}}
	})
	plant := w.Owner("plant")
	plug := w.installed(plant, api.NewRun{Type: "plug", Owner: "plant", Serial: "tasmota_9CF9D1", Username: "plug-7"})
	hub := w.installed(plant, api.NewRun{Type: "zigbee", Owner: "plant", Serial: "HUB-1", Bridge: true})

	d := plug.dials("DVES_9CF9D1", "tele/tasmota_9CF9D1/LWT", "Offline")
	d.hears("cmnd/tasmota_9CF9D1/#")
	d.says("tele/tasmota_9CF9D1/LWT", "Online")
	d.says("tele/tasmota_9CF9D1/SENSOR", `{"Time":"2022-01-11T21:57:38","ENERGY":{"Total":3.705,"Power":5,"Voltage":233}}`)
	d.says("tele/tasmota_000000/SENSOR", `{"ENERGY":{"Power":1000}}`)
	w.Eventually("the plug's twin is operational and knows its power", func() bool {
		return w.Twin(plug.twin).Definition.Phase == twin.Operational && w.Reported(plug.twin, "energy.power") == 5.0 && w.Reported(plug.twin, "online") == true
	})
	w.tells(plant, plug.twin, "power", `{"on":true}`, d, "cmnd/tasmota_9CF9D1/POWER", "ON")
	d.says("stat/tasmota_9CF9D1/RESULT", `{"POWER":"ON"}`)
	w.Eventually("it is on", func() bool { return w.Reported(plug.twin, "power") == true })

	b := hub.dials("mqttjs_8b4f2a1c", "zigbee2mqtt/bridge/state", `{"state":"offline"}`)
	b.hears("zigbee2mqtt/#")
	b.says("zigbee2mqtt/bridge/state", `{"state":"online"}`)
	b.says("zigbee2mqtt/kitchen/lamp", `{"state":"ON","brightness":10}`) // before anybody has brought it in: nobody's
	run, err := plant.StartRun(w.Context(), api.NewRun{Type: "light", Owner: "plant", Serial: "0x00158d00018255df", Via: hub.twin, Name: "kitchen/lamp"})
	w.must(err, "the lamp")
	lamp := run.Twin
	w.Eventually("the lamp's twin knows its brightness", func() bool {
		b.says("zigbee2mqtt/kitchen/lamp", `{"state":"ON","brightness":215}`)
		return w.Twin(lamp).Definition.Phase == twin.Operational && w.Reported(lamp, "brightness") == 215.0
	})
	w.tells(plant, lamp, "set", `{"brightness":40}`, b, "zigbee2mqtt/kitchen/lamp/set", `{"brightness":40}`)
	for _, r := range w.History(lamp, "brightness") {
		for _, v := range r.Samples {
			if v.Value == 10.0 {
				w.Error("what the bridge has said of a device that nobody had brought in is the lamp's")
			}
		}
	}

	d.cut()
	w.Eventually("the plug's last word has come", func() bool {
		return w.Reported(plug.twin, "online") == false && !w.Twin(plug.twin).Live.Presence.Connected
	})
	w.must(w.Admin.RevokeCredential(w.Context(), hub.proof.ref, "stolen"), "revoke")
	select {
	case <-b.lost:
	case <-time.After(30 * time.Second):
		w.Error("the bridge is not cut off after its login was revoked")
	}
	if _, err := mqttDial(w.Context(), hub.to, hub.proof, "again", make(chan error, 1)); !refused(err) {
		w.Errorf("the bridge comes in again: %v", err)
	}
}

// A legacy is a device that was brought in by people who typed its login into it.
type legacy struct {
	w     *World
	to    way
	proof proof
	twin  twin.ID
}

// installed brings a device in, by the steps of an installer.
func (w *World) installed(by *api.Client, in api.NewRun) *legacy {
	w.Helper()
	page := w.made()
	in.PublicKey = page.public
	run, err := by.StartRun(w.Context(), in)
	w.must(err, "begin")
	confirm := func(state, serial string) {
		w.Helper()
		w.Eventually("the installer is at "+state, func() bool {
			run, err = by.GetRun(w.Context(), run.ID)
			w.must(err, "run")
			return run.Asks != nil && run.Asks.State == state
		})
		_, err = by.DecideRun(w.Context(), run.ID, api.Decide{Trigger: provision.Confirmed, State: state, Serial: serial})
		w.must(err, state)
	}
	confirm("place", "")
	confirm("serial", in.Serial)
	w.Eventually("the login can be fetched", func() bool {
		page.bundle, err = by.RunBundle(w.Context(), run.ID)
		return err == nil
	})
	confirm("install", "")
	p, err := page.proof()
	w.must(err, "the installer's page opens it")
	if in.Username != "" && p.user != in.Username {
		w.Errorf("its user name is %q, want %q", p.user, in.Username)
	}
	return &legacy{w: w, to: page.operational(), proof: p, twin: page.bundle.Twin}
}

// A line is the connection of such a device.
type line struct {
	mqtt.Client
	w    *World
	lost chan error
	got  chan mqtt.Message
	conn net.Conn
}

func (l *legacy) dials(client, will, payload string) *line {
	l.w.Helper()
	d := &line{w: l.w, lost: make(chan error, 1), got: make(chan mqtt.Message, 100)}
	o := mqttOptions(l.to, l.proof, client, d.lost).SetWill(will, payload, 1, true).SetCleanSession(false)
	open := o.CustomOpenConnectionFn
	o.SetCustomOpenConnectionFn(func(u *url.URL, o mqtt.ClientOptions) (c net.Conn, err error) {
		c, err = open(u, o)
		d.conn = c
		return c, err
	})
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { d.got <- m })
	d.Client = mqtt.NewClient(o)
	l.w.Eventually("it is let in", func() bool {
		ctx, cancel := l.w.soon()
		defer cancel()
		return mqttWait(ctx, d.Connect()) == nil
	})
	l.w.Cleanup(func() { d.Disconnect(0) })
	return d
}

func (d *line) hears(filter string) {
	d.w.Helper()
	ctx, cancel := d.w.soon()
	defer cancel()
	d.w.must(mqttWait(ctx, d.Subscribe(filter, 0, nil)), "subscribe")
}

func (d *line) says(topic, payload string) {
	d.w.Helper()
	ctx, cancel := d.w.soon()
	defer cancel()
	d.w.must(mqttWait(ctx, d.Publish(topic, 1, true, payload)), "say "+topic)
}

// cut ends the connection without a goodbye.
func (d *line) cut() {
	d.w.Helper()
	d.w.must(d.conn.Close(), "cut")
}

// tells sends a command, which must come to the device as topic and payload, and be answered in its place.
func (w *World) tells(by *api.Client, id twin.ID, name, input string, d *line, topic, payload string) {
	w.Helper()
	asked, err := by.SendCommand(w.Context(), api.NewCommand{Twin: id, Name: name, Input: json.RawMessage(input), Timeout: twin.Duration(time.Minute)})
	w.must(err, "command")
	select {
	case m := <-d.got:
		if m.Topic() != topic || string(m.Payload()) != payload {
			w.Errorf("the command %s came as %s %s", name, m.Topic(), m.Payload())
		}
	case <-time.After(30 * time.Second):
		w.Fatalf("the command %s does not come", name)
	}
	if n := w.Ended(by, asked.ID); n.State != api.CommandSucceeded || n.Reason == "" {
		w.Errorf("the command is %+v", n)
	}
}
