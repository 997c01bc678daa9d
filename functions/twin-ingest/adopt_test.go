package twiningest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/authorization"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// refOf is the reference that stands for a twin's device once it is enrolled.
func refOf(id twin.ID) device.Ref { return device.Ref("device-of-" + id) }

// adoptAll has a twin adopt all that there is, page by page.
func (w *world) adoptAll(c *api.Client, id twin.ID) (all api.AdoptedParked) {
	w.t.Helper()
	for cursor, more := "", true; more; {
		a, err := c.AdoptParked(context.Background(), id, cursor)
		must(w.t, err)
		all.Ref, all.Adopted, all.Left = a.Ref, all.Adopted+a.Adopted, all.Left+a.Left
		cursor, more = a.Next, a.Next != ""
	}
	return all
}

// What a device sent before it had a twin is parked of the twin, read by a redrive at the time it came, and shown where nothing newer is.
func TestATwinAdoptsWhatItsDeviceHasSent(t *testing.T) {
	w := newWorld(t, twin.Model{})
	w.say(stray(refOf("pump-1"), 1, "a"), stray(refOf("pump-1"), 2, "a"), stray("r-2", 3, "b"))
	w.add("pump-1")
	changed := w.Collect(event.TwinChanged)
	if got := w.adoptAll(w.User("olga", []access.Role{access.Owner}, "plant"), "pump-1"); got != (api.AdoptedParked{Ref: refOf("pump-1"), Adopted: 2}) {
		t.Errorf("adopted are %+v", got)
	}
	page, err := w.Admin().ListParked(context.Background(), "pump-1", "")
	must(t, err)
	if len(page.Items) != 2 || page.Items[1].Topic != "up" || page.Items[1].Port != 2 || page.Items[1].Was != telemetry.Telemetry || !page.Items[1].Received.Equal(noon.Add(1e9)) ||
		page.Items[0].Ref != "" || !strings.Contains(page.Items[0].Reason, "had no twin when it came") {
		t.Fatalf("parked of the twin are %+v", page.Items)
	}
	if n := w.live("pump-1").Parked; n != 2 || w.strays("") != "b" {
		t.Errorf("the twin counts %d, of no twin is %q", n, w.strays(""))
	}
	functiontest.Eventually(t, "who looks at the twin is told", func() bool { return len(changed()) > 0 })
	must(t, w.redriven("pump-1", became(page.Items[0].ID, "temp", 22), became(page.Items[1].ID, "temp", 21)))
	if got := w.records("pump-1"); len(got) != 2 || w.value("pump-1", "temp") != 22.0 || w.live("pump-1").Parked != 0 {
		t.Errorf("history is %+v, the twin %+v", got, w.live("pump-1"))
	}
	if got := w.adoptAll(w.Admin(), "pump-1"); got != (api.AdoptedParked{Ref: refOf("pump-1")}) {
		t.Errorf("a second time %+v", got)
	}
}

// What the device has said since it has its twin goes before.
func TestWhatIsAdoptedIsNotNewerThanWhatCameSince(t *testing.T) {
	w := newWorld(t, twin.Model{})
	w.say(stray(refOf("pump-1"), 1, "a"))
	w.add("pump-1")
	w.stored(measured("pump-1", 60, "temp", 5))
	w.adoptAll(w.Admin(), "pump-1")
	page, err := w.Admin().ListParked(context.Background(), "pump-1", "")
	must(t, err)
	must(t, w.redriven("pump-1", became(page.Items[0].ID, "temp", 90)))
	if got := w.records("pump-1"); len(got) != 2 || w.value("pump-1", "temp") != 5.0 {
		t.Errorf("history has %d records, temp is %v; want 2 and 5", len(got), w.value("pump-1", "temp"))
	}
}

// Nobody feeds a twin with what another device, or another gateway, has said.
func TestWhatIsNotAdopted(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-3")
	w.Add("authorization", authorization.New)
	log := stray(refOf("pump-1"), 2, "log")
	log.Was = telemetry.Log
	w.say(stray(refOf("pump-1"), 1, "mine"), log, stray("r-other", 1, "other"))
	guest := w.Part("connector", "gw-guest")
	_, err := guest.Ingest(context.Background(), telemetry.Batch{Gateway: "gw-guest", Messages: []telemetry.Message{stray(refOf("pump-1"), 3, "made-up")}})
	must(t, err)
	w.add("pump-1")
	if got := w.adoptAll(w.Admin(), "pump-1"); got != (api.AdoptedParked{Ref: refOf("pump-1"), Adopted: 1, Left: 2}) || w.strays("") != "made-up log other" {
		t.Errorf("adopted are %+v, left %s", got, w.strays(""))
	}
	ctx := context.Background()
	_, err = w.twins.Update(ctx, "pump-3", func(t *twin.Twin) error { t.Definition.Phase = twin.Retired; return nil })
	must(t, err)
	must(t, w.twins.Insert(ctx, twin.Twin{ID: "plain", Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: "pump", Owner: "plant"}}))
	admin, ned := w.Admin(), w.User("ned", []access.Role{access.Owner}, "elsewhere")
	_, err = admin.CreateGrant(ctx, access.Grant{Subject: "user:ned", Object: "twin:pump-1", Right: access.Read})
	must(t, err)
	for name, c := range map[string]struct {
		who  *api.Client
		id   twin.ID
		want error
		says string
	}{
		"a foreign twin":           {w.User("stan", []access.Role{access.Owner}, "elsewhere"), "pump-1", api.ErrNotFound, ""},
		"who may only look":        {w.User("vera", []access.Role{access.Viewer}, "plant"), "pump-1", access.ErrDenied, ""},
		"who was let in to look":   {ned, "pump-1", access.ErrDenied, ""},
		"a type":                   {admin, "pump", twin.ErrInvalid, "only a device's twin"},
		"a retired twin":           {admin, "pump-3", api.ErrConflict, "is retired"},
		"a twin without a device":  {admin, "plain", api.ErrConflict, "has no device"},
		"a twin that is not there": {admin, "nobody", api.ErrNotFound, ""},
		"no twin":                  {admin, "|x", api.ErrNotFound, ""},
	} {
		if _, err := c.who.AdoptParked(ctx, c.id, ""); !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want %v: %s", name, err, c.want, c.says)
		}
	}
	if _, err := admin.AdoptParked(ctx, "pump-1", "nonsense"); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a bad cursor: %v", err)
	}
}

// More than one page, also where some stay.
func TestATwinAdoptsPageByPage(t *testing.T) {
	w := newWorld(t, twin.Model{})
	var batch []telemetry.Message
	for i := range 250 {
		m := stray(refOf("pump-1"), i, "x")
		if i%5 == 0 {
			m.Was = telemetry.Event
			m.Raw = fmt.Append(nil, i) // known by its bytes alone
		}
		batch = append(batch, m)
	}
	w.say(batch...)
	w.add("pump-1")
	if got := w.adoptAll(w.Admin(), "pump-1"); got.Adopted != 200 || got.Left != 50 || w.live("pump-1").Parked != 200 {
		t.Errorf("adopted are %+v, the twin counts %d", got, w.live("pump-1").Parked)
	}
}

// A crash at any write, and the call made again, also after a redrive has read what the crash had left: each message is read once, none
// stays behind, and the twin counts them right.
func TestACrashOfAnAdoption(t *testing.T) {
	w := newWorld(t, twin.Model{})
	for n := 0; ; n++ {
		for _, how := range functiontest.Ways {
			id := twin.ID(fmt.Sprintf("n%d-%d", n, how))
			w.say(stray(refOf(id), 1, "a"), stray(refOf(id), 2, "b"))
			w.add(id)
			redrive := func() {
				page, err := w.Admin().ListParked(context.Background(), id, "")
				must(t, err)
				for _, m := range page.Items {
					must(t, w.redriven(id, became(m.ID, "temp", float64(m.Raw[0]))))
				}
			}
			c := w.Crash(n, how)
			c.Run(w.World, "twin-ingest", twiningest.New)
			_, _ = w.Admin().AdoptParked(context.Background(), id, "")
			came := c.Came()
			w.Add("twin-ingest", twiningest.New)
			if how != functiontest.Unsaid {
				redrive()
			}
			w.adoptAll(w.Admin(), id)
			page, err := w.Admin().ListParked(context.Background(), id, "")
			if must(t, err); w.live(id).Parked != int64(len(page.Items)) {
				t.Errorf("a crash at write %d, way %d: the twin counts %d parked messages, there are %d", n, how, w.live(id).Parked, len(page.Items))
			}
			redrive()
			if got := w.records(id); len(got) != 2 || w.value(id, "temp") != float64('b') || w.live(id).Parked != 0 || w.live(id).Messages != 2 || w.strays(refOf(id)) != "" {
				t.Errorf("a crash at write %d, way %d: history has %d records, the twin %+v, of no twin is %q", n, how, len(got), w.live(id), w.strays(refOf(id)))
			}
			if !came {
				return
			}
		}
	}
}
