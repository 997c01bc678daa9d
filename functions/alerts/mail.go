package alerts

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/platform"
	"github.com/wneessen/go-mail"
)

// mail sends d as an e-mail. The same delivery has the same Message-ID at every attempt, so that mail systems can tell that
// they have it already. Only what is the receiver's fails for good: a sender or server that is set wrongly gets mended, and
// what could not be sent until then goes out.
func (f *function) mail(ctx context.Context, d *delivery) error {
	m, err := message(d, f.p.Mail.From)
	if err != nil {
		return err
	}
	c, err := f.mailer()
	if err != nil {
		return err
	}
	err = c.DialAndSendWithContext(ctx, m)
	var se *mail.SendError
	if errors.As(err, &se) && se.Reason != mail.ErrSMTPMailFrom && !se.IsTemp() && se.ErrorCode() >= 550 && se.ErrorCode() < 560 {
		return fmt.Errorf("%w: %w", errForGood, err)
	}
	return err
}

// mailRemedy is what whoever runs the platform does to have it send mail.
const mailRemedy = "start it with castor up --smtp smtp://user@mail.example.com:587 --from castor@example.com, or set CASTOR_SMTP_URL and CASTOR_SMTP_FROM"

func message(d *delivery, from string) (*mail.Msg, error) {
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("the platform's sender %q is not an address: %s", from, mailRemedy)
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.FromMailAddress(sender)
	if err := m.To(d.To); err != nil {
		return nil, fmt.Errorf("%w: %w", errForGood, err)
	}
	_, domain, _ := strings.Cut(sender.Address, "@")
	m.SetMessageIDWithValue(fmt.Sprintf("%x@%s", sha256.Sum256([]byte(d.ID)), domain))
	m.SetDateWithValue(d.Created)
	m.Subject(line(d.Subject, 200))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(mail.TypeTextPlain, d.Text)
	return m, nil
}

// mailer is a client of the platform's mail server: smtps:// speaks TLS from the start, smtp:// must go over to it by
// STARTTLS, unless the server is on this machine.
func (f *function) mailer() (*mail.Client, error) {
	u, err := url.Parse(f.p.Mail.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("the platform's mail server is not like smtp://… or smtps://…: " + mailRemedy)
	}
	opts := []mail.Option{mail.WithTimeout(attemptFor), mail.WithTLSPolicy(policyFor(u.Hostname())), mail.WithPort(587)}
	if u.Scheme == "smtps" {
		opts = append(opts, mail.WithSSL(), mail.WithPort(465))
	}
	if p := u.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil {
			return nil, fmt.Errorf("the port of CASTOR_SMTP_URL: %w", err)
		}
		opts = append(opts, mail.WithPort(n))
	}
	if loopback(u.Hostname()) {
		// What may be plain may as well have a certificate that nobody signed, as mail servers on one machine do.
		opts = append(opts, mail.WithTLSConfig(&tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}))
	}
	if name := u.User.Username(); name != "" {
		password, err := f.p.Secrets(platform.SecretSMTP)
		if err != nil {
			return nil, err
		}
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(name), mail.WithPassword(string(password)))
	}
	return mail.NewClient(u.Hostname(), opts...)
}

func policyFor(host string) mail.TLSPolicy {
	if loopback(host) {
		return mail.TLSOpportunistic
	}
	return mail.TLSMandatory
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
