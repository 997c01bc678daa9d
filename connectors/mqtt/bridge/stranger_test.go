package bridge_test

import (
	"errors"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/telemetry"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// Mosquitto tells of whoever it turns away by the name that they gave: that is no word of the device whose name it is. Its session
// goes on, and commands reach it.
func TestWhoIsTurnedAwayEndsNoSession(t *testing.T) {
	w := linktest.NewWorld(t)
	b, _ := begin(t, w, "operational")
	id := w.AdmitDevice("p-1")
	var d linktest.Device
	linktest.Eventually(t, "the device is let in", func() bool {
		var err error
		d, err = dial(w, b.Certs, id)
		return err == nil
	})
	defer d.Close()
	linktest.Eventually(t, "its session has begun", func() bool { return len(w.Platform.Presence("")) == 1 })
	d.Publish(telemetry.Telemetry, []byte(`{"epoch":1,"seq":1,"data":{"rpm":1}}`))
	linktest.Eventually(t, "it is heard", func() bool { return len(w.Platform.Stored("")) == 1 })
	for range 3 {
		o := paho.NewClientOptions().AddBroker("tls://" + b.Words).SetClientID("p-1").SetUsername("p-1").SetPassword("guess").SetTLSConfig(w.CA.Client(linktest.Identity{}))
		o.SetConnectRetry(false).SetConnectTimeout(linktest.Patience)
		if err := wait(paho.NewClient(o).Connect()); err == nil {
			t.Fatal("a stranger is let in")
		}
	}
	// What the broker told of them is read before what comes then.
	d.Publish(telemetry.Telemetry, []byte(`{"epoch":1,"seq":2,"data":{"rpm":2}}`))
	linktest.Eventually(t, "it is heard again", func() bool { return len(w.Platform.Stored("")) == 2 })
	if all := w.Platform.Stored(""); all[0].Session != all[1].Session || len(w.Platform.Presence("")) != 1 {
		t.Errorf("strangers ended a device's session: %d comings and goings", len(w.Platform.Presence("")))
	}
	w.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: linktest.TwinOf("p-1"), Name: "open", Until: linktest.Soon()})
	linktest.Eventually(t, "a connector listens", func() bool {
		return w.Bus.Send(t.Context(), bus.Downlink{Gateway: w.Gateway, Twin: string(linktest.TwinOf("p-1")), Commands: []string{"c-1"}}) == nil
	})
	if err := command(d); err != nil {
		t.Error(err)
	}
}

// command waits for one.
func command(d linktest.Device) error {
	for over := time.After(linktest.Patience); ; {
		select {
		case m := <-d.Messages():
			if m.Name == "command" {
				return nil
			}
		case <-over:
			return errors.New("no command reaches the device")
		}
	}
}
