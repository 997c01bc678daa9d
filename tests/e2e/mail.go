package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// A Mailbox is a real SMTP server that keeps what it gets.
type Mailbox struct {
	Addr string

	mu   sync.Mutex
	mail []string
}

// NewMailbox starts a mail server on a free port.
func NewMailbox(t *testing.T) *Mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &Mailbox{Addr: l.Addr().String()}
	s := smtp.NewServer(m)
	s.Domain, s.ReadTimeout, s.WriteTimeout, s.MaxMessageBytes = "localhost", 10*time.Second, 10*time.Second, 1<<20
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return m
}

// Mail are the messages that came, oldest first.
func (m *Mailbox) Mail() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.mail...)
}

// With are the messages that have all words.
func (m *Mailbox) With(words ...string) (found []string) {
next:
	for _, text := range m.Mail() {
		for _, w := range words {
			if !strings.Contains(text, w) {
				continue next
			}
		}
		found = append(found, text)
	}
	return found
}

// NewSession is part of smtp.Backend.
func (m *Mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return mailSession{m}, nil }

type mailSession struct{ box *Mailbox }

func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }

func (s mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mail = append(s.box.mail, string(b))
	return nil
}
