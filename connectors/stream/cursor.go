package stream

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// A cursor is a frame's id: how far a reader has come, good at every replica.
type cursor struct {
	at   time.Time // when it was issued
	seen [sources]uint64
	mark uint64 // of what the reader might see then
}

// A seal makes cursors into text and back. They are encrypted: the numbers in them grow with all that happens on the platform,
// also with what the reader may not know of.
type seal struct{ aead cipher.AEAD }

// newSeal makes the seal of all connectors that have the same secret.
func newSeal(secret []byte) (seal, error) {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("castor stream cursor 1"))
	block, err := aes.NewCipher(m.Sum(nil))
	if err != nil {
		return seal{}, fmt.Errorf("key of cursors: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return seal{aead}, err
}

const cursorBytes = 8 * (2 + int(sources))

// close appends a cursor's text to b.
func (s seal) close(b []byte, c cursor) []byte {
	var plain [cursorBytes]byte
	binary.BigEndian.PutUint64(plain[:], uint64(c.at.UnixMilli()))
	for i, n := range c.seen {
		binary.BigEndian.PutUint64(plain[8+8*i:], n)
	}
	binary.BigEndian.PutUint64(plain[cursorBytes-8:], c.mark)
	sealed := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+cursorBytes+s.aead.Overhead())
	rand.Read(sealed) // never fails since Go 1.24
	return base64.RawURLEncoding.AppendEncode(b, s.aead.Seal(sealed, sealed, plain[:], nil))
}

// open is the way back; false for what close did not make.
func (s seal) open(text string) (c cursor, ok bool) {
	size := s.aead.NonceSize() + cursorBytes + s.aead.Overhead()
	if len(text) != base64.RawURLEncoding.EncodedLen(size) {
		return c, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return c, false
	}
	plain, err := s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], nil)
	if err != nil || len(plain) != cursorBytes {
		return c, false
	}
	c.at = time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	for i := range c.seen {
		c.seen[i] = binary.BigEndian.Uint64(plain[8+8*i:])
	}
	c.mark = binary.BigEndian.Uint64(plain[cursorBytes-8:])
	return c, true
}
