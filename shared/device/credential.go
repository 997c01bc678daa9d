package device

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// A Kind is how a device proves itself at its operational gateway.
type Kind string

// The kinds. A device whose key is its own shows a certificate for it; for all others the platform makes a secret.
const (
	Certificate Kind = "certificate" // X.509, from the device's CSR: the key never leaves it
	Token       Kind = "token"       // shown as "<ref>.<secret>": bearer token, or password of a client that has no user name to choose
	Password    Kind = "password"    // with a user name
	APIKey      Kind = "api-key"     // shown as "<ref>.<secret>", in the header X-API-Key
	Relayed     Kind = "relayed"     // shows nothing: another device, with a credential of its own, speaks for it
)

// Kinds lists all of them.
var Kinds = []Kind{Certificate, Token, Password, APIKey, Relayed}

// Valid returns twin.ErrInvalid if there is no such kind.
func (k Kind) Valid() error {
	if !slices.Contains(Kinds, k) {
		return fmt.Errorf("%w: kind %.40q must be certificate, token, password, api-key or relayed", twin.ErrInvalid, string(k))
	}
	return nil
}

// Secret tells whether the platform makes a secret for a credential of this kind.
func (k Kind) Secret() bool { return k == Token || k == Password || k == APIKey }

// Joined is the one string that a device shows for a token or an API key, so that one header is enough.
func Joined(ref Ref, secret string) string { return string(ref) + "." + secret }

// Split takes what Joined made apart. It returns false for what cannot have been made by it.
func Split(shown string) (ref Ref, secret string, ok bool) {
	name, secret, ok := strings.Cut(shown, ".")
	ref = Ref(name)
	return ref, secret, ok && ref.Valid() == nil && secret != "" && len(secret) <= 64
}

// Verifier is what is kept in place of a device's secret: an HMAC-SHA-256, hexadecimal, that binds it to the reference. Who
// steals the verifiers can try secrets only with the platform's key, and the secrets have 128 random bits or more.
func Verifier(key []byte, ref Ref, secret string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(ref))
	m.Write([]byte{0})
	m.Write([]byte(secret))
	return hex.EncodeToString(m.Sum(nil))
}
