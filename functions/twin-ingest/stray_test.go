package twiningest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// stray is a frame of a device that has no twin, s seconds after noon, in the order that the connector gave it.
func stray(ref device.Ref, s int, raw string) telemetry.Message {
	m := unread("", s, raw)
	m.Ref, m.Generation, m.Driver, m.Reason = ref, 0, "", "no twin is known for device reference "+string(ref)
	return m
}

// strays are the payloads that are kept of no twin, newest first, of one reference unless ref is "".
func (w *world) strays(ref device.Ref) string {
	w.t.Helper()
	page, err := w.Admin().ListStray(context.Background(), ref, "")
	must(w.t, err)
	var all []string
	for _, m := range page.Items {
		all = append(all, string(m.Raw))
	}
	return strings.Join(all, " ")
}

// Two devices may say the same, and one may say it twice; only what is sent again is one message.
func TestMessagesOfNoTwinAreToldApart(t *testing.T) {
	w := newWorld(t, twin.Model{})
	w.say(stray("r-1", 1, "a"), stray("r-2", 1, "a"), stray("r-1", 2, "a"), stray("r-1", 1, "a"))
	if got := w.strays("r-1") + "|" + w.strays("r-2"); got != "a a|a" {
		t.Errorf("kept are %s", got)
	}
	hostile := stray("../x", 1, "b")
	known := stray("r-9", 2, "c")
	known.Twin = "nobody"
	w.say(hostile, known)
	if got := w.strays("r-9"); got != "" {
		t.Errorf("a message that has a twin is kept of reference r-9: %s", got)
	}
	if page, err := w.Admin().ListStray(context.Background(), "", ""); err != nil || len(page.Items) != 4 || page.Items[1].Ref == "" {
		t.Errorf("kept are %+v, %v", page.Items, err)
	}
}

func TestDeletingMessagesOfNoTwin(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	ctx, admin := context.Background(), w.Admin()
	w.say(unread("pump-1", 1, "kept"))
	again := func() { w.say(stray("r-1", 1, "a"), stray("r-1", 3, "b"), stray("r-2", 2, "c")) }
	second := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	for name, c := range map[string]struct {
		of      api.StrayParked
		deleted int
		left    string
	}{
		"of a reference":               {api.StrayParked{Ref: "r-1"}, 2, "c"},
		"older than a time":            {api.StrayParked{Before: second(3)}, 2, "b"},
		"of a reference and older":     {api.StrayParked{Ref: "r-1", Before: second(3)}, 1, "b c"},
		"all":                          {api.StrayParked{All: true}, 3, ""},
		"of a reference that has none": {api.StrayParked{Ref: "r-3"}, 0, "b c a"},
	} {
		again()
		if got, err := admin.DeleteStray(ctx, c.of); err != nil || got.Deleted != c.deleted || got.More {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got := w.strays(""); got != c.left {
			t.Errorf("%s: left are %q, want %q", name, got, c.left)
		}
	}
	if page, err := admin.ListParked(ctx, "pump-1", ""); err != nil || len(page.Items) != 1 {
		t.Errorf("what is parked of a twin is %+v, %v", page.Items, err)
	}
	for query, says := range map[string]string{
		"":                            "say which messages of no twin",
		"all=true&ref=r-1":            "all=true alone",
		"all=yes":                     "all",
		"twin=pump-1":                 "is deleted with it",
		"twin=pump-1&all=true":        "is deleted with it",
		"ref=..%2Fx":                  "device reference",
		"before=yesterday":            "must be a time like",
		"ref=" + url.QueryEscape("|"): "device reference",
	} {
		if err := admin.Call(ctx, "DELETE", "twin-ingest", "/parked?"+query, nil, nil); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", query, err, says)
		}
	}
}

// More than a call deletes is told, so that the call is made again.
func TestDeletingManyMessagesOfNoTwin(t *testing.T) {
	w := newWorld(t, twin.Model{})
	for from := 0; from < 1100; from += 550 {
		var batch []telemetry.Message
		for i := range 550 {
			batch = append(batch, stray(device.Ref(fmt.Sprintf("r-%d", i)), from+i, "x"))
		}
		w.say(batch...)
	}
	var got []api.DeletedParked
	for more := true; more; {
		d, err := w.Admin().DeleteStray(context.Background(), api.StrayParked{All: true})
		must(t, err)
		got, more = append(got, d), d.More
	}
	if fmt.Sprint(got) != "[{1000 true} {100 false}]" || w.strays("") != "" {
		t.Errorf("deleted are %v, left %s", got, w.strays(""))
	}
}

func TestWhoMaySeeAndDeleteMessagesOfNoTwin(t *testing.T) {
	w := newWorld(t, twin.Model{})
	ctx := context.Background()
	w.say(stray("r-1", 1, "a"))
	owner := w.User("olga", []access.Role{access.Owner, access.Configurator, access.Developer}, "plant")
	if _, err := owner.ListStray(ctx, "r-1", ""); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("who is no maintainer lists: %v, want not found", err)
	}
	if _, err := owner.DeleteStray(ctx, api.StrayParked{All: true}); !errors.Is(err, access.ErrDenied) || w.strays("") != "a" {
		t.Errorf("who is no maintainer deletes: %v, left %s", err, w.strays(""))
	}
	for _, query := range []string{"ref=..%2Fx", "ref=r-1&twin=pump-1", "ref=r-1&driver=th"} {
		if err := w.Admin().Call(ctx, "GET", "twin-ingest", "/parked?"+query, nil, nil); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v, want invalid", query, err)
		}
	}
}

// A flood of references that nobody knows does not fill the store: the newest are kept, of one reference and of all, in number and size.
func TestWhatIsKeptOfNoTwinIsBounded(t *testing.T) {
	w := newWorld(t, twin.Model{})
	restore := twiningest.SetStrayBounds(60, 40, 10_000, 1, 10, 5_000)
	defer restore()
	flood := func(n, from int, size int, ref func(i int) device.Ref) {
		for i := range n / 5 {
			var batch []telemetry.Message
			for k := range 5 {
				batch = append(batch, stray(ref(i*5+k), from+i*5+k, strings.Repeat("x", size)))
			}
			w.say(batch...)
		}
	}
	kept := func(ref device.Ref) (all []api.ParkedMessage) {
		page, err := w.Admin().ListStray(context.Background(), ref, "")
		must(t, err)
		return page.Items
	}
	one := func(int) device.Ref { return "r-one" }
	any := func(i int) device.Ref { return device.Ref(fmt.Sprintf("r-%d", i)) }

	flood(20, 0, 1, any)
	flood(80, 100, 1, one)
	if n, others := len(kept("r-one")), len(kept("")); n < 40 || n >= 50 || others-n != 20 {
		t.Errorf("of one reference %d are kept, of others %d; want about 40 and all 20", n, others-n)
	}
	flood(200, 200, 1, any)
	got := kept("")
	if len(got) < 60 || len(got) >= 70 || !got[0].Received.Equal(noon.Add(399*time.Second)) || len(kept("r-one")) != 0 {
		t.Errorf("%d are kept after a flood, the newest of %s; want about 60 and the newest of all", len(got), got[0].Received)
	}
	flood(50, 400, 1_000, any)
	size := 0
	for _, m := range kept("") {
		size += len(m.Raw)
	}
	if size > 15_000 {
		t.Errorf("%d bytes are kept, want 10,000 and what may come before the next look", size)
	}
}

// Who speaks for others names them as it likes. However many names it makes up, it takes its part of the room, in number and in size,
// and what others have said waits for its twin.
func TestOneWhoSpeaksForManyTakesItsPartOfTheRoom(t *testing.T) {
	w := newWorld(t, twin.Model{})
	restore := twiningest.SetStrayBounds(80, 20, 8_000, 4, 5, 1_000)
	defer restore()
	made := func(i int, raw string) telemetry.Message {
		m := stray(device.RelayedRef("bridge-of-mallory", fmt.Sprint("made-up-", i)), 10+i, raw)
		m.Via = "bridge-of-mallory"
		return m
	}
	lamp := stray(device.RelayedRef("bridge", "lamp"), 2, "lamp")
	lamp.Via = "bridge"
	w.say(stray("r-1", 1, "v"), lamp)
	for i := range 100 {
		w.say(made(i, "x"))
	}
	count := func() (n, size int) {
		page, err := w.Admin().ListStray(context.Background(), "", "")
		must(t, err)
		for _, m := range page.Items {
			if m.Via == "bridge-of-mallory" {
				n, size = n+1, size+len(m.Raw)
			}
		}
		return n, size
	}
	if n, _ := count(); n < 20 || n >= 25 || w.strays("r-1") != "v" || w.strays(lamp.Ref) != "lamp" {
		t.Errorf("of one who speaks for many %d are kept, want about 20; of the others %q and %q", n, w.strays("r-1"), w.strays(lamp.Ref))
	}
	for i := range 10 {
		w.say(made(100+i, strings.Repeat("x", 900)))
	}
	if _, size := count(); size > 2_000+1_800 || w.strays("r-1") != "v" || w.strays(lamp.Ref) != "lamp" {
		t.Errorf("of one who speaks for many %d bytes are kept, want 2,000 and what may come before the next look; of the others %q and %q", size, w.strays("r-1"), w.strays(lamp.Ref))
	}
	hostile := made(200, "y")
	hostile.Via = "../x"
	w.say(hostile)
	if page, err := w.Admin().ListStray(context.Background(), hostile.Ref, ""); err != nil || len(page.Items) != 1 || page.Items[0].Via != "" {
		t.Errorf("kept is %+v, %v", page.Items, err)
	}
}

// What a process before has left is seen to with the first message that comes.
func TestBoundsHoldAfterARestart(t *testing.T) {
	w := newWorld(t, twin.Model{})
	parked, err := platform.OpenParked(context.Background(), w.Base.DB)
	must(t, err)
	for i := range 30 {
		must(t, parked.Insert(context.Background(), api.ParkedMessage{ID: fmt.Sprint("|", i), Ref: "r-1", Kind: telemetry.Undecoded, Received: noon}))
	}
	restore := twiningest.SetStrayBounds(10, 10, 1_000, 1, 100, 1_000)
	defer restore()
	w.say(stray("r-2", 1, "a"))
	if n, err := parked.Count(context.Background(), store.Eq("twin", ""), "by-twin"); err != nil || n != 10 || w.strays("r-2") != "a" {
		t.Errorf("%d are kept, %v", n, err)
	}
}
