package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/networkserver"
)

const acmeValve = `castor: 1
uplink:
- port: 2
  fields: [{name: percent, type: u8}]
downlink:
- command: open
  port: 10
  fields: [{name: percent, type: u8}]
`

// publishValve has the driver that the guide's valve needs.
func publishValve(w *World) {
	w.Helper()
	_, err := w.Admin.PublishDriver(w.Context(), api.PublishDriver{Driver: driver.Driver{Name: "acme-valve", Version: "1.0.0", Kind: driver.Declarative, Code: []byte(acmeValve),
		Tests: []driver.Test{{Name: "a frame", Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{40}, Port: 2}, Want: driver.Want{Data: map[string]any{"percent": 40.0}}}}}})
	w.must(err, "publish")
	_, err = w.Admin.PromoteDriver(w.Context(), "acme-valve", "1.0.0")
	w.must(err, "promote")
}

// commandsByLoRaWAN has a command go to a device behind the integration: into its queue at the network server, as the driver writes it, until the
// device has acknowledged the frame.
func commandsByLoRaWAN(w *World, plant *api.Client, valve twin.ID, bundle *api.Bundle, token string) {
	w.Helper()
	const eui = "0004a30b001c0531"
	things := networkserver.Start(w)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(bundle.CA))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	say := func(event string) string {
		body := fmt.Sprintf(`{"end_device_ids":{"device_id":"valve-1","dev_eui":%q},"received_at":%q,%s}`, strings.ToUpper(eui), w.Now().Format(time.RFC3339Nano), event)
		r, err := http.NewRequestWithContext(w.Context(), "POST", bundle.Gateway+"/v1/webhooks/the-things-stack", bytes.NewReader([]byte(body)))
		w.must(err, "request")
		r.Header = things.ThingsHeaders("press", "valve-1")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return strings.TrimSpace(string(text))
	}
	spoken := func() bool {
		return say(`"uplink_message":{"f_port":2,"frm_payload":"Kg=="}`) == `{"device":"`+eui+`"}`
	}
	w.Eventually("the valve is heard", func() bool { return spoken() && w.Reported(valve, "percent") == 42.0 })

	asked, err := plant.SendCommand(w.Context(), api.NewCommand{Twin: valve, Name: "open", Input: json.RawMessage(`{"percent":40}`), Timeout: twin.Duration(10 * time.Minute)})
	w.must(err, "command")
	w.Eventually("it is in the network server's queue", func() bool { spoken(); return len(things.Requests()) > 0 })
	got := things.Requests()[0]
	want := `{"downlinks":[{"f_port":10,"frm_payload":"KA==","confirmed":true,"priority":"NORMAL","correlation_ids":["castor:` + eui + `:` + asked.ID + `"]}]}`
	if len(got.Frames) != 1 || got.Frames[0].Device != "valve-1" || got.Body != want {
		w.Errorf("queued is\n%+v, want\n%s", got, want)
	}
	w.Eventually("it counts as sent", func() bool {
		n, err := plant.GetCommand(w.Context(), asked.ID)
		return err == nil && n.State == api.CommandSent
	})
	w.Eventually("the acknowledgement is taken", func() bool {
		return say(`"downlink_ack":{"f_port":10,"frm_payload":"KA==","confirmed":true,"correlation_ids":["castor:`+eui+`:`+asked.ID+`"]}`) == `{"device":"`+eui+`","command":"`+asked.ID+`"}`
	})
	if n := w.Ended(plant, asked.ID); n.State != api.CommandSucceeded || n.Reason != "the device has acknowledged the frame" {
		w.Errorf("the command ended as %s: %s", n.State, n.Reason)
	}
}
