package credentials_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

// The owner hears, once, of a certificate that will end in two weeks and that the device has not renewed.
func TestACertificateThatIsNotRenewedIsTold(t *testing.T) {
	w := start(t)
	w.Add("alerts", alerts.New)
	ctx := context.Background()
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	var heard atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n api.Notice
		if err := json.NewDecoder(r.Body).Decode(&n); err == nil && n.Notification != nil && strings.Contains(n.Notification.Title, "certificate of p-1 ends on ") {
			heard.Add(1)
		}
	}))
	t.Cleanup(hook.Close)
	if _, err := ada.CreateRoute(ctx, api.Route{Owner: "press", Webhook: hook.URL}); err != nil {
		t.Fatal(err)
	}
	c := w.placed("p-1", api.NewCredential{CSR: csr(t)})
	sweep := func() int64 {
		t.Helper()
		if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "credentials"); err != nil {
			t.Fatal(err)
		}
		if err := w.Tick("alerts", w.Now()); err != nil {
			t.Fatal(err)
		}
		return heard.Load()
	}
	w.SetTime(c.Expires.Add(-15 * 24 * time.Hour))
	if n := sweep(); n != 0 {
		t.Errorf("15 days before, %d messages", n)
	}
	w.SetTime(c.Expires.Add(-13 * 24 * time.Hour))
	for range 2 {
		if n := sweep(); n != 1 {
			t.Errorf("13 days before, %d messages", n)
		}
	}
}
