package http_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
)

// Whatever a network server sends, and whoever speaks in its name: the gateway stays up, and says what it made of it.
func FuzzWebhook(f *testing.F) {
	w := linktest.NewWorld(f)
	address, _ := start(f, w, "operational", nil)
	id := w.AdmitSecret("tts-1", device.Token)
	client := secure(w, linktest.Identity{})
	post := func(path string, body []byte) (int, string) {
		r, err := http.NewRequest("POST", "https://"+address+path, strings.NewReader(string(body)))
		if err != nil {
			f.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+id.Password)
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	linktest.Eventually(f, "it is let in", func() bool { status, _ := post("/v1/webhooks/chirpstack?event=join", nil); return status == 200 })
	for _, name := range []string{"the-things-stack", "chirpstack"} {
		whole := envelope(f, name)
		f.Add(name == "chirpstack", []byte(whole))
		f.Add(name == "chirpstack", []byte(whole[:len(whole)/2]))
	}
	f.Add(true, []byte(`{"deviceInfo":{"devEui":"0101010101010101"},"fPort":256,"data":"qg==","rxInfo":[],"txInfo":{}}`))
	f.Add(true, []byte(`{"deviceInfo":{"devEui":"0101010101010101"},"time":"9999-12-31T23:59:59Z","fPort":1,"object":{"a":{"b":[1,null,{"c":1e308}]},"":""},"rxInfo":[],"txInfo":{}}`))
	f.Add(true, []byte(`{"deviceInfo":{"devEui":"../../../../../.."},"rxInfo":[],"txInfo":{}}`))
	f.Add(false, []byte(`{"data":{"data":{"data":{}}}}`))
	f.Add(false, []byte(`{"end_device_ids":{"dev_eui":"0004A30B001C0530"},"uplink_message":{"f_port":1,"frm_payload":"gkHe","received_at":"0001-01-01T00:00:00Z","decoded_payload":{"\u0000":1}}}`))
	f.Fuzz(func(t *testing.T, chirp bool, body []byte) {
		path := "/v1/webhooks/the-things-stack"
		if chirp {
			path = "/v1/webhooks/chirpstack?event=up"
		}
		status, text := post(path, body)
		if status != 200 && status != 400 && !(status == 413 && len(body) > 256<<10) {
			t.Errorf("%q is answered %d %s", body, status, text)
		}
	})
}
