package api

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// ClaimScheme begins a claim as a text that a QR code or a label can carry. It has the token: who reads it has the claim.
const ClaimScheme = "castor://claim?"

// maxClaimText bounds such a text, in bytes.
const maxClaimText = 1024

// Text is the claim as one line: castor://claim?g=<host:port>&i=<id>&t=<token>&y=<type>&f=<SHA-256 of the CA, base64url>, and
// p=<scheme> where the gateway's is not "tls". The CA itself the device gets from the gateway, and checks by f.
func (f *ClaimFile) Text() (string, error) {
	block, _ := pem.Decode([]byte(f.CA))
	if block == nil {
		return "", Invalid("ca has no certificate in PEM")
	}
	scheme, address, ok := strings.Cut(f.Gateway, "://")
	if !ok {
		return "", Invalid("gateway %.200q must be like tls://host:8884", f.Gateway)
	}
	v := url.Values{"g": {address}, "i": {f.Claim.ID}, "t": {f.Token}, "y": {string(f.Claim.Type)}, "f": {CAFingerprint(block.Bytes)}}
	if scheme != "tls" {
		v.Set("p", scheme)
	}
	return ClaimScheme + v.Encode(), nil
}

// CAFingerprint is the SHA-256 of a CA's certificate (DER) as a claim's text has it.
func CAFingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ParseClaimText reads what Text made. The claim file lacks the CA, whose fingerprint is returned beside it.
func ParseClaimText(text string) (f ClaimFile, ca string, err error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), ClaimScheme)
	bad := func(why string) (ClaimFile, string, error) {
		return ClaimFile{}, "", Invalid("claim text: %s; ask for a new one", why)
	}
	if !ok || len(text) > maxClaimText {
		return bad("it must begin with " + ClaimScheme + " and have 1,024 characters at most")
	}
	v, err := url.ParseQuery(rest)
	if err != nil {
		return bad("it is damaged")
	}
	for _, key := range []string{"g", "i", "t", "y", "f"} {
		if len(v[key]) != 1 || v.Get(key) == "" {
			return bad("it has no " + key)
		}
	}
	scheme := "tls"
	if p := v.Get("p"); p != "" {
		if scheme = p; !slices.Contains([]string{"tls", "grpcs", "https"}, p) {
			return bad("p must be tls, grpcs or https")
		}
	}
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(v.Get("f")); err != nil || len(sum) != sha256.Size {
		return bad("f must be a SHA-256 in base64url")
	}
	t := twin.TypeID(v.Get("y"))
	if err := t.Valid(); err != nil {
		return bad("y is no type")
	}
	return ClaimFile{Claim: device.Claim{ID: v.Get("i"), Type: t}, Token: v.Get("t"), Gateway: scheme + "://" + v.Get("g")}, v.Get("f"), nil
}

// FindCA returns, as PEM, the certificate among chain that a claim's text means, or false.
func FindCA(chain []*x509.Certificate, fingerprint string) (string, bool) {
	for _, c := range chain {
		if c.IsCA && CAFingerprint(c.Raw) == fingerprint {
			return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})), true
		}
	}
	return "", false
}
