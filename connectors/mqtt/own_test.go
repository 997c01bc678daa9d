package mqtt_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway/gatewaytest"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
)

// most is how many devices a bridge speaks for here.
const most = 20

// aBridge runs a gateway and connects a bridge by the reference b-1, whose devices are read by the document.
func aBridge(t *testing.T, document string, names ...string) (*linktest.World, linktest.Legacy) {
	t.Helper()
	w := linktest.NewWorld(t)
	address, _ := startWith(t, w, mqtt.Config{Gateway: gatewaytest.Config(t, w, "operational"), Relayed: most})
	u := w.Platform.Driver("zb", "1.0.0", driver.Declarative, []byte(document))
	for _, name := range names {
		w.Platform.Use(linktest.TwinOf(device.RelayedRef("b-1", name)), u)
	}
	id := w.AdmitOwn("b-1", api.Topics{Up: []string{"zb/bridge/#", "zb/{device...}"}, Down: []string{"zb/{device...}/set", "zb/all"}})
	var b linktest.Legacy
	linktest.Eventually(t, "it is let in", func() (ok bool) {
		var err error
		b, err = legacy(w, address, id, linktest.Saying{Topic: "zb/bridge/state", Payload: "offline"})
		return err == nil
	})
	t.Cleanup(b.Cut)
	return w, b
}

// Whoever may command one device of a bridge may not command another by it, whatever its driver writes.
func TestACommandIsForTheDeviceItIsFor(t *testing.T) {
	const document = `
castor: 1
uplink: {format: json, fields: [{path: x, name: x}]}
downlink:
  - {command: set, topic: "zb/{who}/set", format: json, payload: {x: 1}}
  - {command: all, topic: zb/all, format: json, payload: {x: 1}}
  - {command: plain, format: json, payload: {x: 1}}
  - {command: its, topic: "zb/{device...}/set", format: json, payload: {x: 1}}`
	w, b := aBridge(t, document, "lamp", "lock")
	if ok, err := b.Subscribe("zb/#"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	lamp := linktest.TwinOf(device.RelayedRef("b-1", "lamp"))
	asks := []struct{ id, name, input, why string }{
		{"c-1", "set", `{"who":"lock"}`, "zb/lock/set"}, {"c-2", "all", `{}`, "zb/all"}, {"c-3", "plain", `{}`, "its driver names none"}, {"c-4", "its", `{"device":"lock"}`, ""}, {"c-5", "set", `{"who":"lamp"}`, ""}}
	for _, a := range asks {
		w.Platform.Command(api.LeasedCommand{ID: a.id, Twin: lamp, Name: a.name, Input: json.RawMessage(a.input), Until: linktest.Soon()})
	}
	<-b.Say("zb/lamp", []byte(`{"x":1}`), 1, false)
	<-b.Say("zb/lock", []byte(`{"x":1}`), 1, false)
	answers := map[string]string{}
	linktest.Eventually(t, "all are answered", func() bool {
		for _, m := range w.Platform.Stored(lamp) {
			if m.Answer != nil {
				answers[m.Answer.Command] = fmt.Sprint(m.Answer.OK, " ", m.Answer.Reason)
			}
		}
		return len(answers) == len(asks)
	})
	for _, a := range asks {
		if got := answers[a.id]; strings.HasPrefix(got, "true") != (a.why == "") || !strings.Contains(got, a.why) {
			t.Errorf("command %s %s is answered %s", a.name, a.input, got)
		}
	}
	for range 2 {
		if m := <-b.Messages(); m.Name != "zb/lamp/set" {
			t.Errorf("the bridge hears %s %s", m.Name, m.Payload)
		}
	}
	select {
	case m := <-b.Messages():
		t.Errorf("the bridge hears %s %s beside", m.Name, m.Payload)
	default:
	}
}

// A bridge speaks for so many devices at a time: one more takes the place of that which was silent longest, which may come again.
func TestABridgeSpeaksForSoManyDevices(t *testing.T) {
	w, b := aBridge(t, "")
	var last <-chan struct{}
	for i := range most + 1 {
		last = b.Say(fmt.Sprintf("zb/d-%d", i), []byte(`{"x":1}`), 1, false)
	}
	<-last
	first := linktest.TwinOf(device.RelayedRef("b-1", "d-0"))
	linktest.Eventually(t, "the one that was silent longest counts as gone", func() bool { return len(w.Platform.Presence(first)) == 2 })
	<-b.Say("zb/d-0", []byte(`{"x":2}`), 1, false)
	linktest.Eventually(t, "all is stored", func() bool { return len(w.Platform.Stored("")) == most+2 && len(w.Platform.Presence(first)) == 3 })
	p := w.Platform.Presence(first)
	if p[2].Session == p[0].Session || !p[2].Order.After(p[1].Order) {
		t.Errorf("it comes again as %s %v after %s %v", p[2].Session, p[2].Order, p[1].Session, p[1].Order)
	}
}

// Names that a bridge makes up take nobody's place.
func TestNamesThatNobodyKnowsTakeNoPlace(t *testing.T) {
	w, b := aBridge(t, "")
	const made = most + 5
	for i := range made {
		w.Platform.Unknown(device.RelayedRef("b-1", fmt.Sprintf("d-%d", i)), true)
	}
	<-b.Say("zb/lamp", []byte(`{"x":1}`), 1, false)
	var last <-chan struct{}
	for i := range made {
		last = b.Say(fmt.Sprintf("zb/d-%d", i), []byte(`{"x":1}`), 1, false)
	}
	<-last
	<-b.Say("zb/lock", []byte(`{"x":1}`), 1, false)
	<-b.Say("zb/lamp", []byte(`{"x":2}`), 1, false)
	linktest.Eventually(t, "the devices are heard", func() bool { return len(w.Platform.Stored("")) == 3 })
	if n := len(w.Platform.Presence("")); n != 3 {
		t.Errorf("%d devices are there, want the bridge and two", n)
	}
}
