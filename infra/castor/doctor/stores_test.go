package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	twinwatchdog "github.com/castor-iot/castor/functions/twin-watchdog"
	"github.com/castor-iot/castor/infra/castor/doctor"
	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/mongo"
	"github.com/emersion/go-smtp"
)

// What waits on the bus for somebody who does not come, and what was given up, is told of.
func TestQueues(t *testing.T) {
	w := functiontest.New(t, functiontest.Functions{"twin-watchdog": twinwatchdog.New, "alerts": alerts.New})
	examine := func() doctor.Report {
		return doctor.Examine(t.Context(), doctor.Config{URL: w.URL, API: w.Admin(), Now: w.Now})
	}
	wants(t, examine(), "queues", doctor.OK, "up to date")
	wants(t, examine(), "watchdog", doctor.Bad, "never run", "castor-connector events")

	// A consumer that is made, and then is away.
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- w.Base.Bus.Consume(ctx, bus.Consumer{Name: "lazy", Topics: []event.Topic{"probe"}, MaxDeliver: 1}, func(context.Context, []event.Event) error {
			return errors.New("not today")
		})
	}()
	must(t, w.Base.Bus.Publish(t.Context(), event.New("first", "probe", "", time.Now(), nil)))
	functiontest.Eventually(t, "one event is given up", func() bool { return w.Base.Bus.Stats().Dead == 1 })
	stop()
	must(t, <-done)
	var many []event.Event
	for i := range 1200 {
		many = append(many, event.New(fmt.Sprintf("e%d", i), "probe", "", time.Now(), nil))
	}
	must(t, w.Base.Bus.Publish(t.Context(), many...))
	r := examine()
	wants(t, r, "queues", doctor.Warning, "lazy has 1200 messages", "more replicas")
	wants(t, r, "queues", doctor.Warning, "1 events or calls were given up", "CASTOR_DEAD")
}

// The stores of a deployment, each there and each gone.
func TestStores(t *testing.T) {
	secrets := t.TempDir()
	write := func(name, value string) { must(t, os.WriteFile(filepath.Join(secrets, name), []byte(value), 0o600)) }
	nats, err := local.StartNATS(local.NATSConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	must(t, err)
	defer nats.Close()
	objects, err := local.StartObjects(local.ObjectsConfig{Dir: t.TempDir()})
	must(t, err)
	defer objects.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	mail := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return silent{}, nil }))
	mail.Domain = "localhost"
	go func() { _ = mail.Serve(l) }()
	defer mail.Close()
	write("castor-nats-token", nats.Token())
	write("castor-s3-access", objects.Config().AccessKey)
	write("castor-s3-secret", objects.Config().SecretKey)
	there := map[string]string{"CASTOR_NATS_URL": nats.URL(), "CASTOR_S3_ENDPOINT": objects.Config().Endpoint, "CASTOR_S3_BUCKET": objects.Config().Bucket,
		"CASTOR_SMTP_URL": "smtp://" + l.Addr().String()}
	examine := func(env map[string]string) doctor.Report {
		return doctor.Examine(t.Context(), doctor.Config{Secrets: secrets, Need: []string{}, Env: func(name string) string { return env[name] }})
	}
	r := examine(there)
	wants(t, r, "bus", doctor.OK, "answers in")
	wants(t, r, "objects", doctor.OK, "keeps an object")
	wants(t, r, "mail", doctor.OK, "answers")
	wants(t, r, "secrets", doctor.OK, "3 secrets")

	away := freePort(t)
	r = examine(map[string]string{"CASTOR_NATS_URL": "nats://" + away, "CASTOR_S3_ENDPOINT": away, "CASTOR_SMTP_URL": "smtp://" + away, "CASTOR_MONGO_URL": "mongodb://" + away})
	wants(t, r, "bus", doctor.Bad, "CASTOR_NATS_URL")
	wants(t, r, "objects", doctor.Bad, "CASTOR_S3_ENDPOINT")
	wants(t, r, "mail", doctor.Bad, "cannot be reached", "CASTOR_SMTP_URL")
	wants(t, r, "mongodb", doctor.Bad, "does not answer", "start MongoDB")

	write("castor-nats-token", "wrong")
	wants(t, examine(there), "bus", doctor.Bad, "castor-nats-token")
}

// A silent session of a mail server takes nothing.
type silent struct{}

func (silent) Mail(string, *smtp.MailOptions) error { return errors.New("nobody sends here") }
func (silent) Rcpt(string, *smtp.RcptOptions) error { return errors.New("nobody sends here") }
func (silent) Data(io.Reader) error                 { return errors.New("nobody sends here") }
func (silent) Reset()                               {}
func (silent) Logout() error                        { return nil }

func TestMongoDB(t *testing.T) {
	url := mongo.Start(t)
	r := doctor.Examine(t.Context(), doctor.Config{Secrets: t.TempDir(), Need: []string{}, Env: func(name string) string {
		return map[string]string{"CASTOR_MONGO_URL": url}[name]
	}})
	for _, f := range r.Findings {
		if f.Check == "mongodb" && f.Level == doctor.Bad {
			t.Errorf("MongoDB is found bad: %s", f.Fact)
		}
	}
	wants(t, r, "mongodb", doctor.OK, "keeps a document by the majority")
}
