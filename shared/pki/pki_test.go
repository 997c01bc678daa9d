package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

func request(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func ec(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysOfDevices(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := request(t, ec(t, elliptic.P256()))
	block, _ := pem.Decode([]byte(good))
	forged := append([]byte(nil), block.Bytes...)
	forged[len(forged)-1] ^= 1
	for name, tt := range map[string]struct {
		csr  string
		want string // in the error; "" = it is taken
	}{
		"P-256":           {good, ""},
		"P-384":           {request(t, ec(t, elliptic.P384())), ""},
		"RSA 2048":        {request(t, small), ""},
		"Ed25519":         {request(t, ed), ""},
		"P-224":           {request(t, ec(t, elliptic.P224())), "256 bits"},
		"forged":          {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: forged})), ""},
		"empty":           {"", "PEM"},
		"of another kind": {strings.ReplaceAll(good, "CERTIFICATE REQUEST", "PRIVATE KEY"), "PEM"},
		"rubbish":         {"-----BEGIN CERTIFICATE REQUEST-----\naGVsbG8=\n-----END CERTIFICATE REQUEST-----\n", "PKCS #10"},
		"huge":            {good + strings.Repeat(" ", MaxCSR), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, key, err := ReadCSR(tt.csr)
			switch {
			case name == "forged":
				if !errors.Is(err, twin.ErrInvalid) {
					t.Errorf("got %v, want it refused", err)
				}
			case tt.want == "" && (err != nil || len(key) != 64):
				t.Errorf("got key %q, %v", key, err)
			case tt.want != "" && (!errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an invalid one that says %q", err, tt.want)
			}
		})
	}
}

func TestTheCASignsWhatItsPoolTrusts(t *testing.T) {
	now := time.Now()
	cert, key, err := NewCA(now)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := LoadCA(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, _, err := ReadCSR(request(t, ec(t, elliptic.P256())))
	if err != nil {
		t.Fatal(err)
	}
	text, fingerprint, expires, err := ca.Device(now, "pump-7", csr, DeviceLife)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.CommonName != "pump-7" || Fingerprint(c.Raw) != fingerprint || !c.NotAfter.Equal(expires) {
		t.Errorf("certificate of %s, fingerprint %s, until %s", c.Subject.CommonName, fingerprint, expires)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("a device's certificate passes for a server's")
	}
	server, err := ca.Server(now, "localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := x509.ParseCertificate(server.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if _, err := s.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestACAThatDoesNotBelongTogether(t *testing.T) {
	cert, key, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2][]byte{"another's key": {cert, other}, "no certificate": {nil, key}, "swapped": {key, cert}} {
		if _, err := LoadCA(pair[0], pair[1]); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
