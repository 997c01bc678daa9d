package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A device says that it is cold, and the driver that reads it has it heat: the commands that the driver's template in C makes of events come
// to the device as the bytes that it writes, and the driver hears the answers.
func TestADriverThatReacts(t *testing.T) {
	both(t, func(t *testing.T, stage Option) { reactingStory(NewWorld(t, stage)) })
}

func reactingStory(w *World) {
	w.publishTemplate("thermometer")
	w.Type("th", func(m *twin.Model) { m.Driver, m.Reacts = "thermometer", true })
	w.Identity("TH-1")
	m, p := w.comesIn("mqtt", "TH-1", "certificate", w.Claim("th", "plant"))
	d, err := mqttDial(w.Context(), m.operational(), p, string(p.ref), make(chan error, 1))
	w.must(err, "dial")
	w.Cleanup(func() { d.Disconnect(0) })
	got := make(chan mqtt.Message, 10)
	w.must(mqttWait(w.Context(), d.Subscribe("castor/"+string(p.ref)+"/command/+", 1, func(_ mqtt.Client, m mqtt.Message) { got <- m })), "subscribe")
	says := func(topic string, payload any) {
		w.Helper()
		w.must(mqttWait(w.Context(), d.Publish(topic, 1, false, payload)), "say")
	}
	temperature := func(hundredths int16) {
		w.Helper()
		says("castor/"+string(p.ref)+"/telemetry", []byte{byte(uint16(hundredths) >> 8), byte(hundredths), 100})
	}
	// hears is the next command, which must be these bytes, and answers it.
	hears := func(want []byte, status string) {
		w.Helper()
		select {
		case m := <-got:
			if !bytes.Equal(m.Payload(), want) {
				w.Errorf("the command is % x, want % x", m.Payload(), want)
			}
			says(m.Topic()+"/response", `{"status": "`+status+`"}`)
		case <-time.After(60 * time.Second):
			w.Fatalf("no command comes; the driver has come to %+v", w.reaction(m.bundle.Twin))
		}
	}
	temperature(400)
	temperature(-200)
	hears([]byte{2, 1}, telemetry.Failed)
	w.Eventually("the driver has heard that it failed", func() bool { return bytes.Equal(w.reaction(m.bundle.Twin).State, []byte{0}) })
	temperature(-300)
	hears([]byte{2, 1}, telemetry.Succeeded)
	temperature(-400) // it heats already
	temperature(100)
	hears([]byte{2, 0}, telemetry.Succeeded)
	r := w.reaction(m.bundle.Twin)
	if r.Driver != "thermometer" || r.Version != "0.1.0" || r.Failure != "" || r.Dropped != 0 {
		w.Errorf("the driver has come to %+v", r)
	}
	w.Eventually("all commands are answered", func() bool {
		page, err := w.Admin.ListCommands(w.Context(), api.CommandQuery{Twin: m.bundle.Twin})
		w.must(err, "commands")
		ended := 0
		for _, c := range page.Items {
			if c.Name != "heat" || c.By != "driver:thermometer@0.1.0" {
				w.Fatalf("a command is %+v", c)
			}
			if c.State.Ended() {
				ended++
			}
		}
		return ended == 3 && len(page.Items) == 3 && w.reaction(m.bundle.Twin).Sent == 3
	})
}

func (w *World) reaction(id twin.ID) api.Reaction {
	w.Helper()
	r, err := w.Admin.GetReaction(w.Context(), id)
	w.must(err, "reaction")
	return r
}

// publishTemplate builds what castor driver new gives makers who write C, and publishes it for all devices.
func (w *World) publishTemplate(name string) {
	w.Helper()
	dir := filepath.Join(w.TempDir(), name)
	w.must(os.CopyFS(dir, os.DirFS("../../infra/castor/cli/scaffold/wasm-c")), "template")
	file := filepath.Join(dir, "driver.yaml")
	about, err := os.ReadFile(file)
	w.must(err, "template")
	w.must(os.WriteFile(file, bytes.Replace(about, []byte("NAME"), []byte(name), 1), 0o600), "template")
	if out, err := exec.Command("make", "-C", dir).CombinedOutput(); err != nil {
		w.Fatalf("make: %v\n%s", err, out)
	}
	d, err := layout.Folder(dir)
	w.must(err, "template")
	_, err = w.Admin.PublishDriver(w.Context(), api.PublishDriver{Driver: *d})
	w.must(err, "publish")
	_, err = w.Admin.PromoteDriver(w.Context(), d.Name, d.Version)
	w.must(err, "promote")
}
