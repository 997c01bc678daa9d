package seal

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/twin"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The suite is that of RFC 9180, appendix A.2.1: what others seal by the book opens here.
func TestVectorOfTheRFC(t *testing.T) {
	private := unhex(t, "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
	public, err := PublicOf(private)
	if want := base64.StdEncoding.EncodeToString(unhex(t, "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")); err != nil || public != want {
		t.Errorf("public key %s, %v; want %s", public, err, want)
	}
	k, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	r, err := hpke.NewRecipient(unhex(t, "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"), k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(),
		unhex(t, "4f6465206f6e2061204772656369616e2055726e"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := r.Open([]byte("Count-0"), unhex(t, "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"))
	if err != nil || string(plain) != "Beauty is truth, truth beauty" {
		t.Errorf("opens to %q, %v", plain, err)
	}
}

func TestOnlyTheReaderOpens(t *testing.T) {
	public, private, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ReadPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal(raw, "castor credential p-1", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := Open(private, "castor credential p-1", sealed); err != nil || string(plain) != "secret" {
		t.Errorf("opens to %q, %v", plain, err)
	}
	_, other, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	broken := []byte(sealed)
	broken[len(broken)/2] ^= 1
	for name, o := range map[string]struct {
		key          []byte
		info, sealed string
	}{
		"another's key":    {other, "castor credential p-1", sealed},
		"another purpose":  {private, "castor credential p-2", sealed},
		"changed":          {private, "castor credential p-1", string(broken)},
		"cut":              {private, "castor credential p-1", sealed[:40]},
		"no base64":        {private, "castor credential p-1", "?"},
		"nothing":          {private, "castor credential p-1", ""},
		"too long":         {private, "castor credential p-1", strings.Repeat("A", MaxSealed+4)},
		"half a key":       {private[:16], "castor credential p-1", sealed},
		"more than it was": {private, "castor credential p-1", base64.StdEncoding.EncodeToString(append(unbase64(t, sealed), 0))},
	} {
		if plain, err := Open(o.key, o.info, o.sealed); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: opens to %q, %v", name, plain, err)
		}
	}
}

// A browser opens AES-128-GCM only, and says so with its key.
func TestTheReaderChoosesTheCipher(t *testing.T) {
	public, private, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ReadPublicKey("aes-128-gcm:" + public)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(key.Bytes()); got != public {
		t.Errorf("its bytes are %s, want %s", got, public)
	}
	sealed, err := Seal(key, "info", []byte("secret"))
	text, ok := strings.CutPrefix(sealed, "aes-128-gcm:")
	if err != nil || !ok {
		t.Fatalf("sealed as %q, %v", sealed, err)
	}
	if plain, err := Open(private, "info", sealed); err != nil || string(plain) != "secret" {
		t.Errorf("opens to %q, %v", plain, err)
	}
	if plain, err := Open(private, "info", text); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("as the other cipher's it opens to %q, %v", plain, err)
	}
	if _, err := ReadPublicKey("rot-13:" + public); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("another cipher: %v", err)
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Keys of small order, and texts that are no key, are refused where they come in.
func TestPublicKeysThatAreNone(t *testing.T) {
	one := make([]byte, 32)
	one[0] = 1
	for name, public := range map[string]string{
		"empty": "", "zero": base64.StdEncoding.EncodeToString(make([]byte, 32)), "one": base64.StdEncoding.EncodeToString(one),
		"31 bytes": base64.StdEncoding.EncodeToString(make([]byte, 31)), "text": "my key", "long": strings.Repeat("A", 1<<20),
		"order 8": base64.StdEncoding.EncodeToString(unhex(t, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
	} {
		if _, err := ReadPublicKey(public); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	_, private, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add(strings.Repeat("A", 128))
	f.Fuzz(func(t *testing.T, sealed string) {
		if _, err := Open(private, "info", sealed); err == nil {
			t.Error("something that was not sealed opens")
		}
		if _, err := ReadPublicKey(sealed); err != nil && !errors.Is(err, twin.ErrInvalid) {
			t.Error(err)
		}
	})
}
