package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A device with firmware of its own speaks plain MQTT. What cannot be decoded is acknowledged, kept as it came and shown with its
// reason; what can, counts, also without numbers of the device's own; and foreign topics are shut.
func TestADeviceWithFirmwareOfItsOwn(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		w.Identity("P-7")
		dir := t.TempDir()
		once := w.DeviceIn(dir, w.Claim("pump", "plant"), "P-7")
		w.Ready(once)
		ref, id := string(once.Ref()), once.Twin()
		w.must(once.Close(), "the agent ends")

		client := connect(t, dir, ref)
		publish := func(topic, payload string) bool {
			token := client.Publish(topic, 1, false, payload)
			return token.WaitTimeout(10*time.Second) && token.Error() == nil
		}
		if !publish("castor/"+ref+"/telemetry", "\x00\xffnonsense") {
			t.Error("what cannot be decoded is not acknowledged")
		}
		if !publish("castor/"+ref+"/telemetry", `{"rpm": 1450, "bearing": {"temperature": 61.5}}`) {
			t.Error("a reading is not acknowledged")
		}
		w.Eventually("the twin reports it", func() bool { return w.Reported(id, "bearing.temperature") == 61.5 })
		parked, err := w.Admin.ListParked(w.Context(), id, "")
		w.must(err, "parked")
		if len(parked.Items) != 1 || !strings.Contains(string(parked.Items[0].Raw), "nonsense") || parked.Items[0].Reason == "" {
			t.Errorf("parked: %+v", parked.Items)
		}
		if n := w.Twin(id).Live.Parked; n != 1 {
			t.Errorf("the twin counts %d parked messages", n)
		}
		client.Publish("castor/other/telemetry", 1, false, `{"rpm": 1}`).WaitTimeout(time.Second)
		if got := w.Reported(id, "rpm"); got != 1450.0 {
			t.Errorf("after a foreign topic the twin reports %v", got)
		}
	})
}

// connect is a plain MQTT client with what provisioning has left in dir.
func connect(t *testing.T, dir, ref string) mqtt.Client {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ Bundle api.Bundle }
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	bundle := kept.Bundle
	cert, err := tls.X509KeyPair([]byte(bundle.Certificate), key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(bundle.CA))
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(bundle.Gateway, "tls://", "ssl://", 1)).SetClientID(ref).
		SetTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}).SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("connect: %v", token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return client
}
