package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// identity is what the device proves itself by.
type identity struct {
	key       *ecdsa.PrivateKey // P-256; nil before the first start
	bundle    *api.Bundle       // nil before it is provisioned
	cert      tls.Certificate   // of the bundle, with key
	confirmed bool              // the platform has taken the confirmation
	serial    string            // it came in by; "" if that was not kept
	received  time.Time         // when the certificate came, by the device's clock
	next      *next             // nil while none was asked for
}

// kept is the form of bundle.json.
type kept struct {
	Bundle    api.Bundle `json:"bundle"`
	Confirmed bool       `json:"confirmed"`
	Serial    string     `json:"serial,omitempty"`
	Key       string     `json:"key,omitempty"` // PEM; of a certificate that was renewed, else it is in key.pem
	Received  time.Time  `json:"received,omitzero"`
}

// loadIdentity reads what there is. A key that cannot be read is an error: a new one in its place would make the device
// somebody else. A bundle that cannot be read is as none: asking for it again with the same key brings it back.
func loadIdentity(v *vault, log *slog.Logger) (id identity, err error) {
	b, err := v.read(keyName)
	if errors.Is(err, os.ErrNotExist) {
		return id, nil
	}
	if err != nil {
		return id, err
	}
	if id.key, err = parseKey(b); err != nil {
		return id, fmt.Errorf("%s in %s cannot be read (%w): restore it, or empty the directory and let the device be enrolled anew", keyName, v.dir, err)
	}
	b, err = v.read(bundleName)
	if errors.Is(err, os.ErrNotExist) {
		return id, nil
	}
	if err != nil {
		return id, err
	}
	var k kept
	if err = json.Unmarshal(b, &k); err == nil && k.Key != "" {
		id.key, err = parseKey([]byte(k.Key))
	}
	if err == nil {
		err = id.take(k.Bundle)
	}
	if err != nil {
		log.Error("kept bundle cannot be used, the device has to be provisioned again", "error", err)
		return identity{key: id.key}, nil
	}
	id.confirmed, id.serial, id.received = k.Confirmed, k.Serial, k.Received
	if err := id.loadNext(v); err != nil {
		log.Error("the next certificate cannot be used, it is asked for again", "error", err)
	}
	return id, nil
}

// makeKey makes and keeps the device's key.
func (id *identity) makeKey(v *vault) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	made := identity{key: key}
	if err := made.keepKey(v); err != nil {
		return err
	}
	id.key = key
	return nil
}

func (id *identity) keepKey(v *vault) error {
	b, err := encodeKey(id.key)
	if err == nil {
		err = v.keep(keyName, b)
	}
	if err != nil {
		return fmt.Errorf("keeping the key: %w", err)
	}
	return nil
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func encodeCertificate(c tls.Certificate) (out []byte) {
	for _, der := range c.Certificate {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("no PEM block PRIVATE KEY")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("not an ECDSA key on P-256")
	}
	return ec, nil
}

// csr is a request, PEM, for a certificate for the key.
func (id *identity) csr(serial string) (string, error) { return csrOf(id.key, serial) }

func csrOf(key *ecdsa.PrivateKey, name string) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// keep makes the bundle durable.
func (id *identity) keep(v *vault) error {
	key, err := encodeKey(id.key)
	if err != nil {
		return err
	}
	b, err := json.Marshal(kept{*id.bundle, id.confirmed, id.serial, string(key), id.received})
	if err != nil {
		return err
	}
	if err := v.keep(bundleName, b); err != nil {
		return fmt.Errorf("keeping the bundle: %w", err)
	}
	return nil
}

// take makes b the device's, if it is whole and for this key. When the certificate is valid is left to those who see it:
// the device's clock may be wrong.
func (id *identity) take(b api.Bundle) error {
	if err := b.Ref.Valid(); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	if err := checkGateways(b.Gateway, b.Gateways); err != nil {
		return fmt.Errorf("bundle: gateway: %w", err)
	}
	cert, err := fits(&b, id.key, b.Certificate)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	id.bundle, id.cert, id.confirmed = &b, cert, false
	return nil
}

// fits makes a pair of a key and a certificate, PEM, if the certificate is for that key and the device.
func (id *identity) fits(key *ecdsa.PrivateKey, certificate string) (tls.Certificate, error) {
	return fits(id.bundle, key, certificate)
}

func fits(b *api.Bundle, key *ecdsa.PrivateKey, certificate string) (cert tls.Certificate, err error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(b.CA)) {
		return cert, errors.New("ca has no certificate")
	}
	text, err := encodeKey(key)
	if err != nil {
		return cert, err
	}
	if cert, err = tls.X509KeyPair([]byte(certificate), text); err != nil {
		return cert, fmt.Errorf("certificate: %w", err)
	}
	if cn := cert.Leaf.Subject.CommonName; cn != string(b.Ref) {
		return cert, fmt.Errorf("certificate is for %.64q, not for %s", cn, b.Ref)
	}
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: cert.Leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return cert, fmt.Errorf("certificate: %w", err)
	}
	return cert, nil
}

func (id *identity) certificates() []tls.Certificate { return []tls.Certificate{id.cert} }
