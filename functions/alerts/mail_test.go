package alerts_test

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/emersion/go-smtp"
)

func TestLetterSaysWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.route(api.Route{Email: []string{"ada@example.com"}, Cleared: true})
	w.hand(alarm("pump-1:hot:1", true, start))
	w.run()
	got := w.mail.letters()
	if len(got) != 1 {
		t.Fatalf("%d letters, want 1", len(got))
	}
	l := got[0]
	for _, want := range []string{"pump-1, type pump", "cpu > 80 for 1m", "critical", "cpu = 91.5", "Sat, 21 Mar 2026 10:00:00 UTC", "hall 3; eu-west", "2026-03-21 09:59:00  connected"} {
		if !strings.Contains(l.body, want) {
			t.Errorf("the letter does not say %q:\n%s", want, l.body)
		}
	}
	if id := l.Header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || l.from != "castor@example.com" {
		t.Errorf("message id %q, sender %q", id, l.from)
	}
}

// Names come from people and devices; none may add a header or a recipient.
func TestHeadersCannotBeInjected(t *testing.T) {
	w := newWorld(t)
	w.route(api.Route{Email: []string{"ada@example.com"}})
	w.hand(transition(monitor.Transition{Alarm: "a:b:1", Raised: true, At: start, Name: "pump\r\nBcc: eve@example.com\r\n\r\nHello",
		Title: "hot\nX-Evil: 1\u2028" + strings.Repeat("ü", 500)}))
	w.run()
	got := w.mail.letters()
	if len(got) != 1 {
		t.Fatalf("%d letters, want 1", len(got))
	}
	if h := got[0].Header; h.Get("Bcc") != "" || h.Get("X-Evil") != "" || len(got[0].to) != 1 {
		t.Errorf("a name got into the headers: %v, recipients %v", h, got[0].to)
	}
}

func TestMailServerThatHangs(t *testing.T) {
	t.Parallel()
	silent := silentServer(t)
	w := newWorld(t, func(b *platform.Base) { b.Mail.URL = "smtp://" + silent })
	w.route(api.Route{Email: []string{"ada@example.com"}})
	w.hand(alarm("pump-1:hot:1", true, start))
	begin := time.Now()
	w.run()
	if d := time.Since(begin); d > 30*time.Second {
		t.Errorf("the run took %s, longer than the lease may be held", d)
	}
	for _, d := range w.deliveries("pump-1:hot:1") {
		if d.State != "pending" || d.Attempts != 1 || d.Reason == "" {
			t.Errorf("the delivery is %+v", d)
		}
	}
}

// A mail server that wants TLS and a password gets both; one that has neither gets no password.
func TestMailBySTARTTLSWithPassword(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	for name, c := range map[string]struct {
		tls  bool
		want int
	}{"STARTTLS": {true, 1}, "no TLS": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			box := newMailbox(t, func(s *smtp.Server) {
				if c.tls {
					s.TLSConfig = certified.TLS
				}
			})
			box.password = "secret"
			w := newWorld(t, func(b *platform.Base) {
				b.Mail.URL = "smtp://castor@" + box.addr
				other := b.Secrets
				b.Secrets = func(name string) ([]byte, error) {
					if name == platform.SecretSMTP {
						return []byte("secret"), nil
					}
					return other(name)
				}
			})
			w.route(api.Route{Email: []string{"ada@example.com"}})
			w.hand(alarm("pump-1:hot:1", true, start))
			w.run()
			if n := len(box.letters()); n != c.want {
				t.Errorf("%d letters, want %d; the deliveries are %+v", n, c.want, w.deliveries("pump-1:hot:1"))
			}
			if c.want == 1 && !box.letters()[0].signedIn {
				t.Error("the letter was sent without signing in")
			}
		})
	}
}

// silentServer takes connections and says nothing.
func silentServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

// An address that the mail server refuses for good is not tried again, and keeps nobody else from being told.
func TestRefusedAddress(t *testing.T) {
	w := newWorld(t)
	w.mail.refuse["nobody@example.com"] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	w.mail.refuse["full@example.com"] = &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	w.route(api.Route{Email: []string{"nobody@example.com", "full@example.com", "ada@example.com"}})
	w.hand(alarm("pump-1:hot:1", true, start))
	for range 4 {
		w.run()
		w.pass(30 * time.Second)
	}
	states := map[string]string{}
	for _, d := range w.deliveries("pump-1:hot:1") {
		states[d.To] = d.State
	}
	if states["nobody@example.com"] != "failed" || states["full@example.com"] != "pending" || states["ada@example.com"] != "sent" {
		t.Errorf("the deliveries are %v", states)
	}
	delete(w.mail.refuse, "full@example.com")
	w.pass(time.Hour)
	w.run()
	if n := len(w.mail.letters()); n != 2 {
		t.Errorf("%d letters, want 2", n)
	}
}

// What the platform's people set wrongly fails in passing: once it is mended, what waited goes out.
func TestMailThatIsSetWrongly(t *testing.T) {
	for name, wrong := range map[string]platform.Mail{
		"a server without scheme": {URL: "mail.example:25", From: "castor@example.com"},
		"a sender that is none":   {URL: "smtp://127.0.0.1:1", From: "castor"},
		"no server at all":        {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			good := w.Base.Mail
			w.route(api.Route{Email: []string{"ada@example.com"}})
			w.Base.Mail = wrong
			w.Add("alerts", alerts.New)
			w.hand(alarm("pump-1:hot:1", true, start))
			w.run()
			for _, d := range w.deliveries("pump-1:hot:1") {
				if d.State != "pending" || d.Attempts != 1 || !strings.Contains(d.Reason, "castor up --smtp") {
					t.Errorf("the delivery is %+v", d)
				}
			}
			w.Base.Mail = good
			w.Add("alerts", alerts.New)
			w.pass(time.Minute)
			w.run()
			if n := len(w.mail.letters()); n != 1 {
				t.Errorf("%d letters after it was mended, want 1", n)
			}
		})
	}
}
