package linktest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// issued are the certificates that a CA has signed.
type issued struct {
	mu       sync.Mutex
	all      []*x509.Certificate
	admitted map[string]bool     // fingerprints that were ever admitted
	current  map[string][]string // those that are now, by client
}

func (i *issued) admit(client string, fingerprints []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.admitted == nil {
		i.admitted, i.current = make(map[string]bool), make(map[string][]string)
	}
	for _, f := range fingerprints {
		i.admitted[f] = true
	}
	i.current[client] = fingerprints
}

func (i *issued) add(c *x509.Certificate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, c)
}

// Revoked is the CA's list, PEM, of the certificates that were good and are not any more, or were replaced by others of their name,
// as function credentials would say.
func (w *World) Revoked(context.Context) ([]byte, error) {
	w.CA.issued.mu.Lock()
	all, once, current := slices.Clone(w.CA.issued.all), maps.Clone(w.CA.issued.admitted), maps.Clone(w.CA.issued.current)
	w.CA.issued.mu.Unlock()
	list := &x509.RevocationList{Number: big.NewInt(int64(len(all)) + 1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(24 * time.Hour)}
	for _, c := range all {
		if c.Subject.CommonName == "gateway" {
			continue
		}
		good := current[c.Subject.CommonName]
		f := Fingerprint(tls.Certificate{Certificate: [][]byte{c.Raw}})
		if !slices.Contains(good, f) && (once[f] || len(good) > 0) {
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: list.ThisUpdate})
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, w.CA.cert, w.CA.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}

// WriteFiles writes ca.pem, and server.pem and server.key of a gateway, for brokers that read files.
func (ca *CA) WriteFiles(t testing.TB, dir string) {
	t.Helper()
	server := ca.Issue(t, "gateway")
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: ca.cert.Raw}, "server.pem": {Type: "CERTIFICATE", Bytes: server.Certificate[0]}, "server.key": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
