package pki

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/twin"
)

// Whatever a device sends as a certificate request, it is refused in words that people can read, or it is one that its own key has
// signed; the same key is always known by the same text.
func FuzzReadCSR(f *testing.F) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	good := request(f, ec(f, elliptic.P256()))
	for _, text := range []string{
		good, request(f, ec(f, elliptic.P224())), request(f, weak), good + good, "x\n" + good, good[:len(good)/2], strings.Replace(good, "REQUEST", "", 2),
		strings.ReplaceAll(good, "\n", "\r\n"), "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n", "", "\x00", strings.Repeat("-----BEGIN ", 1500),
		string(encode("CERTIFICATE REQUEST", []byte(strings.Repeat("\x30\x80", 4000)))), string(encode("CERTIFICATE REQUEST", []byte("\x30\x84\xff\xff\xff\xff"))),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		csr, key, err := ReadCSR(text)
		if err != nil {
			if !errors.Is(err, twin.ErrInvalid) || len(err.Error()) > 200 || csr != nil || key != "" {
				t.Fatalf("refused with %q and key %q", err, key)
			}
			return
		}
		if err := csr.CheckSignature(); err != nil || len(key) != 64 {
			t.Fatalf("taken with key %q: %v", key, err)
		}
		if _, again, err := ReadCSR(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr.Raw}))); err != nil || again != key {
			t.Fatalf("the same request is known by %s and by %s, %v", key, again, err)
		}
	})
}
