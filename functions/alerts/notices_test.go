package alerts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// What is no alarm goes by the routes of its group that want to hear of everything, once per key, by mail and webhook.
func TestANotificationIsToldOnce(t *testing.T) {
	w := newWorld(t)
	rc := newReceiver(t, nil)
	owner := w.User("ada", []access.Role{access.Owner}, "press")
	w.User("bob", []access.Role{access.Owner}, "foundry")
	for _, r := range []api.Route{
		{Owner: "press", Email: []string{"ada@example.com", "eve@example.com"}}, {Owner: "press", Webhook: rc.URL},
		{Owner: "press", Email: []string{"night@example.com"}, Severity: monitor.Critical}, // asked for the severe only
	} {
		if _, err := owner.CreateRoute(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	w.route(api.Route{Owner: "foundry", Email: []string{"bob@example.com"}})
	n := api.Notification{Key: "run-1/3/0", Owner: "press", Title: "P-7 waits for you\u2028Bcc: x", Text: "May it come in?\nserial P-7", Link: "/runs/run-1"}
	for range 3 {
		out, err := w.Part("twin-provision", "").Notify(ctx, n)
		if err != nil || out.Deliveries != 3 {
			t.Fatalf("%+v, %v", out, err)
		}
		w.run()
	}
	var to []string
	for _, l := range w.mail.letters() {
		to = append(to, l.to...)
		if s := l.Header.Get("Subject"); !strings.Contains(s, "P-7 waits for you Bcc: x") {
			t.Errorf("subject %q", s)
		}
		if l.Header.Get("Bcc") != "" || !strings.Contains(l.body, "serial P-7") || !strings.Contains(l.body, "/runs/run-1") {
			t.Errorf("the letter:\n%v\n%s", l.Header, l.body)
		}
	}
	if len(to) != 2 {
		t.Errorf("letters went to %v", to)
	}
	calls := rc.got()
	if len(calls) != 1 || calls[0].notice.Notification == nil || calls[0].notice.Notification.Key != n.Key || calls[0].notice.Alarm.ID != "" {
		t.Errorf("the webhook was called with %+v", calls)
	}
	n.Key = "run-1/3/1"
	if _, err := w.Part("twin-provision", "").Notify(ctx, n); err != nil {
		t.Fatal(err)
	}
	if w.run(); len(rc.got()) != 2 {
		t.Error("another key is another notification")
	}
}

func TestABadNotificationIsRefused(t *testing.T) {
	w := newWorld(t)
	good := api.Notification{Key: "k", Owner: "press", Title: "t"}
	for field, change := range map[string]func(*api.Notification){
		"key":   func(n *api.Notification) { n.Key = "" },
		"owner": func(n *api.Notification) { n.Owner = "../press" },
		"title": func(n *api.Notification) { n.Title = strings.Repeat("x", 201) },
		"text":  func(n *api.Notification) { n.Text = "a\x00b" },
		"link":  func(n *api.Notification) { n.Link = "https://evil.example/" },
	} {
		n := good
		change(&n)
		if _, err := w.Part("twin-provision", "").Notify(ctx, n); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := w.Admin().Notify(ctx, good); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a person: %v", err)
	}
}
