// Package pki is the platform's certificate authority: it makes the CA once, signs devices' keys and the servers' own. Keys
// of devices never come here, only what they prove to hold. It keeps nothing; callers store what it makes.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// How long certificates live.
const (
	caLife     = 20 * 365 * 24 * time.Hour
	serverLife = 365 * 24 * time.Hour
	DeviceLife = 365 * 24 * time.Hour // where nobody says otherwise
	backdate   = 5 * time.Minute      // devices whose clocks run a little behind accept it at once
)

// A CA signs certificates.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// NewCA makes a CA and returns its certificate and key as PEM.
func NewCA(now time.Time) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	kb, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	key = encode("PRIVATE KEY", kb)
	cert, err = CertifyCA(now, key)
	return cert, key, err
}

// CertifyCA makes the certificate of a CA whose key is there, as NewCA made it: for one whose making was interrupted. It
// returns twin.ErrInvalid if the key is none.
func CertifyCA(now time.Time, key []byte) (cert []byte, err error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, fmt.Errorf("%w: the CA's key is not PEM", twin.ErrInvalid)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	k, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: the CA's key is not one that the platform made", twin.ErrInvalid)
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Castor platform CA", Organization: []string{"Castor"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, k.Public(), k)
	if err != nil {
		return nil, err
	}
	return encode("CERTIFICATE", der), nil
}

// LoadCA reads what NewCA made. It returns twin.ErrInvalid if the two do not belong together or are damaged.
func LoadCA(cert, key []byte) (*CA, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%w: the CA's certificate and key: %v", twin.ErrInvalid, err)
	}
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || !c.IsCA {
		return nil, fmt.Errorf("%w: the CA's certificate is not that of a CA", twin.ErrInvalid)
	}
	return &CA{cert: c, key: pair.PrivateKey.(crypto.Signer)}, nil
}

// PEM is the CA's certificate.
func (ca *CA) PEM() []byte { return encode("CERTIFICATE", ca.cert.Raw) }

// Pool holds the CA alone.
func (ca *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.cert)
	return p
}

// Server makes a certificate for a server that is reached by hosts (names or addresses).
func (ca *CA) Server(now time.Time, hosts ...string) (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: now.Add(-backdate), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, k.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: k}, nil
}

// Device signs the key of a CSR for the device known as ref, for a while. Nothing of the CSR but its key goes into the certificate. The
// CSR must have passed ReadCSR.
func (ca *CA) Device(now time.Time, ref string, csr *x509.CertificateRequest, life time.Duration) (certificate []byte, fingerprint string, expires time.Time, err error) {
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: ref}, NotBefore: now.Add(-backdate), NotAfter: now.Add(life).Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, csr.PublicKey, ca.key)
	if err != nil {
		return nil, "", time.Time{}, err
	}
	return encode("CERTIFICATE", der), Fingerprint(der), t.NotAfter.UTC(), nil
}

// Fingerprint is the SHA-256 of a certificate's DER, in hexadecimal.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// MaxCSR bounds a CSR's PEM, in bytes.
const MaxCSR = 16 << 10

// ReadCSR checks a device's CSR: PEM, well signed by its own key, and a key of a kind and size that is safe. It returns the
// SHA-256 of the public key, in hexadecimal, by which a repeated request is known. Its errors are twin.ErrInvalid.
func ReadCSR(text string) (csr *x509.CertificateRequest, key string, err error) {
	fail := func(why string) (*x509.CertificateRequest, string, error) {
		return nil, "", fmt.Errorf("%w: csr: %s", twin.ErrInvalid, why)
	}
	if len(text) > MaxCSR {
		return fail(fmt.Sprintf("it has more than %d bytes", MaxCSR))
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return fail("it must be PEM, beginning with -----BEGIN CERTIFICATE REQUEST-----")
	}
	csr, err = x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return fail("it is not a certificate request (PKCS #10)")
	}
	switch k := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return fail("its elliptic-curve key must have 256 bits or more")
		}
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 8192 {
			return fail("its RSA key must have 2048 to 8192 bits")
		}
	}
	// After the bounds of the key: checking a signature by a huge one takes long.
	if err := csr.CheckSignature(); err != nil {
		return fail("its signature is not by its own key")
	}
	pub, err := x509.MarshalPKIXPublicKey(csr.PublicKey)
	if err != nil {
		return fail("its key is of an unknown kind")
	}
	return csr, Fingerprint(pub), nil
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
