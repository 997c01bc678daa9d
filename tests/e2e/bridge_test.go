package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// The life of a Zigbee bridge and of the lamps behind it: it is suspended and resumed, replaced by another box, loses a lamp to another
// bridge, and is taken out of service with those that it has left.
func TestTheLifeOfABridge(t *testing.T) {
	both(t, func(t *testing.T, stage Option) { bridgeLife(NewWorld(t, stage)) })
}

func bridgeLife(w *World) {
	w.Type("zigbee", func(m *twin.Model) { m.Driver, m.Provisioning = "zigbee2mqtt", "manual" })
	w.Type("light", func(m *twin.Model) {
		m.Driver, m.Provisioning = "zigbee2mqtt", "relayed"
		m.Properties = []twin.Property{{Name: "brightness"}}
	})
	plant := w.Owner("plant")
	hub := w.installed(plant, api.NewRun{Type: "zigbee", Owner: "plant", Serial: "HUB-1", Bridge: true})
	b := hub.bridges("z2m-1")
	lamps := make(map[string]twin.ID)
	for _, name := range []string{"lamp", "bulb", "spot"} {
		run, err := plant.StartRun(w.Context(), api.NewRun{Type: "light", Owner: "plant", Serial: name + "-1", Via: hub.twin, Name: name})
		w.must(err, name)
		lamps[name] = run.Twin
		b.shows(name, lamps[name], 1)
	}

	// While people keep the bridge out its lamps are not there; then they are again.
	_, err := plant.SuspendTwin(w.Context(), hub.twin, "update")
	w.must(err, "suspend")
	b.isCut("suspended")
	w.Eventually("the lamp behind a suspended bridge counts as gone", func() bool { return !w.Twin(lamps["lamp"]).Live.Presence.Connected })
	_, err = plant.ResumeTwin(w.Context(), hub.twin, "updated")
	w.must(err, "resume")
	b = hub.bridges("z2m-1")
	b.shows("lamp", lamps["lamp"], 2)
	if p := w.Twin(lamps["lamp"]).Live.Presence; !p.Connected {
		w.Errorf("the lamp is %+v once its bridge is there again", p)
	}

	// Another box in the bridge's place speaks for the same lamps.
	_, err = plant.ReplaceDevice(w.Context(), api.Replacement{Twin: hub.twin, Serial: "HUB-2", Reason: "burnt out"})
	w.must(err, "replace")
	b.isCut("replaced")
	if page, err := plant.ListRelayed(w.Context(), hub.twin, ""); err != nil || len(page.Items) != 3 {
		w.Errorf("while there is no box it speaks for %+v, %v", page.Items, err)
	}
	next := w.installed(plant, api.NewRun{Type: "zigbee", Owner: "plant", Serial: "HUB-2", Bridge: true})
	if next.twin != hub.twin {
		w.Fatalf("the new box is twin %s, not %s", next.twin, hub.twin)
	}
	b = next.bridges("z2m-2")
	b.shows("lamp", lamps["lamp"], 3)
	b.shows("bulb", lamps["bulb"], 3)

	// One lamp goes to another bridge. What the one before says of it is nobody's.
	other := w.installed(plant, api.NewRun{Type: "zigbee", Owner: "plant", Serial: "HUB-3", Bridge: true})
	o := other.bridges("z2m-3")
	_, err = plant.MoveRelayed(w.Context(), lamps["lamp"], api.MoveRelayed{Via: other.twin, Name: "hall/lamp"})
	w.must(err, "move")
	o.shows("hall/lamp", lamps["lamp"], 4)
	b.says("zigbee2mqtt/lamp", `{"brightness":99}`)
	b.shows("bulb", lamps["bulb"], 4)

	// A lamp may go alone. Then nobody hears what is said of it.
	_, err = plant.Decommission(w.Context(), lamps["spot"], api.NewDecommission{Reason: "broken", Data: twin.Erase})
	w.must(err, "the spot goes")
	w.Eventually("the spot is gone", func() bool { return w.over(plant, lamps["spot"]) })
	b.says("zigbee2mqtt/spot", `{"brightness":99}`)
	b.shows("bulb", lamps["bulb"], 5)
	if v := w.Reported(lamps["lamp"], "brightness"); v != 4.0 {
		w.Errorf("the bridge that the lamp has left made its brightness %v", v)
	}

	// The bridge goes with what it has left, and not without.
	if _, err := plant.Decommission(w.Context(), hub.twin, api.NewDecommission{Reason: "closed"}); !errors.Is(err, api.ErrConflict) {
		w.Errorf("alone: %v", err)
	}
	v, err := plant.Decommission(w.Context(), hub.twin, api.NewDecommission{Reason: "closed", Data: twin.Erase, WithDevices: true})
	if err != nil || v.Devices != 1 {
		w.Errorf("with its devices: %+v, %v", v, err)
	}
	b.isCut("decommissioned")
	w.Eventually("the bridge and its bulb are gone", func() bool { return w.over(plant, hub.twin) && w.over(plant, lamps["bulb"]) })
	if _, err := mqttDial(w.Context(), next.to, next.proof, "again", make(chan error, 1)); !refused(err) {
		w.Errorf("it comes in again: %v", err)
	}
	for _, id := range []twin.ID{hub.twin, lamps["bulb"]} {
		if _, err := plant.GetTwin(w.Context(), id); !errors.Is(err, api.ErrNotFound) {
			w.Errorf("twin %s: %v", id, err)
		}
	}
	o.shows("hall/lamp", lamps["lamp"], 5)
}

// bridges connects as Zigbee2MQTT does.
func (l *legacy) bridges(client string) *line {
	l.w.Helper()
	d := l.dials(client, "zigbee2mqtt/bridge/state", `{"state":"offline"}`)
	d.hears("zigbee2mqtt/#")
	d.says("zigbee2mqtt/bridge/state", `{"state":"online"}`)
	return d
}

// shows has the bridge say a lamp's brightness until its twin has it and is operational.
func (d *line) shows(name string, id twin.ID, brightness int) {
	d.w.Helper()
	d.w.Eventually("the twin of "+name+" is operational and has its brightness", func() bool {
		d.says("zigbee2mqtt/"+name, `{"brightness":`+string(rune('0'+brightness))+`}`)
		return d.w.Twin(id).Definition.Phase == twin.Operational && d.w.Reported(id, "brightness") == float64(brightness)
	})
}

// isCut waits until the gateway has ended the connection.
func (d *line) isCut(why string) {
	d.w.Helper()
	select {
	case <-d.lost:
	case <-time.After(30 * time.Second):
		d.w.Fatalf("the bridge is %s and not cut off", why)
	}
}

// over tells whether a twin's decommissioning is done.
func (w *World) over(c *api.Client, id twin.ID) bool {
	v, err := c.GetDecommission(w.Context(), id)
	return err == nil && v.State == api.DecommissionDone
}
