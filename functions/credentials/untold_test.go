package credentials_test

import (
	"context"
	"strings"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// said is what a twin's log has of app platform, and after that its recent occurrences.
func (w *world) said(id twin.ID) string {
	w.t.Helper()
	ctx := context.Background()
	history, err := platform.OpenHistory(ctx, w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	var log, recent []string
	err = history.Scan(ctx, store.Query{Filter: store.And(store.Gte("_id", string(id)+"|0"), store.Lt("_id", string(id)+"|~"))}, func(r api.Record) error {
		if r.Kind == telemetry.Log && r.Samples[0].Value == "platform" {
			log = append(log, r.Samples[2].Value.(string))
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := twins.Get(ctx, string(id))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range t.Live.Recent {
		recent = append(recent, o.What)
	}
	return strings.Join(log, ", ") + " | " + strings.Join(recent, ", ")
}

// Who looks at a twin sees that another bridge speaks for its device now, or calls it otherwise, and who has done that.
func TestAMoveIsInTheTwinsLog(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.relayed("lamp", w.bridge("one").Ref, "lamp")
	w.bridge("two")
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	w.SetTime(w.Now().Add(time.Minute))
	for _, in := range []api.MoveRelayed{{Via: "two"}, {Via: "two"}, {Name: "hall"}, {Via: "nobody"}} {
		_, err := ada.MoveRelayed(ctx, "lamp", in)
		if (err != nil) != (in.Via == "nobody") {
			t.Fatal(in, err)
		}
		w.SetTime(w.Now().Add(time.Minute))
	}
	moved, renamed := `moved to two, which calls it "lamp"; before one spoke for it, as "lamp"; by user:ada`, `renamed at two: from "lamp" to "hall"; by user:ada`
	if got, want := w.said("lamp"), moved+", "+renamed; got != want+" | "+want {
		t.Errorf("log and recent occurrences have\n%s\nwant each\n%s", got, want)
	}
}

// The log cannot be written while a device moves: the move counts, and the sweep tells of it, at the time at which it was.
func TestAMoveIsToldLaterIfItCannotBeAtOnce(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.relayed("lamp", w.bridge("one").Ref, "lamp")
	w.bridge("two")
	w.Add("twin-ingest", func(p *platform.Platform) faas.Func {
		return platform.Ready(p, func(context.Context) (faas.Routes, error) { return nil, api.ErrUnavailable })
	})
	w.SetTime(w.Now().Add(time.Minute))
	at := w.Now().Truncate(time.Millisecond)
	for _, name := range []string{"hall", "porch"} {
		if _, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Via: "two", Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	w.Add("twin-ingest", twiningest.New)
	w.sweep() // too early: whoever did it may still be at it
	if got := w.said("lamp"); got != " | " {
		t.Errorf("said is %s", got)
	}
	w.SetTime(w.Now().Add(time.Minute))
	for range 2 {
		w.sweep()
	}
	moved, renamed := `moved to two, which calls it "hall"; before one spoke for it, as "lamp"; by user:admin`, `renamed at two: from "hall" to "porch"; by user:admin`
	if got := w.said("lamp"); !strings.Contains(got, moved) || !strings.Contains(got, renamed) || len(got) != 2*len(moved+", "+renamed)+3 {
		t.Errorf("said is %s", got)
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := twins.Get(ctx, "lamp"); err != nil || len(v.Live.Recent) == 0 || !v.Live.Recent[0].At.Equal(at) {
		t.Errorf("it was said at %+v, %v; want %s", v.Live.Recent, err, at)
	}
}
