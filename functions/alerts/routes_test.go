package alerts_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

func TestRoutesChooseAlarms(t *testing.T) {
	critical := monitor.Transition{Alarm: "x", Raised: true, At: start, Twin: "pump-1", Type: "pump", Owner: "press", Aggregates: []twin.ID{"line-2"}, Severity: monitor.Critical}
	warning := critical
	warning.Severity = monitor.Warning
	paint := critical
	paint.Twin, paint.Owner = "wall-1", "paint"
	over := critical
	over.Raised = false
	w := newWorld(t)
	for _, id := range []twin.ID{"pump-1", "pump-2", "pump"} {
		w.twin(id, "press")
	}
	for name, c := range map[string]struct {
		route api.Route
		of    monitor.Transition
		want  int
	}{
		"everybody's":                     {api.Route{}, critical, 1},
		"of the owner":                    {api.Route{Owner: "press"}, critical, 1},
		"of another owner":                {api.Route{Owner: "press"}, paint, 0},
		"severe enough":                   {api.Route{Severity: monitor.Warning}, warning, 1},
		"not severe enough":               {api.Route{Severity: monitor.Critical}, warning, 0},
		"of the twin":                     {api.Route{Twin: "pump-1"}, critical, 1},
		"of the twin's type":              {api.Route{Twin: "pump"}, critical, 1},
		"of another twin":                 {api.Route{Twin: "pump-2"}, critical, 0},
		"the end, if people want to know": {api.Route{Cleared: true}, over, 1},
		"the end, if they do not":         {api.Route{}, over, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.route.Email = []string{"ada@example.com"}
			r := w.route(c.route)
			c.of.Alarm = "of:" + r.ID
			w.hand(transition(c.of))
			n := 0
			for _, d := range w.deliveries(c.of.Alarm) {
				if d.Route == r.ID {
					n++
				}
			}
			if n != c.want {
				t.Errorf("%d deliveries, want %d", n, c.want)
			}
		})
	}
}

func TestRoutesBelongToGroups(t *testing.T) {
	w := newWorld(t)
	w.twin("pump-1", "press")
	w.twin("pump-2", "paint")
	ada, pia := w.User("ada", []access.Role{access.Owner}, "press"), w.User("pia", []access.Role{access.Owner}, "paint")
	vic := w.User("vic", []access.Role{access.Viewer}, "press")
	mine, err := ada.CreateRoute(ctx, api.Route{Owner: "press", Email: []string{"ada@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	w.route(api.Route{Email: []string{"ops@example.com"}})

	if _, err := ada.CreateRoute(ctx, api.Route{Email: []string{"ada@example.com"}}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner makes a route for everybody's alarms: %v, want ErrDenied", err)
	}
	if _, err := ada.CreateRoute(ctx, api.Route{Owner: "paint", Email: []string{"ada@example.com"}}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner makes a route of another group: %v, want ErrDenied", err)
	}
	if _, err := ada.CreateRoute(ctx, api.Route{Owner: "press", Twin: "pump-2", Email: []string{"ada@example.com"}}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("an owner makes a route for a twin of another group: %v, want not found", err)
	}
	if _, err := vic.CreateRoute(ctx, api.Route{Owner: "press", Email: []string{"vic@example.com"}}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a viewer makes a route: %v, want ErrDenied", err)
	}
	for name, c := range map[string]struct {
		as   *api.Client
		want int
	}{"a maintainer sees all": {w.Admin(), 2}, "an owner sees the own group's": {ada, 1}, "another group sees none": {pia, 0}} {
		if page, err := c.as.ListRoutes(ctx, ""); err != nil || len(page.Items) != c.want {
			t.Errorf("%s: %d, %v, want %d", name, len(page.Items), err, c.want)
		}
	}
	// Who is told is the route's owner's affair.
	w.hand(alarm("pump-1:hot:1", true, start))
	if page, err := ada.ListDeliveries(ctx, "pump-1:hot:1"); err != nil || len(page.Items) != 1 || page.Items[0].Route != mine.ID {
		t.Errorf("an owner sees the deliveries %+v, %v, want the own one", page.Items, err)
	}
	if err := pia.DeleteRoute(ctx, mine.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another group deletes the route: %v, want not found", err)
	}
	if err := ada.DeleteRoute(ctx, mine.ID); err != nil {
		t.Fatal(err)
	}
	w.run()
	for _, d := range w.deliveries("pump-1:hot:1") {
		if want := map[bool]string{true: "failed", false: "sent"}[d.Route == mine.ID]; d.State != want {
			t.Errorf("the delivery of route %s is %s (%s), want %s", d.Route, d.State, d.Reason, want)
		}
	}
}

func TestSecretIsShownOnceAndSealed(t *testing.T) {
	w := newWorld(t)
	r := w.route(api.Route{Webhook: "https://example.com/hook"})
	page, err := w.Admin().ListRoutes(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 1 || page.Items[0].Secret != "" || r.Secret == "" {
		t.Errorf("the secret was shown as %q, then as %q", r.Secret, page.Items[0].Secret)
	}
	type stored struct {
		ID     string `bson:"_id"`
		Sealed []byte `bson:"sealed"`
		Secret string `bson:"secret"`
	}
	c, err := store.Open[stored](ctx, w.Base.DB, store.Spec{Name: "routes"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Get(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if s.Secret != "" || len(s.Sealed) == 0 || bytes.Contains(s.Sealed, []byte(r.Secret)) {
		t.Error("the secret is not sealed in the store")
	}
}

func TestMailNeedsAServer(t *testing.T) {
	w := newWorld(t, func(b *platform.Base) { b.Mail = platform.Mail{} })
	_, err := w.Admin().CreateRoute(ctx, api.Route{Email: []string{"ada@example.com"}})
	if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "castor up --smtp") || !strings.Contains(err.Error(), "CASTOR_SMTP_FROM") {
		t.Errorf("an e-mail route without a mail server: %v, want ErrConflict with the remedy", err)
	}
}

func TestARouteOfAGroupThatIsNone(t *testing.T) {
	w := newWorld(t)
	_, err := w.Admin().CreateRoute(ctx, api.Route{Owner: "pres", Webhook: "https://example.com/hook"})
	if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), `owner: there is no group "pres"; make it first`) {
		t.Errorf("a route of no group: %v, want ErrInvalid with the remedy", err)
	}
}

func TestAlarmsOfThePlatformGoToMaintainersRoutes(t *testing.T) {
	w := newWorld(t)
	w.route(api.Route{Owner: "press", Email: []string{"ada@example.com"}})
	w.route(api.Route{Email: []string{"ops@example.com"}})
	w.hand(event.New("p", event.AlarmRaised, "", start, monitor.Transition{Alarm: ":sweep.twins:1", Raised: true, Name: "function twins", Title: "its sweep fails",
		Rule: "sweep.twins", Severity: monitor.Critical, At: start, Before: []twin.Occurrence{{At: start.Add(-time.Minute), What: "first failure"}}}))
	w.run()
	got := w.mail.letters()
	if len(got) != 1 || got[0].to[0] != "ops@example.com" || got[0].Header.Get("Subject") != "[critical] function twins: its sweep fails" {
		t.Errorf("%d letters, want one to ops: %+v", len(got), got)
	}
}
