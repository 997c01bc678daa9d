package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// A device whose certificates live for seconds renews them again and again while it reports: no message is lost, each is
// stored once, and the old certificates have ended.
func TestACertificateIsRenewedWithoutALostMessage(t *testing.T) {
	on(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store)
		w.Type("pump", func(m *twin.Model) { m.CredentialLifetime = twin.Duration(15 * time.Second) })
		pump := w.Provision("pump", "P-7", "plant")
		sent := 0
		w.Eventually("it has renewed its certificate twice while it measures", func() bool {
			w.Measure(pump, "rpm", float64(sent))
			sent++
			return w.renewals(pump.Twin()) >= 2
		})
		w.Drained(pump)
		if got := len(w.History(pump.Twin(), "rpm")); got != sent {
			t.Errorf("history has %d readings, %d were measured", got, sent)
		}
		if got := w.Reported(pump.Twin(), "rpm"); got != float64(sent-1) {
			t.Errorf("the twin reports %v, want %d", got, sent-1)
		}
	})
}

// renewals is how many of a device's certificates have ended because it has a newer one.
func (w *World) renewals(id twin.ID) (n int) {
	page, err := w.Admin.ListCredentials(w.Context(), id)
	w.must(err, "credentials")
	for _, f := range page.Items {
		if f.State == api.CredentialEnded && f.Reason == "renewed" {
			n++
		}
	}
	return n
}

// A suspended device is cut off and refused, and comes back by itself when it is let in again; nothing it measured is lost. A
// revoked one does not come back.
func TestASuspendedDeviceComesBackAndARevokedOneDoesNot(t *testing.T) {
	on(t, func(t *testing.T, store Option) {
		w := NewWorld(t, store)
		w.Type("pump")
		pump := w.Provision("pump", "P-7", "plant")
		w.Measure(pump, "rpm", 1)
		w.Drained(pump)
		_, err := w.Admin.SuspendTwin(w.Context(), pump.Twin(), "leaks")
		w.must(err, "suspend")
		w.Eventually("it is cut off", func() bool { return !w.Twin(pump.Twin()).Live.Presence.Connected })
		w.Measure(pump, "rpm", 2, 3)
		_, err = w.Admin.ResumeTwin(w.Context(), pump.Twin(), "mended")
		w.must(err, "resume")
		w.Drained(pump)
		if got := len(w.History(pump.Twin(), "rpm")); got != 3 {
			t.Errorf("history has %d readings, want 3", got)
		}
		ref := pump.Ref()
		w.must(w.Admin.RevokeCredential(w.Context(), ref, "stolen"), "revoke")
		w.Eventually("it is refused", func() bool {
			p := pump.Phase()
			return p.Phase == agent.Waiting && strings.Contains(p.Detail, "does not let the device in")
		})
		w.Eventually("it is away", func() bool { return !w.Twin(pump.Twin()).Live.Presence.Connected })
	})
}
