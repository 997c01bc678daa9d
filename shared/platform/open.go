package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/store/mongo"
)

// SecretsDir is where secrets are if CASTOR_SECRETS does not say otherwise: where OpenFaaS mounts them.
const SecretsDir = "/var/openfaas/secrets"

// Open opens what a part in a process of its own stands on. Its errors name the setting or the secret and what to do. It tries
// once: Lazy tries again. Settings that it reads from the environment:
//
//	CASTOR_GATEWAY_URL   the user gateway: http://gateway:8080 (required)
//	CASTOR_MONGO_URL     mongodb://host:27017/castor; secret castor-mongo-url goes before it, and one of both is required. There
//	                     is no embedded store here: processes cannot share one
//	CASTOR_NATS_URL      nats://host:4222 (required); secret castor-nats-token is what it is entered with, if it is there
//	CASTOR_NATS_CREDS    file with NATS credentials, instead of the token
//	CASTOR_NATS_REPLICAS on how many servers of a NATS cluster everything is kept: 1 (if not set), 3 or 5
//	CASTOR_S3_ENDPOINT   host:port of the object store; none if not set. Secrets castor-s3-access and castor-s3-secret are its keys
//	CASTOR_S3_BUCKET     "castor" if not set
//	CASTOR_S3_PUBLIC     where people and devices reach the object store, for the URLs they get: https://objects.example.com;
//	                     CASTOR_S3_ENDPOINT if not set
//	CASTOR_S3_TLS        "true" if the object store is reached by HTTPS; plain HTTP if not set or "false"
//	CASTOR_PROVISIONING  what claims tell devices to dial, the first above the others: tls://host:8884,grpcs://host:8885,https://host:8887
//	CASTOR_SECRETS       folder of secrets; SecretsDir if not set
//	CASTOR_SMTP_URL      smtp://user@host:587 or smtps://…; secret castor-smtp is the password
//	CASTOR_SMTP_FROM     sender of e-mail
//	CASTOR_LOG           the least that is logged: debug, info, warn or error; info if not set
//	CASTOR_WEBHOOKS      "private" lets webhooks go to private addresses
func Open(ctx context.Context, env func(string) string) (Base, error) {
	get := func(name, otherwise string) string {
		if v := env(name); v != "" {
			return v
		}
		return otherwise
	}
	for _, s := range []struct{ name, like string }{{"CASTOR_NATS_URL", "nats://nats:4222"}, {"CASTOR_GATEWAY_URL", "http://gateway:8080"}} {
		if env(s.name) == "" {
			return Base{}, fmt.Errorf("%s is not set: set it in the environment of this process, like %s", s.name, s.like)
		}
	}
	if _, err := LogLevel(env); err != nil {
		return Base{}, err
	}
	s3TLS, err := strconv.ParseBool(get("CASTOR_S3_TLS", "false"))
	if err != nil {
		return Base{}, errors.New("CASTOR_S3_TLS must be true or false")
	}
	first, gateways, err := provisioning(env("CASTOR_PROVISIONING"))
	if err != nil {
		return Base{}, err
	}
	b := Base{
		Gateway: env("CASTOR_GATEWAY_URL"), Provisioning: first, Gateways: gateways,
		Secrets: SecretFiles(get("CASTOR_SECRETS", SecretsDir)),
		Mail:    Mail{URL: env("CASTOR_SMTP_URL"), From: env("CASTOR_SMTP_FROM")},
		Log:     LogTo(os.Stderr, env), AllowPrivateWebhooks: env("CASTOR_WEBHOOKS") == "private",
	}
	at, err := mongoURL(env, b.Secrets)
	if err != nil {
		return Base{}, err
	}
	opts, err := BusOptions(env, b.Secrets)
	if err != nil {
		return Base{}, err
	}
	if b.DB, err = mongo.Open(ctx, at); err != nil {
		return Base{}, err
	}
	if b.Bus, err = bus.Connect(ctx, env("CASTOR_NATS_URL"), append(opts, bus.Logger(b.Log))...); err != nil {
		return Base{}, errors.Join(err, b.DB.Close())
	}
	if endpoint := env("CASTOR_S3_ENDPOINT"); endpoint != "" {
		c := artifact.Config{Endpoint: endpoint, Public: env("CASTOR_S3_PUBLIC"), Bucket: get("CASTOR_S3_BUCKET", "castor"), TLS: s3TLS}
		if err = b.openObjects(ctx, c); err != nil {
			return Base{}, errors.Join(err, b.Bus.Close(), b.DB.Close())
		}
	}
	return b, nil
}

// mongoURL is where MongoDB is: the secret's, which may have a password, before the environment's.
func mongoURL(env func(string) string, secrets Secrets) (string, error) {
	at, err := secrets(SecretMongoURL)
	switch {
	case err == nil:
		return string(at), nil
	case env("CASTOR_MONGO_URL") != "" && errors.Is(err, os.ErrNotExist):
		return env("CASTOR_MONGO_URL"), nil
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("where MongoDB is: neither CASTOR_MONGO_URL is set nor is there a secret: %w", err)
	}
	return "", err
}

// BusOptions are how the bus is entered: by the credentials file that CASTOR_NATS_CREDS names, else by secret castor-nats-token
// (the password of the user that CASTOR_NATS_USER names, where there is one), else by nothing. A token that is there and cannot be
// used is an error. CASTOR_NATS_REPLICAS is in them too.
func BusOptions(env func(string) string, secrets Secrets) ([]bus.Option, error) {
	var opts []bus.Option
	switch n := env("CASTOR_NATS_REPLICAS"); n {
	case "":
	case "1", "3", "5":
		opts = append(opts, bus.Replicas(int(n[0]-'0')))
	default:
		return nil, fmt.Errorf("CASTOR_NATS_REPLICAS=%.40q must be 1, 3 or 5: as many servers as the NATS cluster has, or fewer", n)
	}
	if f := env("CASTOR_NATS_CREDS"); f != "" {
		if _, err := os.Stat(f); err != nil {
			return nil, fmt.Errorf("CASTOR_NATS_CREDS: %w", err)
		}
		return append(opts, bus.Credentials(f)), nil
	}
	token, err := secrets(SecretNATSToken)
	switch user := env("CASTOR_NATS_USER"); {
	case user != "" && err != nil:
		return nil, fmt.Errorf("CASTOR_NATS_USER is %.64q, whose password is missing: %w", user, err)
	case user != "":
		return append(opts, bus.User(user, string(token))), nil
	case err == nil:
		return append(opts, bus.Token(string(token))), nil
	case errors.Is(err, os.ErrNotExist):
		return opts, nil
	}
	return nil, err
}

func (b *Base) openObjects(ctx context.Context, c artifact.Config) error {
	access, err := b.Secrets(SecretS3Access)
	if err != nil {
		return err
	}
	secret, err := b.Secrets(SecretS3Secret)
	if err != nil {
		return err
	}
	c.AccessKey, c.SecretKey = string(access), string(secret)
	b.Objects, err = artifact.Open(ctx, c)
	return err
}
