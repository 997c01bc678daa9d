package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
)

// schemes are how the URLs of gateways begin.
var schemes = map[string]string{"mqtt": "tls", "grpc": "grpcs", "http": "https", "events": "tls", "stream": "tls", "foreign": "tls"}

// Without a secret that it needs a connector ends, and says which file and what to do; when the file is there, the next start works.
func TestASecretIsMissingEmptyOrUnreadable(t *testing.T) {
	d := deploy(t)
	for connector, names := range map[string][]string{
		"mqtt":   {"castor-part-connector-op-1", "castor-gateway-cert", "castor-gateway-key", "castor-ca", "castor-verifier", "castor-nats-token"},
		"grpc":   {"castor-part-connector-op-1", "castor-gateway-cert", "castor-verifier"},
		"http":   {"castor-part-connector-op-1", "castor-gateway-cert", "castor-verifier"},
		"events": {"castor-part-events", "basic-auth-user", "basic-auth-password", "castor-nats-token"},
		"stream": {"castor-part-stream", "castor-nats-token"},
	} {
		for _, name := range names {
			path := filepath.Join(d.secrets, name)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for what, spoil := range map[string]func() error{
				"missing":    func() error { return nil },
				"empty":      func() error { return os.WriteFile(path, []byte("\n"), 0o600) },
				"unreadable": func() error { return os.Mkdir(path, 0o700) }, // for root too
			} {
				if what == "missing" && name == "castor-nats-token" {
					continue // a bus may want none
				}
				t.Run(connector+" "+name+" "+what, func(t *testing.T) {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
					if err := spoil(); err != nil {
						t.Fatal(err)
					}
					defer func() {
						_ = os.Remove(path) // it may be missing
						d.secret(name, string(good))
					}()
					env := map[string]string{"CASTOR_NATS_URL": d.nats.URL(), "CASTOR_GATEWAY_URL": d.gateway, "CASTOR_SECRETS": d.secrets, "CASTOR_METRICS": "off",
						"CASTOR_GATEWAY_ID": "op-1", "CASTOR_GATEWAY_PHASE": "operational", "CASTOR_LISTEN": "127.0.0.1:0", "CASTOR_PUBLIC_URL": schemes[connector] + "://127.0.0.1:8883", "CASTOR_DIR": t.TempDir()}
					ctx, cancel := context.WithTimeout(t.Context(), linktest.Patience)
					defer cancel()
					var errs bytes.Buffer
					status := start(ctx, []string{connector}, func(n string) string { return env[n] }, io.Discard, &errs)
					says := errs.String()
					remedy := strings.Contains(says, "castor init") || strings.Contains(says, "put it back") || strings.Contains(says, "make it readable") || strings.Contains(says, "another file")
					if ctx.Err() != nil || status != 1 || !strings.Contains(says, name) || !remedy {
						t.Errorf("status %d, it says %s", status, says)
					}
				})
			}
		}
		again := d.run(connector)
		again.is(http.StatusOK)
		again.end(syscall.SIGTERM)
	}
}
