package pki

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// Revoked is a certificate that has ended before it expired.
type Revoked struct {
	Number  string    `json:"number" bson:"number"` // its serial number, hexadecimal
	At      time.Time `json:"at" bson:"at"`
	Expires time.Time `json:"expires" bson:"expires"`
}

// Number is the serial number of a certificate in PEM, hexadecimal.
func Number(certificate []byte) (string, error) {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return "", fmt.Errorf("%w: no certificate in PEM", twin.ErrInvalid)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return c.SerialNumber.Text(16), nil
}

// RevocationList signs a list (RFC 5280, PEM) of certificates that are not good any more. It counts until the time given.
func (ca *CA) RevocationList(all []Revoked, now, until time.Time) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(now.UnixMilli()), ThisUpdate: now.Add(-backdate), NextUpdate: until}
	slices.SortFunc(all, func(a, b Revoked) int { return cmp.Compare(a.Number, b.Number) })
	for _, r := range all {
		n, ok := new(big.Int).SetString(r.Number, 16)
		if !ok {
			return nil, fmt.Errorf("%w: number %.64q of a certificate", twin.ErrInvalid, r.Number)
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: r.At})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.cert, ca.key)
	if err != nil {
		return nil, err
	}
	return encode("X509 CRL", der), nil
}
