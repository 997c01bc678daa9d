package twinprovision

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// named is the certificate request of a new key for a device of that name.
func named(t testing.TB, name string) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// A certificate request that names a device is of that device, or refused: with a claim and without one.
func TestACertificateRequestNamesWhoAsks(t *testing.T) {
	for name, good := range map[string]bool{"": true, "P-7": true, "P-8": false, "p-7": false} {
		csr := named(t, name)
		_, asked := read(&api.ProvisionRequest{Type: "pump", Serial: "P-7", CSR: csr})
		_, knocked := readKnock(&api.Knock{Serial: "P-7", CSR: csr})
		for how, err := range map[string]error{"asks": asked, "knocks": knocked} {
			if (err == nil) != good || err != nil && !(errors.Is(err, twin.ErrInvalid) && strings.Contains(err.Error(), "subject")) {
				t.Errorf("P-7 %s with a request of %q: %v", how, name, err)
			}
		}
	}
}

// Whatever a device says of itself, with a claim or without one, it is refused in words, or all of it is bounded, legible and its own.
func FuzzRequest(f *testing.F) {
	public, _, err := seal.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	own, other := named(f, "P-7"), named(f, "P-8")
	for _, s := range [][8]string{
		{"P-7", "02:42:ac:11:00:02", "X1", "os", "linux", own, "", "mqtt"}, {"P-7", "", "", "", "", "", public, "http"}, {"P-7", "", "", "", "", other, public, "grpc"}, {"../../P-7", "", "", "", "", own, "", ""},
		{"P/../../P-8", "", "", "", "", own, "", ""}, {strings.Repeat("P", 10<<10), "", "", "", "", own, "", ""}, {"\uff30-7", "", "", "", "", own, "", ""}, {"P-7", "x", "", "", "", own, "", ""},
		{"P-7", "", "\u202eX1", "", "", own, "", ""}, {"P-7", "", "", "a\x00", "b", own, "", ""}, {"P-7", "", "", "a", strings.Repeat("b", 257), own, "", ""}, {"P-7", "", "", "", "", own[:40], "", ""},
		{"P-7", "", "", "", "", "", strings.Repeat("A", 44), ""}, {"P-7", "", "", "", "", own, "", "telnet"}, {"", "", "", "", "", "", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
	}
	f.Fuzz(func(t *testing.T, serial, mac, model, fact, value, csr, public, protocol string) {
		facts := map[string]string{}
		if fact != "" {
			facts[fact] = value
		}
		req, asked := read(&api.ProvisionRequest{Type: "pump", Serial: serial, MAC: mac, Model: model, Facts: facts, CSR: csr, PublicKey: public, Protocol: protocol})
		w, knocked := readKnock(&api.Knock{Serial: serial, MAC: mac, Model: model, Facts: facts, CSR: csr, PublicKey: public, Protocol: protocol})
		for _, err := range []error{asked, knocked} {
			if err != nil && (!errors.Is(err, twin.ErrInvalid) || len(err.Error()) > 1000) {
				t.Fatalf("refused with %q", err)
			}
		}
		if asked == nil {
			its(t, req.Serial, req.Key, csr, model+fact+value)
		}
		if knocked == nil {
			its(t, w.Serial, w.Key, csr, w.MAC+w.Model+fact+value)
		}
	})
}

// its fails unless what was taken is bounded, legible and of the device with this serial.
func its(t *testing.T, serial, key, csr, texts string) {
	t.Helper()
	if serial != strings.TrimSpace(serial) || strings.Contains(serial, "..") || !legible(serial, 64) || !legible(texts, 4*maxDeviceText) || len(key) != 64 {
		t.Fatalf("taken: %q with key %q, %q", serial, key, texts)
	}
	if csr == "" {
		return
	}
	if c, own, err := pki.ReadCSR(csr); err != nil || own != key || c.Subject.CommonName != "" && c.Subject.CommonName != serial {
		t.Fatalf("%q is known by the key of %v: %v", serial, c.Subject, err)
	}
}
