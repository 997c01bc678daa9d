package alerts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// forgetTold brings an alarm into the state in which a crash between keeping and telling leaves it.
func (w *world) forgetTold(id string) {
	w.t.Helper()
	type alarm struct {
		ID     string `bson:"_id"`
		Untold struct {
			Raised bool      `bson:"raised"`
			Since  time.Time `bson:"since"`
		} `bson:"untold"`
	}
	c, err := store.Open[alarm](ctx, w.Base.DB, store.Spec{Name: "alarms"})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.Update(ctx, id, func(a *alarm) error { a.Untold.Raised, a.Untold.Since = true, w.Now(); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// lease brings the deliveries of an alarm into the state in which an instance that died while sending leaves them.
func (w *world) lease(alarm string, until time.Time) {
	w.t.Helper()
	type delivery struct {
		ID    string    `bson:"_id"`
		Lease string    `bson:"lease"`
		Next  time.Time `bson:"next"`
	}
	c, err := store.Open[delivery](ctx, w.Base.DB, store.Spec{Name: "deliveries"})
	if err != nil {
		w.t.Fatal(err)
	}
	for id := range w.deliveries(alarm) {
		if _, err := c.Update(ctx, id, func(d *delivery) error { d.Lease, d.Next = "dead", until; return nil }); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestTransitionsInAnyOrder(t *testing.T) {
	raised, cleared := alarm("pump-1:hot:1", true, start), alarm("pump-1:hot:1", false, start.Add(time.Minute))
	for name, events := range map[string][]event.Event{
		"in order":                 {raised, cleared},
		"the end first":            {cleared, raised},
		"each twice":               {raised, raised, cleared, cleared},
		"the beginning once more":  {raised, cleared, raised},
		"the end first, and again": {cleared, raised, cleared, raised},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.route(api.Route{Email: []string{"ada@example.com"}, Cleared: true})
			for _, e := range events {
				w.hand(e)
			}
			a, err := w.Admin().GetAlarm(ctx, "pump-1:hot:1")
			if err != nil {
				t.Fatal(err)
			}
			if a.State != monitor.Cleared || !a.RaisedAt.Equal(start) || !a.ClearedAt.Equal(start.Add(time.Minute)) || a.Value != 91.5 || a.Title == "" {
				t.Errorf("the alarm is %+v", a)
			}
			w.run()
			w.run()
			if n := len(w.mail.letters()); n != 2 {
				t.Errorf("%d letters, want one of the beginning and one of the end", n)
			}
		})
	}
}

func TestUnusableEventsDoNotBlockOthers(t *testing.T) {
	w := newWorld(t)
	w.hand(event.Event{ID: "x", Topic: event.AlarmRaised, Data: []byte(`{"alarm":7}`)},
		event.New("y", event.AlarmRaised, "", start, monitor.Transition{Raised: true}),
		event.New("z", "made.up", "", start, 1),
		alarm("pump-1:hot:1", true, start))
	if _, err := w.Admin().GetAlarm(ctx, "pump-1:hot:1"); err != nil {
		t.Error(err)
	}
}

func TestAcknowledge(t *testing.T) {
	w := newWorld(t)
	w.twin("pump-1", "press")
	ada, bob, vic := w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "press"), w.User("vic", []access.Role{access.Viewer}, "press")
	w.hand(alarm("pump-1:hot:1", true, start))
	if _, err := vic.AcknowledgeAlarm(ctx, "pump-1:hot:1", ""); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a viewer takes the alarm on: %v, want ErrDenied", err)
	}
	for range 2 { // a lost answer makes people ask again
		a, err := ada.AcknowledgeAlarm(ctx, "pump-1:hot:1", "looking\ninto it")
		if err != nil {
			t.Fatal(err)
		}
		if a.State != monitor.Acknowledged || a.AcknowledgedBy != "user:ada" || a.Note != "looking\ninto it" || !a.AcknowledgedAt.Equal(start) {
			t.Errorf("the alarm is %+v", a)
		}
	}
	if _, err := bob.AcknowledgeAlarm(ctx, "pump-1:hot:1", "me too"); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "ada") {
		t.Errorf("somebody else takes it on: %v, want a conflict that names ada", err)
	}
	w.hand(alarm("pump-1:hot:1", false, start.Add(time.Minute)))
	if _, err := ada.AcknowledgeAlarm(ctx, "pump-1:hot:1", "late"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("taking on an alarm that is over: %v, want ErrConflict", err)
	}
}

// list walks all pages of one item.
func list(t *testing.T, c *api.Client, query string) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		var page api.Page[api.Alarm]
		if err := c.Call(ctx, "GET", "alerts", "/alarms?limit=1"+query+"&cursor="+cursor, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Items {
			ids = append(ids, a.ID)
		}
		if len(page.Items) > 1 {
			t.Fatalf("a page of limit 1 has %d items", len(page.Items))
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

func TestListsShowWhatTheCallerMaySee(t *testing.T) {
	w := newWorld(t)
	w.twin("pump-1", "press")
	w.twin("pump-2", "paint")
	at := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
	for i, x := range []monitor.Transition{
		{Alarm: "a", Twin: "pump-1", Type: "pump", Owner: "press"},
		{Alarm: "b", Twin: "pump-2", Type: "pump", Owner: "paint"},
		{Alarm: "c", Twin: "pump-1", Type: "pump", Owner: "press", Aggregates: []twin.ID{"line-2"}},
		{Alarm: "d", Twin: "gone", Type: "pump", Owner: "press"},
		{Alarm: "e", Twin: "pump-2", Type: "pump", Owner: "press"}, // pump-2 was of group press then
	} {
		x.Raised, x.At = true, at(i)
		w.hand(transition(x))
	}
	w.hand(event.New("p", event.AlarmRaised, "", at(5), monitor.Transition{Alarm: ":sweep.x:1", Raised: true, Name: "function x", Title: "fails", Severity: monitor.Critical, At: at(5)}))
	w.hand(transition(monitor.Transition{Alarm: "c", At: at(6)}))
	grants, err := store.Open[access.Grant](ctx, w.Base.DB, store.Spec{Name: "grants"})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []access.Grant{{ID: "1", Subject: "user:gil", Object: "twin:pump", Right: access.Read}, {ID: "2", Subject: "user:gil", Object: "twin:pump-1", Right: access.Read}} {
		if err := grants.Insert(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	sam := w.User("sam", []access.Role{access.Owner, access.Configurator, access.Developer, access.Viewer})
	gil := w.User("gil", []access.Role{access.Viewer})
	for name, c := range map[string]struct {
		as    *api.Client
		query string
		want  string
	}{
		"a maintainer sees all, newest first":              {w.Admin(), "", ":sweep.x:1 e d c b a"},
		"an owner sees those of own twins as they are now": {ada, "", "d c a"},
		"a grant on a type shows those below it, once":     {gil, "", "e d c b a"},
		"a stranger sees nothing":                          {sam, "", ""},
		"open ones":                                        {ada, "&state=open", "d a"},
		"cleared ones":                                     {w.Admin(), "&state=cleared", "c"},
		"of one twin":                                      {w.Admin(), "&twin=pump-1", "c a"},
		"of one twin, raised":                              {gil, "&twin=pump-1&state=raised", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(list(t, c.as, c.query), " "); got != c.want {
				t.Errorf("sees %q, want %q", got, c.want)
			}
		})
	}
	if page, err := gil.ListAlarms(ctx, api.AlarmQuery{}); err != nil || len(page.Items) != 5 || page.Next != "" {
		t.Errorf("two grants that reach the same alarms show %d of 5, next %q, %v", len(page.Items), page.Next, err)
	}
	for _, id := range []string{"b", ":sweep.x:1", "e"} {
		_, hidden := ada.GetAlarm(ctx, id)
		if !errors.Is(hidden, api.ErrNotFound) || hidden.Error() != fmt.Sprintf("there is no alarm %q", id) {
			t.Errorf("alarm %s of another group: %v, want the words of one that is not there", id, hidden)
		}
	}
	if _, err := sam.ListAlarms(ctx, api.AlarmQuery{Twin: "pump-1"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger asks for a twin's alarms: %v, want not found", err)
	}
}

// Many alarms of one moment must all be paged through.
func TestPagesOfAlarmsOfOneMoment(t *testing.T) {
	w := newWorld(t)
	var events []event.Event
	for i := range 250 {
		events = append(events, alarm(fmt.Sprintf("pump-1:hot:%d", i), true, start))
	}
	w.hand(events...)
	seen := map[string]bool{}
	q := api.AlarmQuery{}
	for pages := 1; ; pages++ {
		page, err := w.Admin().ListAlarms(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Items {
			if seen[a.ID] {
				t.Errorf("%s is shown twice", a.ID)
			}
			seen[a.ID] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			if len(seen) != 250 || pages != 3 {
				t.Errorf("%d alarms on %d pages, want 250 on 3", len(seen), pages)
			}
			return
		}
	}
}

func TestAlarmsOfADeletedTwinEnd(t *testing.T) {
	w := newWorld(t)
	w.twin("pump-1", "press")
	w.hand(alarm("pump-1:hot:1", true, start))
	gone := event.New("pump-1#3", event.TwinDeleted, "pump-1", start.Add(time.Hour), api.TwinChanged{Twin: "pump-1"})
	w.hand(gone)
	if a, err := w.Admin().GetAlarm(ctx, "pump-1:hot:1"); err != nil || a.State != monitor.Raised {
		t.Errorf("the alarm of a twin that is there: %s, %v", a.State, err)
	}
	if err := w.twins.Delete(ctx, "pump-1"); err != nil {
		t.Fatal(err)
	}
	w.hand(gone, gone)
	if a, err := w.Admin().GetAlarm(ctx, "pump-1:hot:1"); err != nil || a.State != monitor.Cleared || !a.ClearedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("the alarm of a deleted twin: %+v, %v", a, err)
	}
}

func TestHostileCallsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.hand(alarm("pump-1:hot:1", true, start))
	admin := w.Admin()
	for name, c := range map[string]struct{ method, path, body, want string }{
		"an unknown state":               {"GET", "/alarms?state=awful", "", "state"},
		"a made-up cursor":               {"GET", "/alarms?cursor=AAAA", "", "cursor"},
		"a cursor that is not base64":    {"GET", "/alarms?cursor=%00%ff", "", "cursor"},
		"a limit of letters":             {"GET", "/alarms?limit=x", "", "limit"},
		"a negative limit":               {"GET", "/alarms?limit=-1", "", "limit"},
		"a twin that is no id":           {"GET", "/alarms?twin=%00", "", "no twin"},
		"an alarm that is a path":        {"GET", "/alarms/..%2f..%2fetc", "", "no alarm"},
		"an alarm that is not UTF-8":     {"GET", "/alarms/%ff%fe", "", "no alarm"},
		"an alarm with a zero":           {"GET", "/alarms/a%00b", "", "no alarm"},
		"a very long alarm":              {"GET", "/alarms/" + strings.Repeat("a", 5000), "", "no alarm"},
		"deliveries of no alarm":         {"GET", "/alarms/x/deliveries", "", "no alarm"},
		"deliveries by a made-up cursor": {"GET", "/alarms/pump-1:hot:1/deliveries?cursor=x", "", "cursor"},
		"a note of another type":         {"POST", "/alarms/pump-1:hot:1/acknowledge", `{"note":7}`, "note"},
		"a note with a control":          {"POST", "/alarms/pump-1:hot:1/acknowledge", `{"note":"a\u0000b"}`, "note"},
		"a long note":                    {"POST", "/alarms/pump-1:hot:1/acknowledge", `{"note":"` + strings.Repeat("a", 1001) + `"}`, "note"},
		"an unknown field":               {"POST", "/alarms/pump-1:hot:1/acknowledge", `{"by":"eve"}`, "by"},
		"a route that tells nobody":      {"POST", "/routes", `{"cleared":true}`, "email"},
		"a route of both kinds":          {"POST", "/routes", `{"email":["a@b.c"],"webhook":"https://x.example"}`, "email"},
		"an address with a name":         {"POST", "/routes", `{"email":["Ada <ada@example.com>"]}`, "email[0]"},
		"an address with a line break":   {"POST", "/routes", `{"email":["ada@example.com\r\nBcc: eve@example.com"]}`, "email[0]"},
		"too many addresses":             {"POST", "/routes", `{"email":["a@b.c"` + strings.Repeat(`,"a@b.c"`, 20) + `]}`, "email"},
		"a webhook of another scheme":    {"POST", "/routes", `{"webhook":"file:///etc/passwd"}`, "webhook"},
		"a webhook with a password":      {"POST", "/routes", `{"webhook":"https://a:b@example.com"}`, "password"},
		"a webhook without a host":       {"POST", "/routes", `{"webhook":"https://"}`, "webhook"},
		"a webhook that is too long":     {"POST", "/routes", `{"webhook":"https://example.com/` + strings.Repeat("a", 3000) + `"}`, "webhook"},
		"an own secret":                  {"POST", "/routes", `{"webhook":"https://example.com","secret":"x"}`, "secret"},
		"an unknown severity":            {"POST", "/routes", `{"email":["a@b.c"],"severity":"awful"}`, "severity"},
		"an owner that is no id":         {"POST", "/routes", `{"email":["a@b.c"],"owner":"a b"}`, "owner"},
		"a twin that is not there":       {"POST", "/routes", `{"email":["a@b.c"],"twin":"nope"}`, "nope"},
		"a name with a control":          {"POST", "/routes", `{"email":["a@b.c"],"name":"a\nb"}`, "name"},
		"routes by a made-up cursor":     {"GET", "/routes?cursor=x", "", "cursor"},
		"deleting a path":                {"DELETE", "/routes/..%2fx", "", "no route"},
		"a route of no body":             {"POST", "/routes", "", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			var in any
			if c.body != "" {
				in = api.Raw{ContentType: "application/json", Body: []byte(c.body)}
			}
			err := admin.Call(ctx, c.method, "alerts", c.path, in, nil)
			var p *api.Problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 {
				t.Fatalf("answered %v, want a problem of the caller's", err)
			}
			if !strings.Contains(p.Detail, c.want) {
				t.Errorf("the problem %q does not name %q", p.Detail, c.want)
			}
		})
	}
	if err := admin.Call(ctx, "POST", "alerts", "/events", []event.Event{}, nil); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a person hands events over: %v, want ErrDenied", err)
	}
	if _, err := w.Nobody().ListAlarms(ctx, api.AlarmQuery{}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("without a token: %v", err)
	}
}

// Who has taken an alarm on may let go of it; counts and lists by severity follow.
func TestLettingGoAndCounting(t *testing.T) {
	w := newWorld(t)
	w.twin("pump-1", "press")
	w.twin("pump-2", "others")
	w.hand(alarm("pump-1:hot:1", true, start), transition(monitor.Transition{Alarm: "pump-2:hot:1", Twin: "pump-2", Owner: "others", Raised: true, At: start}))
	admin := w.Admin()
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	bob := w.User("bob", []access.Role{access.Owner}, "press")
	a, err := admin.GetAlarm(ctx, "pump-1:hot:1")
	if err != nil {
		t.Fatal(err)
	}
	severity := a.Severity
	counts := func(c *api.Client) string {
		t.Helper()
		n, err := c.CountAlarms(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(n.Raised[severity], n.Acknowledged[severity])
	}
	if _, err := ada.AcknowledgeAlarm(ctx, "pump-1:hot:1", "mine"); err != nil {
		t.Fatal(err)
	}
	if got := counts(admin) + ", " + counts(ada); got != "1 1, 0 1" {
		t.Errorf("taken on, the counts are %s", got)
	}
	if _, err := bob.ReleaseAlarm(ctx, "pump-1:hot:1"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another lets go of it: %v", err)
	}
	if _, err := ada.ReleaseAlarm(ctx, "pump-2:hot:1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("one she may not see: %v", err)
	}
	for range 2 {
		a, err := ada.ReleaseAlarm(ctx, "pump-1:hot:1")
		if err != nil || a.State != monitor.Raised || a.AcknowledgedBy != "" || a.Note != "" || !a.AcknowledgedAt.IsZero() {
			t.Errorf("let go, it is %+v, %v", a, err)
		}
	}
	if got := counts(admin) + ", " + counts(ada); got != "2 0, 1 0" {
		t.Errorf("let go, the counts are %s", got)
	}
	if _, err := bob.AcknowledgeAlarm(ctx, "pump-1:hot:1", ""); err != nil {
		t.Errorf("another takes it on then: %v", err)
	}
	for q, want := range map[api.AlarmQuery]int{{Severity: string(severity)}: 2, {Severity: "info,warning,critical", State: "open", Limit: 1}: 2, {Severity: "info"}: 0} {
		n := 0
		for {
			page, err := admin.ListAlarms(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.Items)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if n != want {
			t.Errorf("%+v: %d alarms, want %d", q, n, want)
		}
	}
	if _, err := admin.ListAlarms(ctx, api.AlarmQuery{Severity: "bad"}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a severity that is none: %v", err)
	}
}
