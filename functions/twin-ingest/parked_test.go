package twiningest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/mongo"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	mongotest "github.com/castor-iot/castor/tests/mongo"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// onBothStores runs a test on the embedded store and on MongoDB.
func onBothStores(t *testing.T, do func(*testing.T, *world)) {
	t.Run("embedded", func(t *testing.T) { do(t, newWorld(t, twin.Model{})) })
	t.Run("mongo", func(t *testing.T) {
		db, err := mongo.Open(t.Context(), mongotest.Start(t))
		must(t, err)
		t.Cleanup(func() { db.Close() })
		running := functiontest.New(t, nil)
		running.Base.DB = db
		running.Add("twin-ingest", twiningest.New)
		do(t, worldOf(t, running, twin.Model{}))
	})
}

// raws are the payloads of all messages that a query finds, limit a page, in their order.
func (w *world) raws(by *api.Client, q url.Values, limit int) (string, error) {
	w.t.Helper()
	var got []string
	for cursor, more := "", true; more; {
		var page api.Page[api.ParkedMessage]
		q.Set("cursor", cursor)
		q.Set("limit", fmt.Sprint(limit))
		if err := by.Call(context.Background(), "GET", "twin-ingest", "/parked?"+q.Encode(), nil, &page); err != nil {
			return "", err
		}
		if len(page.Items) > limit {
			w.t.Errorf("a page has %d messages, want at most %d", len(page.Items), limit)
		}
		for _, m := range page.Items {
			got = append(got, string(m.Raw))
		}
		cursor, more = page.Next, page.Next != ""
	}
	return strings.Join(got, " "), nil
}

// Whoever makes a type sees what is parked of all its instances in one list, as far as the twins are theirs to read.
func TestParkedMessagesOfAType(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.add("pump-1", "pump-2", "pump-3")
		must(t, w.twins.Insert(ctx, twin.Twin{ID: "fan", Kind: twin.Type, Definition: twin.Definition{Version: 1, Owner: "shop", Model: &twin.Model{}}}))
		must(t, w.twins.Insert(ctx, twin.Twin{ID: "fan-1", Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: "fan", Owner: "shop", Phase: twin.Operational}}))
		w.Enrol("gw-1", 1, "fan-1")
		_, err := w.twins.Update(ctx, "pump-3", func(v *twin.Twin) error { v.Definition.Owner = "shop"; return nil })
		must(t, err)
		other := unread("pump-3", 5, "e")
		other.Driver = "th@2.0.0"
		w.say(unread("pump-1", 1, "a"), unread("pump-2", 2, "b"), unread("fan-1", 3, "f"), unread("pump-1", 4, "d"), other, stray("r-1", 6, "s"))
		gone := unread("nobody", 7, "n")
		w.say(gone)

		olga := w.User("olga", []access.Role{access.Owner}, "plant")
		stan := w.User("stan", []access.Role{access.Owner}, "shop")
		for what, c := range map[string]struct {
			who          *api.Client
			of, driver   string
			want         string
			err          error
			errorMention string
		}{
			"all, for a maintainer":           {who: w.Admin(), of: "pump", want: "e d b a"},
			"another type's":                  {who: w.Admin(), of: "fan", want: "f"},
			"of a driver":                     {who: w.Admin(), of: "pump", driver: "th", want: "e d b a"},
			"of a version":                    {who: w.Admin(), of: "pump", driver: "th@1.0.0", want: "d b a"},
			"of another driver":               {who: w.Admin(), of: "pump", driver: "t"},
			"a group's own":                   {who: olga, of: "pump", want: "d b a"},
			"another group's":                 {who: stan, of: "pump", want: "e"},
			"a type that one may not know of": {who: olga, of: "fan", err: api.ErrNotFound},
			"a type that there is not":        {who: w.Admin(), of: "nothing", err: api.ErrNotFound},
			"a twin for a type":               {who: w.Admin(), of: "pump-1", err: twin.ErrInvalid, errorMention: "asked for by twin"},
			"a driver with too long a name":   {who: w.Admin(), of: "pump", driver: strings.Repeat("x", 201), err: twin.ErrInvalid},
		} {
			for _, limit := range []int{1, 2, 100} {
				q := url.Values{"type": {c.of}}
				if c.driver != "" {
					q.Set("driver", c.driver)
				}
				got, err := w.raws(c.who, q, limit)
				if got != c.want || !errors.Is(err, c.err) || c.err != nil && !strings.Contains(err.Error(), c.errorMention) {
					t.Errorf("%s, %d a page: %q, %v; want %q, %v", what, limit, got, err, c.want, c.err)
				}
			}
		}
		for _, query := range []string{"type=pump&twin=pump-1", "type=pump&ref=r-1", "type=pump&via=r-1", "type=pump&cursor=nonsense"} {
			if err := w.Admin().Call(ctx, "GET", "twin-ingest", "/parked?"+query, nil, nil); !errors.Is(err, twin.ErrInvalid) {
				t.Errorf("%s: %v, want invalid", query, err)
			}
		}
		page, err := olga.ListParkedOf(ctx, "pump", "", "")
		if err != nil || len(page.Items) != 3 || page.Items[0].Type != "pump" || page.Items[0].Twin != "pump-1" {
			t.Errorf("a page is %+v, %v", page, err)
		}
	})
}

// A page takes bounded work, however many messages of other types lie around. (The stand-in for MongoDB does not tell what a query takes.)
func TestAPageOfATypeLooksAtItsOwnMessagesOnly(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	ctx := context.Background()
	parked, err := platform.OpenParked(ctx, w.Base.DB)
	must(t, err)
	var many []api.ParkedMessage
	for i := range 300 {
		many = append(many, api.ParkedMessage{ID: fmt.Sprint("fan-1|", i), Twin: "fan-1", Type: "fan", Kind: telemetry.Undecoded, Received: noon})
	}
	_, err = parked.InsertMany(ctx, many)
	must(t, err)
	w.say(unread("pump-1", 1, "a"), unread("pump-1", 2, "b"))
	for _, q := range []store.Query{
		{Index: "by-type", Filter: store.Eq("type", twin.TypeID("pump")), Limit: 10},
		{Index: "by-via", Filter: store.Eq("via", "bridge"), Limit: 10},
	} {
		if plan, err := parked.Explain(ctx, q); err != nil || !plan.Bounded || plan.Examined > 10 {
			t.Errorf("%s: %+v, %v", q.Index, plan, err)
		}
	}
}

// What was parked before the type was kept with it is found by the type, too, once the sweep has been there.
func TestOldParkedMessagesGetTheirType(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.add("pump-1")
		parked, err := platform.OpenParked(ctx, w.Base.DB)
		must(t, err)
		var old []api.ParkedMessage
		for i := range 700 {
			old = append(old, api.ParkedMessage{ID: fmt.Sprintf("pump-1|%03d", i), Twin: "pump-1", Kind: telemetry.Undecoded, Received: noon, Raw: []byte("o"), Reason: "why"})
		}
		old = append(old, api.ParkedMessage{ID: "nobody|1", Twin: "nobody", Kind: telemetry.Undecoded, Received: noon}, api.ParkedMessage{ID: "|1", Ref: "r-1", Kind: telemetry.Undecoded, Received: noon})
		_, err = parked.InsertMany(ctx, old)
		must(t, err)
		for i, want := range []int{499, 201, 0} { // the first is nobody's
			if out, err := w.Part("twin-watchdog", "").Sweep(ctx, "twin-ingest"); err != nil || out.Repaired != want {
				t.Errorf("sweep %d: %+v, %v; want %d", i, out, err, want)
			}
		}
		if got, err := w.raws(w.Admin(), url.Values{"type": {"pump"}}, 300); err != nil || strings.Count(got, "o") != 700 {
			t.Errorf("%d are found by their type, %v", strings.Count(got, "o"), err)
		}
		if m, err := parked.Get(ctx, "pump-1|001"); err != nil || m.Reason != "why" || string(m.Raw) != "o" {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// What one speaks for is found and deleted by it, however many names it has made up; for maintainers.
func TestMessagesOfNoTwinByWhoSpoke(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		ctx, admin := context.Background(), w.Admin()
		by := func(via device.Ref, s int, raw string) telemetry.Message {
			m := stray(device.RelayedRef(via, fmt.Sprint("lamp-", s)), s, raw)
			m.Via = via
			return m
		}
		w.say(by("bridge", 1, "a"), by("other", 2, "b"), by("bridge", 3, "c"), stray("bridge", 4, "d"), stray("r-1", 5, "e"))
		if got, err := w.raws(admin, url.Values{"via": {"bridge"}}, 1); err != nil || got != "c a" {
			t.Errorf("kept of what it speaks for is %q, %v", got, err)
		}
		if page, err := admin.ListStrayVia(ctx, "bridge", ""); err != nil || len(page.Items) != 2 {
			t.Errorf("%+v, %v", page, err)
		}
		olga := w.User("olga", []access.Role{access.Owner}, "plant")
		if _, err := olga.ListStrayVia(ctx, "bridge", ""); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("who is no maintainer lists: %v, want not found", err)
		}
		for _, query := range []string{"via=..%2Fx", "via=bridge&ref=r-1", "via=bridge&twin=pump-1", "via=bridge&driver=th", "via=bridge&type=pump"} {
			if err := admin.Call(ctx, "GET", "twin-ingest", "/parked?"+query, nil, nil); !errors.Is(err, twin.ErrInvalid) {
				t.Errorf("%s: %v, want invalid", query, err)
			}
		}
		for _, query := range []string{"via=..%2Fx", "via=bridge&ref=r-1", "via=bridge&all=true"} {
			if err := admin.Call(ctx, "DELETE", "twin-ingest", "/parked?"+query, nil, nil); !errors.Is(err, twin.ErrInvalid) {
				t.Errorf("delete %s: %v, want invalid", query, err)
			}
		}
		if got, err := admin.DeleteStray(ctx, api.StrayParked{Via: "bridge", Before: noon.Add(2e9)}); err != nil || got.Deleted != 1 || w.strays("") != "e d c b" {
			t.Errorf("%+v, %v; left %s", got, err, w.strays(""))
		}
		if got, err := admin.DeleteStray(ctx, api.StrayParked{Via: "bridge"}); err != nil || got.Deleted != 1 || w.strays("") != "e d b" {
			t.Errorf("%+v, %v; left %s", got, err, w.strays(""))
		}
	})
}

// asked is a store that notes what is asked for of parked messages.
type asked struct {
	store.Driver
	*askedOf
}

type askedOf struct {
	mu     sync.Mutex
	walked [][]string // the fields of each walk, nil = all
	whole  int        // documents that were read whole by their ids
}

type askedTable struct {
	store.Table
	*askedOf
}

func (d asked) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := d.Driver.Table(ctx, name, indexes)
	if err != nil || name != "parked" {
		return t, err
	}
	return askedTable{t, d.askedOf}, nil
}

func (t askedTable) Walk(ctx context.Context, w store.Walk, each func(store.Hit) error) (*store.Mark, error) {
	t.mu.Lock()
	t.walked = append(t.walked, w.Fields)
	t.mu.Unlock()
	return t.Table.Walk(ctx, w, each)
}

func (t askedTable) Get(ctx context.Context, ids []string) ([]bson.Raw, error) {
	t.mu.Lock()
	t.whole += len(ids)
	t.mu.Unlock()
	return t.Table.Get(ctx, ids)
}

// Whoever sees to the bounds asks for sizes and not for payloads. Those of messages that were kept without one are found out once, and the
// bounds hold for them too.
func TestTrimmingReadsSizes(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		restore := twiningest.SetStrayBounds(1_000, 1_000, 10_000, 1, 1, 1)
		defer restore()
		noted := &askedOf{}
		w.Base.DB = store.New(asked{w.Base.DB.Driver(), noted})
		w.Add("twin-ingest", twiningest.New)
		trimmed := func(s int) (whole int) {
			before := noted.whole
			w.say(stray("r-new", s, "x"))
			return noted.whole - before
		}
		for i := range 8 {
			w.say(stray("r-1", 100+i, strings.Repeat("x", 1_000)))
		}
		if n := trimmed(110); n != 0 || len(noted.walked) == 0 {
			t.Errorf("%d payloads were read to see to the bounds, %d walks", n, len(noted.walked))
		}
		for _, fields := range noted.walked {
			if fields == nil || slices.Contains(fields, "raw") {
				t.Errorf("a walk asked for %v", fields)
			}
		}

		parked, err := platform.OpenParked(ctx, w.Base.DB)
		must(t, err)
		for i := range 20 {
			must(t, parked.Insert(ctx, api.ParkedMessage{ID: fmt.Sprint("|", i), Ref: "r-old", Kind: telemetry.Undecoded, Received: noon, Raw: []byte(strings.Repeat("o", 400))}))
		}
		if n := trimmed(111); n != 20 {
			t.Errorf("%d messages without a size were read, want 20", n)
		}
		size, old := 0, 0
		must(t, parked.Scan(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", "")}, func(m api.ParkedMessage) error {
			if size += len(m.Raw); m.Ref == "r-old" {
				old++
			}
			return nil
		}))
		if size > 10_000 || old != 4 {
			t.Errorf("%d bytes are kept, %d messages without a size; want at most 10,000, and 4", size, old)
		}
		if n := trimmed(112); n != 0 {
			t.Errorf("%d messages were read again for their sizes", n)
		}
	})
}
