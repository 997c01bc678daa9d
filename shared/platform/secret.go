package platform

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Secrets returns a secret by name. OpenFaaS mounts them as files; the platform on one machine derives parts' secrets.
type Secrets func(name string) ([]byte, error)

// Names of secrets. A part is given only those it needs.
const (
	SecretParts  = "castor-parts"    // 32 bytes: function users checks parts' secrets by it
	SecretSeal   = "castor-seal"     // 32 bytes: seals what must be kept and read again
	SecretCACert = "castor-ca"       // PEM
	SecretCAKey  = "castor-ca-key"   // PEM: function credentials, and who starts gateways
	SecretVerify = "castor-verifier" // 32 bytes: verifiers of devices' secrets are made with it; function credentials and gateways
	SecretSMTP   = "castor-smtp"     // password for sending mail; may be missing
	SecretAdmin  = "castor-admin"    // the first administrator's password, read once while there are no users

	SecretMongoURL  = "castor-mongo-url"  // MongoDB's whole URL, with the password
	SecretNATSToken = "castor-nats-token" // what the bus is entered with
	SecretS3Access  = "castor-s3-access"  // key id of the object store
	SecretS3Secret  = "castor-s3-secret"  // and its secret
)

// ErrNoSecret tells that there is no secret of that name.
var ErrNoSecret = errors.New("no such secret")

// minKey is how many bytes a secret must have that keys are made of.
const minKey = 16

// Key is a secret that keys are made of. It returns an error for one that is too short to be random.
func (p *Platform) Key(name string) ([]byte, error) {
	key, err := p.Secrets(name)
	if err == nil && len(key) < minKey {
		return nil, fmt.Errorf("secret %s has %d bytes; it must have %d random ones or more", name, len(key), minKey)
	}
	return key, err
}

// PartSecret names the secret of a part.
func PartSecret(part, gateway string) string {
	if gateway != "" {
		return "castor-part-" + part + "-" + gateway
	}
	return "castor-part-" + part
}

// DerivePart is the secret of a part, made from the secret SecretParts: function users need keep none of them.
func DerivePart(parts []byte, part, gateway string) string {
	m := hmac.New(sha256.New, parts)
	fmt.Fprintf(m, "part\x00%s\x00%s", part, gateway)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// DeriveBus is the password by which a gateway enters the bus, where each has its own, made from the secret SecretParts.
func DeriveBus(parts []byte, gateway string) string {
	m := hmac.New(sha256.New, parts)
	fmt.Fprintf(m, "bus\x00%s", gateway)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// maxSecret bounds a secret's file, in bytes.
const maxSecret = 1 << 20

// SecretFiles reads secrets from the files of a folder; white space at their ends does not count. They are read at every call, so
// that a new one counts at once. Errors name the file and what to do; for one that is missing or empty they are ErrNoSecret.
func SecretFiles(dir string) Secrets {
	return func(name string) ([]byte, error) {
		path := filepath.Join(dir, filepath.Base(name))
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, missing{fmt.Errorf("%w: %s is not in %s: castor init makes it; give it to this process, or name the right folder by CASTOR_SECRETS", ErrNoSecret, filepath.Base(name), dir)}
		}
		if err != nil {
			return nil, fmt.Errorf("secret %s cannot be read: %w: make it readable for the user of this process", filepath.Base(name), err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
		switch b = bytes.TrimSpace(b); {
		case err != nil:
			return nil, fmt.Errorf("secret %s cannot be read: %w: it must be a file that the user of this process can read; castor init makes it", filepath.Base(name), err)
		case len(b) > maxSecret:
			return nil, fmt.Errorf("secret %s has more than 1 MiB: %s is another file", filepath.Base(name), path)
		case len(b) == 0:
			return nil, fmt.Errorf("%w: %s is empty: put it back from your backup, or take the file away and let castor init make it", ErrNoSecret, path)
		}
		return b, nil
	}
}

// missing is an ErrNoSecret where there is no file; an empty file is not meant to be none.
type missing struct{ error }

func (missing) Is(target error) bool { return target == os.ErrNotExist }
func (m missing) Unwrap() error      { return m.error }

// Seal encrypts a secret that must be kept (AES-256-GCM under SecretSeal). what names the place; it is bound into it: a value moved to another
// place does not open.
func (p *Platform) Seal(what string, plain []byte) ([]byte, error) {
	g, err := p.sealer()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, g.NonceSize())
	rand.Read(nonce) // never fails since Go 1.24
	return g.Seal(nonce, nonce, plain, []byte(what)), nil
}

// Unseal is the way back. It returns twin.ErrInvalid for what Seal did not make for the same what.
func (p *Platform) Unseal(what string, sealed []byte) ([]byte, error) {
	g, err := p.sealer()
	if err != nil {
		return nil, err
	}
	if len(sealed) < g.NonceSize() {
		return nil, fmt.Errorf("%w: the sealed value of %s is damaged", twin.ErrInvalid, what)
	}
	plain, err := g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], []byte(what))
	if err != nil {
		return nil, fmt.Errorf("%w: the sealed value of %s does not open with the platform's key", twin.ErrInvalid, what)
	}
	return plain, nil
}

func (p *Platform) sealer() (cipher.AEAD, error) {
	key, err := p.Key(SecretSeal)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key)
	b, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// Verifier is what is kept in place of a device's secret.
func (p *Platform) Verifier(ref device.Ref, secret string) (string, error) {
	key, err := p.Key(SecretVerify)
	return device.Verifier(key, ref, secret), err
}
