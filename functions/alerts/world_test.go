package alerts_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/functions/authorization"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var ctx = context.Background()

var start = time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)

// A world is two instances of function alerts over the same store, and a mail server.
type world struct {
	*functiontest.World
	t     *testing.T
	twins *store.Collection[twin.Twin]
	mail  *mailbox

	admin *api.Client
	since time.Time // of the administrator's sign-in
}

// Admin is the administrator, who signs in anew when some time has passed: signing in is made to be slow.
func (w *world) Admin() *api.Client {
	if d := w.Now().Sub(w.since); w.admin == nil || d < 0 || d > time.Minute {
		w.admin, w.since = w.World.Admin(), w.Now()
	}
	return w.admin
}

// instances are the names under which alerts runs.
var instances = []string{"alerts", "alerts-2"}

func newWorld(t *testing.T, change ...func(*platform.Base)) *world {
	t.Helper()
	w := &world{World: functiontest.New(t, nil), t: t, mail: newMailbox(t, nil)}
	w.Base.Mail = platform.Mail{URL: "smtp://" + w.mail.addr, From: "Castor <castor@example.com>"}
	for _, f := range change {
		f(&w.Base)
	}
	w.Add("authorization", authorization.New)
	for _, name := range instances {
		w.Add(name, alerts.New)
	}
	var err error
	if w.twins, err = platform.OpenTwins(ctx, w.Base.DB); err != nil {
		t.Fatal(err)
	}
	w.SetTime(start)
	return w
}

func (w *world) twin(id twin.ID, owner string) {
	w.t.Helper()
	if err := w.twins.PutMany(ctx, []twin.Twin{{ID: id, Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: "pump", Owner: owner}}}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) { w.SetTime(w.Now().Add(d)) }

// run fires the schedule.
func (w *world) run() {
	w.t.Helper()
	if err := w.Tick("alerts", w.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// hand delivers events.
func (w *world) hand(events ...event.Event) {
	w.t.Helper()
	if err := w.Event("alerts", events...); err != nil {
		w.t.Fatal(err)
	}
}

// alarm is the transition of an alarm about a twin of group press.
func alarm(id string, raised bool, at time.Time) event.Event {
	return transition(monitor.Transition{Alarm: id, Raised: raised, At: at})
}

// transition completes t with what tests do not care about.
func transition(t monitor.Transition) event.Event {
	topic := event.AlarmCleared
	if t.Raised {
		topic = event.AlarmRaised
	}
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	if t.Twin == "" {
		t.Twin, t.Type = "pump-1", "pump"
	}
	if t.Severity == "" {
		t.Severity = monitor.Critical
	}
	if t.Owner == "" {
		t.Owner = "press"
	}
	set(&t.Rule, "hot")
	set(&t.Title, "cpu > 80 for 1m")
	set(&t.Property, "cpu")
	if t.Value == nil {
		t.Value = 91.5
	}
	t.Location = &twin.Location{Region: "eu-west", Site: "hall 3"}
	t.Before = []twin.Occurrence{{At: t.At.Add(-time.Minute), What: "connected"}}
	return event.New(fmt.Sprintf("%s#%v", t.Alarm, t.Raised), topic, string(t.Twin), t.At, t)
}

// A mailbox is a mail server that keeps what it gets.
type mailbox struct {
	addr     string
	password string // of user castor; "" = nobody need sign in

	mu     sync.Mutex
	got    []letter
	refuse map[string]*smtp.SMTPError // by recipient
}

type letter struct {
	from string
	to   []string

	signedIn bool
	*mail.Message
	body string
}

func newMailbox(t *testing.T, change func(*smtp.Server)) *mailbox {
	t.Helper()
	m := &mailbox{refuse: map[string]*smtp.SMTPError{}}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: m}, nil }))
	s.Domain, s.ReadTimeout, s.WriteTimeout, s.ErrorLog = "localhost", 10*time.Second, 10*time.Second, log.New(io.Discard, "", 0)
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return m
}

func (m *mailbox) letters() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.got...)
}

type session struct {
	box  *mailbox
	from string
	to   []string

	signedIn bool
}

// AuthMechanisms and Auth let user castor sign in with the mailbox's password, if it has one.
func (s *session) AuthMechanisms() []string {
	if s.box.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.signedIn = user == "castor" && password == s.box.password; !s.signedIn {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if err := s.box.refuse[to]; err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	msg, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	in := io.Reader(msg.Body)
	if msg.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		in = quotedprintable.NewReader(in)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.got = append(s.box.got, letter{s.from, s.to, s.signedIn, msg, strings.ReplaceAll(string(body), "\r\n", "\n")})
	return nil
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }
