// Package seal hands a secret to one reader alone: it is encrypted to the reader's public key by HPKE (RFC 9180) with DHKEM
// (X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, base mode. Whoever stores or carries what it makes learns nothing.
//
// A reader that has AES-128-GCM only, as a browser has, says so with its key, "aes-128-gcm:" before the base64; what is sealed to it
// begins with the same word.
package seal

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// keySize is how many bytes an X25519 key has.
const keySize = 32

// MaxSealed bounds what Open takes, in characters.
const MaxSealed = 8 << 10

// NewKey makes a key pair: the public key as the platform takes it, base64 of its 32 bytes, and the private key's 32 bytes.
func NewKey() (public string, private []byte, err error) {
	k, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return "", nil, err
	}
	private, err = k.Bytes()
	return base64.StdEncoding.EncodeToString(k.PublicKey().Bytes()), private, err
}

// PublicOf is the public key of a private one, in the form of NewKey.
func PublicOf(private []byte) (string, error) {
	k, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private)
	if err != nil {
		return "", fmt.Errorf("%w: the private key must have %d bytes of X25519", twin.ErrInvalid, keySize)
	}
	return base64.StdEncoding.EncodeToString(k.PublicKey().Bytes()), nil
}

// aesPrefix names the cipher where it is not ChaCha20-Poly1305.
const aesPrefix = "aes-128-gcm:"

// A PublicKey is what is sealed to, and with which cipher.
type PublicKey struct {
	raw []byte
	aes bool
}

// Bytes are the key's 32 bytes, the same for either cipher.
func (k PublicKey) Bytes() []byte { return k.raw }

// ReadPublicKey checks a public key: base64 of its 32 bytes as NewKey returns it, after "aes-128-gcm:" where its reader wants that.
// Its errors are twin.ErrInvalid.
func ReadPublicKey(public string) (PublicKey, error) {
	text, aes := strings.CutPrefix(public, aesPrefix)
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != keySize {
		return PublicKey{}, fmt.Errorf("%w: publicKey must be base64 of the %d bytes of an X25519 key", twin.ErrInvalid, keySize)
	}
	k := PublicKey{raw, aes}
	// A key of small order gives everybody the same shared secret: nothing sealed to it would be one.
	if _, err := Seal(k, "", nil); err != nil {
		return PublicKey{}, err
	}
	return k, nil
}

func cipherOf(aes bool) (hpke.AEAD, string) {
	if aes {
		return hpke.AES128GCM(), aesPrefix
	}
	return hpke.ChaCha20Poly1305(), ""
}

// Seal encrypts plain to a public key. info says what it is for; Open must be given the same. It returns base64(enc || ciphertext),
// after the cipher's name where the key names one.
func Seal(public PublicKey, info string, plain []byte) (string, error) {
	k, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(public.raw)
	if err != nil {
		return "", fmt.Errorf("%w: publicKey is no X25519 key", twin.ErrInvalid)
	}
	cipher, prefix := cipherOf(public.aes)
	out, err := hpke.Seal(k, hpke.HKDFSHA256(), cipher, []byte(info), plain)
	if err != nil {
		return "", fmt.Errorf("%w: publicKey is an X25519 key that gives no secret", twin.ErrInvalid)
	}
	return prefix + base64.StdEncoding.EncodeToString(out), nil
}

// Open decrypts what Seal made for this private key and info, or returns twin.ErrInvalid.
func Open(private []byte, info, sealed string) ([]byte, error) {
	k, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(bytes.Clone(private))
	if err != nil {
		return nil, fmt.Errorf("%w: the private key must have %d bytes of X25519", twin.ErrInvalid, keySize)
	}
	if len(sealed) > MaxSealed {
		return nil, fmt.Errorf("%w: the sealed text has more than %d characters", twin.ErrInvalid, MaxSealed)
	}
	text, aes := strings.CutPrefix(sealed, aesPrefix)
	cipher, _ := cipherOf(aes)
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the sealed text is no base64", twin.ErrInvalid)
	}
	plain, err := hpke.Open(k, hpke.HKDFSHA256(), cipher, []byte(info), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: the sealed text is not for this key and purpose", twin.ErrInvalid)
	}
	return plain, nil
}
