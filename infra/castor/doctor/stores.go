package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/smtp"
	"net/url"
	"strings"
	"time"

	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/platform"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// files are the secrets that the stores are entered with.
func (c *Config) files() platform.Secrets {
	dir := c.Secrets
	if dir == "" {
		dir = platform.SecretsDir
	}
	return platform.SecretFiles(dir)
}

// leastWire is MongoDB 4.4's.
const leastWire = 9

// mongodb writes, reads and deletes one document as the platform does: kept by the majority, in the journal.
func (c *Config) mongodb(ctx context.Context, f *findings) {
	at := c.Env("CASTOR_MONGO_URL")
	if b, err := c.files()(platform.SecretMongoURL); err == nil {
		at = string(b)
	}
	if at == "" {
		return
	}
	const remedy = "start MongoDB, and look at CASTOR_MONGO_URL or the secret castor-mongo-url"
	journal := true
	client, err := mongo.Connect(options.Client().ApplyURI(at).SetServerSelectionTimeout(3 * time.Second).SetTimeout(5 * time.Second).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}))
	if err != nil {
		f.bad("the URL of MongoDB is not one", remedy) // the error would show its password
		return
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	var hello struct {
		Wire int    `bson:"maxWireVersion"`
		Set  string `bson:"setName"`
		Kind string `bson:"msg"`
	}
	var info struct {
		Version string `bson:"version"`
	}
	db := client.Database("castor_doctor")
	if err := client.Ping(ctx, nil); err != nil {
		var refused mongo.CommandError
		if errors.As(err, &refused) {
			f.bad(fmt.Sprintf("MongoDB does not let us in: %s", refused.Message), remedy)
		} else {
			f.bad("MongoDB does not answer", remedy) // the driver's words are a dump of what it knows of the servers
		}
		return
	}
	if db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello) != nil { // before 4.4.2 it had another name
		_ = db.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
	}
	_ = db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info)
	id := rand.Text()
	began := time.Now()
	docs := db.Collection("probe")
	_, err = docs.InsertOne(ctx, bson.D{{Key: "_id", Value: id}})
	if err != nil {
		f.bad(fmt.Sprintf("MongoDB %s does not keep a document by the majority: %v", info.Version, err), "see that most servers of the replica set are up: mongosh --eval 'rs.status()'")
		return
	}
	took := time.Since(began).Round(time.Millisecond)
	if _, err := docs.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
		f.bad(fmt.Sprintf("MongoDB %s does not delete a document: %v", info.Version, err), remedy)
		return
	}
	fact := fmt.Sprintf("MongoDB %s (wire version %d) keeps a document by the majority in %s", info.Version, hello.Wire, took)
	switch {
	case hello.Wire < leastWire:
		f.bad(fact+", and is too old", "use MongoDB 4.4 or later")
	case took > time.Second:
		f.warn(fact, "look at its disk and its load")
	default:
		f.ok(fact)
	}
	if hello.Set == "" && hello.Kind != "isdbgrid" {
		f.warn("MongoDB is one server alone: what its disk loses is lost", "make it a replica set, and keep backups")
	}
}

// bus looks at NATS itself.
func (c *Config) bus(ctx context.Context, f *findings) {
	at := c.Env("CASTOR_NATS_URL")
	if at == "" {
		return
	}
	remedy := "start NATS with JetStream, and look at CASTOR_NATS_URL and the secret castor-nats-token"
	opts, err := platform.BusOptions(c.Env, c.files())
	if err != nil {
		f.bad(err.Error(), remedy)
		return
	}
	b, err := bus.Connect(ctx, at, append(opts, bus.Name("castor-doctor"), bus.Logger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		f.bad(fmt.Sprintf("the bus: %v", err), remedy)
		return
	}
	defer b.Close()
	began := time.Now()
	l, err := b.Load(ctx)
	if err != nil {
		f.bad(fmt.Sprintf("the bus: %v", err), remedy)
		return
	}
	f.ok(fmt.Sprintf("the bus answers in %s", time.Since(began).Round(time.Millisecond)))
	if c.API == nil { // else the platform was asked
		out := api.BusLoad{Dead: l.Dead}
		for _, s := range l.Streams {
			out.Streams = append(out.Streams, api.StreamLoad(s))
		}
		for _, x := range l.Consumers {
			out.Consumers = append(out.Consumers, api.ConsumerLoad(x))
		}
		judgeLoad(f, out)
	}
}

// objects stores, reads and deletes one object.
func (c *Config) objects(ctx context.Context, f *findings) {
	endpoint := c.Env("CASTOR_S3_ENDPOINT")
	if endpoint == "" {
		return
	}
	bucket := c.Env("CASTOR_S3_BUCKET")
	if bucket == "" {
		bucket = "castor"
	}
	remedy := "start the object store, and look at CASTOR_S3_ENDPOINT and the secrets castor-s3-access and castor-s3-secret"
	key, err1 := c.files()(platform.SecretS3Access)
	secret, err2 := c.files()(platform.SecretS3Secret)
	if err1 != nil || err2 != nil {
		f.bad("the object store's keys are missing", remedy)
		return
	}
	s, err := artifact.Open(ctx, artifact.Config{Endpoint: endpoint, Bucket: bucket, AccessKey: string(key), SecretKey: string(secret), TLS: c.Env("CASTOR_S3_TLS") == "true"})
	if err != nil {
		f.bad(fmt.Sprintf("the object store: %v", err), remedy)
		return
	}
	began, name, content := time.Now(), "doctor/"+rand.Text(), []byte("castor doctor")
	sum := sha256.Sum256(content)
	err = s.Put(ctx, name, bytes.NewReader(content), int64(len(content)), hex.EncodeToString(sum[:]))
	if err == nil {
		var r io.ReadCloser
		if r, _, err = s.Get(ctx, name); err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if gone := s.Delete(context.WithoutCancel(ctx), name); err == nil {
			err = gone
		}
	}
	if err != nil {
		f.bad(fmt.Sprintf("the object store does not keep an object: %v", err), remedy)
		return
	}
	f.ok(fmt.Sprintf("the object store keeps an object, in %s", time.Since(began).Round(time.Millisecond)))
}

// mail greets the mail server and sends nothing.
func (c *Config) mail(ctx context.Context, f *findings) {
	at := c.Env("CASTOR_SMTP_URL")
	if at == "" {
		return
	}
	if b, err := c.files()(platform.SecretSMTP); err == nil && string(b) == secrets.MailPlaceholder {
		f.warn("the password of the mail server was never set", "put it into the secret castor-smtp, and start the function alerts again")
	}
	const remedy = "look at CASTOR_SMTP_URL (castor up: --smtp), and whether this machine may reach the mail server"
	u, err := url.Parse(at)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		f.bad("the mail server is not like smtp://user@host:587", remedy)
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	}
	addr := net.JoinHostPort(u.Hostname(), port)
	conn, err := (&net.Dialer{Timeout: 4 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		f.bad(fmt.Sprintf("the mail server %s cannot be reached: %v", addr, rootOf(err)), remedy)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(4 * time.Second))
	if u.Scheme == "smtps" {
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
	}
	s, err := smtp.NewClient(conn, u.Hostname())
	if err == nil {
		err = s.Hello("localhost")
	}
	if err != nil {
		f.bad(fmt.Sprintf("%s does not answer as a mail server: %v", addr, err), remedy)
		return
	}
	defer func() { _ = s.Quit() }()
	if ok, _ := s.Extension("STARTTLS"); !ok && u.Scheme == "smtp" && !strings.HasPrefix(u.Hostname(), "127.") && u.Hostname() != "localhost" {
		f.bad(addr+" does not offer TLS; the platform will not send mail by it", "use a mail server with STARTTLS, or smtps://")
		return
	}
	f.ok("the mail server " + addr + " answers")
}
