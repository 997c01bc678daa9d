// Package seal hands a secret to one reader alone: it is encrypted to the reader's public key by HPKE (RFC 9180) with DHKEM
// (X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, base mode. Whoever stores or carries what it makes learns nothing.
package seal

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"fmt"

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

// ReadPublicKey checks a public key of the form that NewKey returns, and returns its 32 bytes. Its errors are twin.ErrInvalid.
func ReadPublicKey(public string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(public)
	if err != nil || len(raw) != keySize {
		return nil, fmt.Errorf("%w: publicKey must be base64 of the %d bytes of an X25519 key", twin.ErrInvalid, keySize)
	}
	// A key of small order gives everybody the same shared secret: nothing sealed to it would be one.
	if _, err := Seal(raw, "", nil); err != nil {
		return nil, err
	}
	return raw, nil
}

// Seal encrypts plain to the public key's 32 bytes. info says what it is for; Open must be given the same. It returns
// base64(enc || ciphertext).
func Seal(public []byte, info string, plain []byte) (string, error) {
	k, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("%w: publicKey is no X25519 key", twin.ErrInvalid)
	}
	out, err := hpke.Seal(k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), plain)
	if err != nil {
		return "", fmt.Errorf("%w: publicKey is an X25519 key that gives no secret", twin.ErrInvalid)
	}
	return base64.StdEncoding.EncodeToString(out), nil
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
	raw, err := base64.StdEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: the sealed text is no base64", twin.ErrInvalid)
	}
	plain, err := hpke.Open(k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: the sealed text is not for this key and purpose", twin.ErrInvalid)
	}
	return plain, nil
}
