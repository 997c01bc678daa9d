package alerts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// The bounds of a notification, in bytes.
const (
	maxNoticeTitle = 200
	maxNoticeText  = 4096
	maxNoticeKey   = 200
)

// linkPattern is a path within the console: a message must not lead people to another host.
var linkPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~?=&%-]+)+$`)

// notify makes the messages of a notification that is no alarm. There is no document of it: the deliveries' ids say key, route
// and address, so one that is asked for again, by a caller that does not know what came of it, is told once.
func (f *function) notify(ctx context.Context, _ *faas.Call, in api.Notification) (out api.Noticed, err error) {
	if err := validNotice(in); err != nil {
		return out, err
	}
	var all []delivery
	q := store.Query{Index: "by-of", Filter: store.In("of", ownersName(""), ownersName(in.Owner))}
	err = f.routes.Scan(ctx, q, func(r route) error {
		// A route for severe alarms, or for those of one twin only, did not ask for this.
		if r.Severity.Rank() <= monitor.Info.Rank() && r.Twin == "" {
			all = append(all, f.deliveriesOf(&in, &r)...)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return out, err
	}
	errs, err := f.deliveries.InsertMany(ctx, all)
	if err != nil {
		return out, err
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, store.ErrExists) {
			return out, err
		}
	}
	return api.Noticed{Deliveries: len(all)}, nil
}

func validNotice(n api.Notification) error {
	text := func(s string) bool {
		return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' })
	}
	switch {
	case n.Key == "" || len(n.Key) > maxNoticeKey || text(n.Key):
		return api.Invalid("key must be a text of 1 to %d bytes that is the same whenever this is asked for again", maxNoticeKey)
	case twin.ID(n.Owner).Valid() != nil:
		return api.Invalid("owner %.80q must be a group's id", n.Owner)
	case n.Title == "" || len(n.Title) > maxNoticeTitle || text(n.Title):
		return api.Invalid("title must be a text of 1 to %d bytes", maxNoticeTitle)
	case len(n.Text) > maxNoticeText || text(n.Text):
		return api.Invalid("text must be a text of at most %d bytes", maxNoticeText)
	case n.Link != "" && (len(n.Link) > 512 || !linkPattern.MatchString(n.Link)):
		return api.Invalid("link must be a path of the console, like /runs/run-1f0c")
	}
	return nil
}

// deliveriesOf makes the messages of a notification by one route, as deliveriesFor does of an alarm.
func (f *function) deliveriesOf(n *api.Notification, r *route) (out []delivery) {
	sum := sha256.Sum256([]byte(n.Owner + "\x00" + n.Key))
	id := "notice-" + hex.EncodeToString(sum[:16])
	now := f.p.Time()
	d := delivery{Owner: r.Owner, Created: now, Delivery: api.Delivery{Alarm: id, Route: r.ID, Raised: true, State: pending, Next: now}}
	if r.Webhook != "" {
		d.ID = deliveryID(id, true, r.ID, 0)
		body, err := json.Marshal(api.Notice{Delivery: d.ID, Raised: true, Notification: n})
		if err != nil {
			panic(err) // it came as JSON
		}
		d.Body = body
		return []delivery{d}
	}
	d.Subject, d.Text = line("[notice] "+n.Title, 200), noticeText(n)
	for i, to := range r.Email {
		d.ID, d.To = deliveryID(id, true, r.ID, i), to
		out = append(out, d)
	}
	return out
}

// noticeText is the message for people. Each line is made safe by itself: names in it come from devices.
func noticeText(n *api.Notification) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", line(n.Title, maxNoticeTitle))
	if n.Text != "" {
		b.WriteString("\n")
		for l := range strings.Lines(n.Text) {
			fmt.Fprintf(&b, "%s\n", line(strings.TrimRight(l, "\n"), 500))
		}
	}
	if n.Link != "" {
		fmt.Fprintf(&b, "\nIn the console: %s\n", n.Link)
	}
	return b.String()
}
