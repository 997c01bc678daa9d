package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

func newCA(t *testing.T) *CA {
	t.Helper()
	cert, key, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := LoadCA(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// A device may ask for anything in its CSR: to be a CA, to be the platform's host, to have another name. It gets its key signed.
func TestNothingOfACSRButItsKeyIsSigned(t *testing.T) {
	ca, k := newCA(t), ec(t, elliptic.P256())
	isCA, err := asn1.Marshal(struct{ CA bool }{true})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "admin", Organization: []string{"Castor"}}, DNSNames: []string{"castor.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: isCA}},
	}, k)
	if err != nil {
		t.Fatal(err)
	}
	csr, _, err := ReadCSR(string(encode("CERTIFICATE REQUEST", der)))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _, err := ca.Device(time.Now(), "pump-7", csr, DeviceLife)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if c.IsCA || len(c.DNSNames) != 0 || len(c.IPAddresses) != 0 || c.Subject.String() != "CN=pump-7" || !k.PublicKey.Equal(c.PublicKey) {
		t.Errorf("CA %v, names %v %v, subject %s", c.IsCA, c.DNSNames, c.IPAddresses, c.Subject)
	}

	// What the device signs with its key in turn, nobody believes.
	under := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "pump-8"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err = x509.CreateCertificate(rand.Reader, under, c, ec(t, elliptic.P256()).Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	between := x509.NewCertPool()
	between.AddCert(c)
	if _, err := forged.Verify(x509.VerifyOptions{Roots: ca.Pool(), Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("a device makes certificates that the platform believes")
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadCSR(request(t, weak)); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "2048") {
		t.Errorf("RSA with 1024 bits: %v", err)
	}
}

// The same key is known again, whatever else the request says.
func TestARepeatedRequestIsKnownByItsKey(t *testing.T) {
	k := ec(t, elliptic.P256())
	_, a, err := ReadCSR(request(t, k))
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := ReadCSR(request(t, k))
	if err != nil || a != b {
		t.Errorf("%s and %s, %v", a, b, err)
	}
	if _, c, err := ReadCSR(request(t, ec(t, elliptic.P256()))); err != nil || c == a {
		t.Errorf("another key is %s too, %v", c, err)
	}
}

func TestHandshake(t *testing.T) {
	ca, foreign := newCA(t), newCA(t)
	server, err := ca.Server(time.Now(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	device := func(by *CA, now time.Time) tls.Certificate {
		k := ec(t, elliptic.P256())
		csr, _, err := ReadCSR(request(t, k))
		if err != nil {
			t.Fatal(err)
		}
		text, _, _, err := by.Device(now, "pump-7", csr, DeviceLife)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		return tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: k}
	}
	handshake := func(client tls.Certificate, roots *x509.CertPool) error {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		s := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12})
		c := tls.Client(b, &tls.Config{Certificates: []tls.Certificate{client}, RootCAs: roots, ServerName: "127.0.0.1"})
		done := make(chan error, 1)
		go func() { done <- s.Handshake(); a.Close() }()
		return errors.Join(c.Handshake(), <-done)
	}
	if err := handshake(device(ca, time.Now()), ca.Pool()); err != nil {
		t.Errorf("a device and its gateway: %v", err)
	}
	if err := handshake(device(foreign, time.Now()), ca.Pool()); err == nil {
		t.Error("a device of another platform gets in")
	}
	if err := handshake(device(ca, time.Now().Add(-3*DeviceLife/2)), ca.Pool()); err == nil {
		t.Error("an expired certificate gets in")
	}
	if err := handshake(device(ca, time.Now()), foreign.Pool()); err == nil {
		t.Error("a device trusts another platform's gateway")
	}
	if _, ok := server.PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("the server's key is a %T", server.PrivateKey)
	}
}
