package credentials_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// csrOf is a request by key whose subject names name; broken has it signed by nobody.
func csrOf(t *testing.T, key crypto.Signer, name string, broken bool) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	if broken {
		der[len(der)-1] ^= 1
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// A renewal is refused with its reason where its key is weak, its signature is not the key's, or its subject is another device; the
// device keeps what it has.
func TestRenewalsWithABadRequest(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	old := w.placed("p-1", api.NewCredential{CSR: csr(t)})
	other := w.placed("p-2", api.NewCredential{CSR: csr(t)})
	op := w.Part("connector", "op")
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for says, text := range map[string]string{
		"256 bits":         csrOf(t, curve, "", false),
		"2048":             csrOf(t, weak, "", false),
		"signature":        csrOf(t, good, "", true),
		string(other.Ref):  csrOf(t, good, string(other.Ref), false),
		"subject":          csrOf(t, good, "P-1", false),
		"PEM":              "no request",
		"device reference": csrOf(t, good, "../"+string(old.Ref), false),
	} {
		if _, err := op.RenewCredential(ctx, old.Ref, api.Renewal{CSR: text}); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if got := w.shown(old.Ref); !slices.Equal(got, []string{old.Fingerprint}) {
		t.Errorf("the gateway takes %v", got)
	}
	if a, err := op.RenewCredential(ctx, old.Ref, api.Renewal{CSR: csrOf(t, good, string(old.Ref), false)}); err != nil || a.Certificate == "" {
		t.Errorf("with its own reference: %+v, %v", a, err)
	}
}
