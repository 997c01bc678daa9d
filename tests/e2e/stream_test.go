package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/tests/sse"
)

// Stream opens the stream of changes as somebody.
func (w *World) Stream(as *api.Client, query string) *sse.Stream {
	w.Helper()
	header, err := as.Authorize(context.Background(), "")
	w.must(err, "token")
	var s *sse.Stream
	w.Eventually("the stream opens", func() bool {
		var status int
		s, status = sse.Open(w, w.HTTP, w.URL+"/stream"+query, http.Header{"Authorization": {header}})
		return status == http.StatusOK
	})
	s.Until("hello", sse.Has(`"expires"`))
	return s
}

// Somebody watches a device come in, report, and raise an alarm, without asking for anything again. Whose it is not hears nothing.
func TestWhatHappensIsSeenAsItHappens(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		owner, stranger := w.Owner("plant"), w.Owner("mill")
		seen, hidden := w.Stream(owner, ""), w.Stream(stranger, "")

		pump := w.Provision("pump", "P-7", "plant")
		id := string(pump.Twin())
		seen.Until("run", sse.Has(`"P-7"`, `"outcome":"completed"`))
		w.Rule(pump.Twin(), "rpm > 1500", monitor.Critical)
		w.Measure(pump, "rpm", 1100)
		seen.Until("readings", sse.Has(`"twin":"`+id+`"`, `"property":"rpm"`, `"value":1100`, `"connected":true`))
		w.Measure(pump, "rpm", 1600)
		alarm := seen.Until("alarm", sse.Has(`"twin":"`+id+`"`, `"raised":true`, `"critical"`))

		var open api.Alarm
		w.Eventually("the alarm is listed", func() bool {
			for _, a := range w.Alarms(pump.Twin()) {
				open = a
			}
			return open.ID != ""
		})
		_, err := owner.AcknowledgeAlarm(w.Context(), open.ID, "on my way")
		w.must(err, "acknowledge")
		seen.Until("alarm", sse.Has(open.ID, `"acknowledged":true`))
		w.Measure(pump, "rpm", 1000)
		seen.Until("alarm", sse.Has(open.ID, `"raised":false`))

		// From where the page was cut off, everything comes again that came after.
		again := w.Stream(owner, "?last="+alarm.ID+"&topics=alarms")
		again.Until("alarm", sse.Has(open.ID, `"acknowledged":true`))
		again.Until("alarm", sse.Has(open.ID, `"raised":false`))

		pump.Close()
		w.must(w.Admin.DeleteTwin(w.Context(), pump.Twin()), "delete")
		seen.Until("twin", sse.Has(`"twin":"`+id+`"`, `"gone":true`))
		for {
			f, ok := hidden.Next(200 * time.Millisecond)
			if !ok {
				break
			}
			if f.Event != "beat" || strings.Contains(string(f.Data), id) {
				t.Errorf("a stranger hears of it: %s %s", f.Event, f.Data)
			}
		}
	})
}
