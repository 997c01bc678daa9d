package platform

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/castor-iot/castor/shared/twin"
)

func with(secret string) *Platform {
	return New(Base{Secrets: func(name string) ([]byte, error) {
		if name != SecretSeal {
			return nil, ErrNoSecret
		}
		return []byte(secret), nil
	}}, "users", "")
}

func TestSeal(t *testing.T) {
	p, other := with("0123456789abcdef"), with("0123456789abcdeF")
	plain := []byte("the secret of pump-7")
	a, err := p.Seal("routes/1", plain)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Seal("routes/1", plain)
	if err != nil || bytes.Equal(a, b) || bytes.Contains(a, plain) {
		t.Errorf("sealed twice: %x and %x, %v", a, b, err)
	}
	if got, err := p.Unseal("routes/1", a); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%q, %v", got, err)
	}
	changed := bytes.Clone(a)
	changed[len(changed)-1] ^= 1
	for name, c := range map[string]struct {
		p      *Platform
		what   string
		sealed []byte
	}{
		"moved to another place": {p, "routes/2", a}, "changed": {p, "routes/1", changed}, "cut": {p, "routes/1", a[:len(a)-1]},
		"cut in the nonce": {p, "routes/1", a[:5]}, "nothing": {p, "routes/1", nil}, "under another key": {other, "routes/1", a},
	} {
		if got, err := c.p.Unseal(c.what, c.sealed); !errors.Is(err, twin.ErrInvalid) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if empty, err := p.Seal("x", nil); err != nil {
		t.Error(err)
	} else if got, err := p.Unseal("x", empty); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

// A key made of nothing would let everybody in, without a sign.
func TestShortSecretsMakeNoKey(t *testing.T) {
	for _, secret := range []string{"", "short"} {
		if _, err := with(secret).Seal("x", nil); err == nil {
			t.Errorf("%q seals", secret)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"castor-seal": " 0123456789abcdef \n", "castor-smtp": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	if b, err := SecretFiles(dir)("castor-seal"); err != nil || string(b) != "0123456789abcdef" {
		t.Errorf("%q, %v", b, err)
	}
	for name, secrets := range map[string]Secrets{"castor-smtp": SecretFiles(dir), "castor-admin": SecretFiles(dir), "../castor-seal": SecretFiles(sub)} {
		if b, err := secrets(name); !errors.Is(err, ErrNoSecret) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestPartsHaveDifferentSecrets(t *testing.T) {
	key := []byte("0123456789abcdef")
	seen := map[string][2]string{}
	for _, p := range [][2]string{{"connector", ""}, {"connector", "op-1"}, {"connector", "op-2"}, {"connector-op-1", ""}, {"connectorop-1", ""}, {"", "connector"}, {"users", ""}} {
		s := DerivePart(key, p[0], p[1])
		if old, ok := seen[s]; ok || len(s) < 43 {
			t.Errorf("%v and %v have the secret %s", old, p, s)
		}
		seen[s] = p
		if DerivePart(key, p[0], p[1]) != s || DerivePart([]byte("0123456789abcdeF"), p[0], p[1]) == s {
			t.Errorf("the secret of %v is not the key's", p)
		}
	}
}
