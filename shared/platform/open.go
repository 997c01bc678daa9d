package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/store/mongo"
)

// Settings that Open reads from the environment:
//
//	CASTOR_MONGO_URL     mongodb://… (required)
//	CASTOR_NATS_URL      nats://… (required)
//	CASTOR_NATS_CREDS    file with the NATS credentials; none if not set
//	CASTOR_S3_ENDPOINT   host:port of the object store; none if not set
//	CASTOR_S3_BUCKET     "castor" if not set; its keys are secrets castor-s3-access and castor-s3-secret
//	CASTOR_GATEWAY_URL   the user gateway (required)
//	CASTOR_PROVISIONING  what claims tell devices to dial: tls://host:8884
//	CASTOR_SECRETS       folder of secrets; /var/openfaas/secrets if not set
//	CASTOR_SMTP_URL, CASTOR_SMTP_FROM
//	CASTOR_WEBHOOKS      "private" lets webhooks go to private addresses
func Open(ctx context.Context, env func(string) string) (Base, error) {
	get := func(name, otherwise string) string {
		if v := env(name); v != "" {
			return v
		}
		return otherwise
	}
	for _, name := range []string{"CASTOR_MONGO_URL", "CASTOR_NATS_URL", "CASTOR_GATEWAY_URL"} {
		if env(name) == "" {
			return Base{}, fmt.Errorf("%s is not set", name)
		}
	}
	b := Base{
		Gateway: env("CASTOR_GATEWAY_URL"), Provisioning: env("CASTOR_PROVISIONING"),
		Secrets: SecretFiles(get("CASTOR_SECRETS", "/var/openfaas/secrets")),
		Mail:    Mail{URL: env("CASTOR_SMTP_URL"), From: env("CASTOR_SMTP_FROM")},
		Log:     slog.New(slog.NewJSONHandler(os.Stderr, nil)), AllowPrivateWebhooks: env("CASTOR_WEBHOOKS") == "private",
	}
	var err error
	if b.DB, err = mongo.Open(ctx, env("CASTOR_MONGO_URL")); err != nil {
		return b, err
	}
	opts := []bus.Option{bus.Logger(b.Log)}
	if f := env("CASTOR_NATS_CREDS"); f != "" {
		opts = append(opts, bus.Credentials(f))
	}
	if b.Bus, err = bus.Connect(ctx, env("CASTOR_NATS_URL"), opts...); err != nil {
		return b, errors.Join(err, b.DB.Close())
	}
	if endpoint := env("CASTOR_S3_ENDPOINT"); endpoint != "" {
		if err = b.openObjects(ctx, endpoint, get("CASTOR_S3_BUCKET", "castor"), env("CASTOR_S3_TLS") != ""); err != nil {
			return b, errors.Join(err, b.Bus.Close(), b.DB.Close())
		}
	}
	return b, nil
}

func (b *Base) openObjects(ctx context.Context, endpoint, bucket string, tls bool) error {
	access, err := b.Secrets("castor-s3-access")
	if err != nil {
		return err
	}
	secret, err := b.Secrets("castor-s3-secret")
	if err != nil {
		return err
	}
	b.Objects, err = artifact.Open(ctx, artifact.Config{Endpoint: endpoint, Bucket: bucket, AccessKey: string(access), SecretKey: string(secret), TLS: tls})
	return err
}
