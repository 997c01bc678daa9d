package http_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// Requests with the old and with the new credential are under way in one session at the same time: what is confirmed is what the
// request that confirms shows, whoever came last.
func TestAConfirmationIsOfWhatItsRequestShows(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", nil)
	old, cert := w.AdmitDevice("p-1"), w.CA.Issue(t, "p-1")
	fresh := linktest.Identity{Client: "p-1", Operational: true, Certificate: &cert}
	w.Admit(api.Admission{Client: "p-1", Phase: "operational", Kind: device.Certificate,
		Fingerprints: []string{linktest.Fingerprint(*old.Certificate), linktest.Fingerprint(cert)}})
	by := func(id linktest.Identity) *http.Client {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: w.CA.Client(id), ForceAttemptHTTP2: true}}
		t.Cleanup(c.CloseIdleConnections)
		return c
	}
	before, next := by(old), by(fresh)
	asks := func(c *http.Client) bool {
		resp, err := c.Get("https://" + address + "/v1/ack")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}
	linktest.Eventually(t, "both credentials let it in", func() bool { return asks(before) && asks(next) })
	body, rest := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+address+"/v1/credential/confirm", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	done := make(chan error, 1)
	go func() {
		resp, err := next.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	if _, err := rest.Write([]byte("{")); err != nil { // it is let in, and slow to say the rest
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; {
		if !asks(before) {
			t.Fatal("the old credential is not let in")
		}
	}
	_, _ = rest.Write([]byte("}"))
	_ = rest.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := w.Platform.Shown(); len(got) != 1 || got[0].Fingerprint != linktest.Fingerprint(cert) {
		t.Errorf("confirmed %+v, want the new certificate's fingerprint", got)
	}
}
