package secrets

import (
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
)

// minKey is how many bytes a secret must have that keys are made of (see platform.Key).
const minKey = 16

// Platform makes the platform's own secrets: the seal, the CA, the verifiers' key, the first administrator's password and the one that parts'
// secrets are made from. What is there stays, so that a first time that was interrupted goes on. That last one is written
// when all others are there: where it is, one of the others that is missing is lost, and not made anew, because devices and
// sealed data stand on it. It alone can be taken away to have new ones made for all parts. The first administrator's password
// may be gone: it is read once.
func (d Dir) Platform(now time.Time) (made []string, err error) {
	add := func(name string, value []byte) {
		if err == nil {
			err = d.Add(name, value)
			made = append(made, name)
		}
	}
	if d.Has(platform.SecretParts) {
		for _, name := range []string{platform.SecretSeal, platform.SecretVerify, platform.SecretCACert, platform.SecretCAKey} {
			if !d.Has(name) {
				return nil, fmt.Errorf("secret %s is missing in %s, of a platform that is not new: put it back from your backup", name, d)
			}
		}
		return nil, d.checkPlatform()
	}
	haveCert, haveKey := d.Has(platform.SecretCACert), d.Has(platform.SecretCAKey)
	switch {
	case haveCert && !haveKey: // not by us: the key is written first
		return nil, fmt.Errorf("%s has only one of %s and %s: put the other back from your backup, or take this one away for a new CA", d, platform.SecretCACert, platform.SecretCAKey)
	case haveKey && !haveCert:
		key, err := d.Read(platform.SecretCAKey)
		if err != nil {
			return nil, err
		}
		cert, err := pki.CertifyCA(now, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Path(platform.SecretCAKey), err)
		}
		add(platform.SecretCACert, cert)
	case !haveCert:
		cert, key, err := pki.NewCA(now)
		if err != nil {
			return nil, err
		}
		add(platform.SecretCAKey, key)
		add(platform.SecretCACert, cert)
	}
	if !d.Has(platform.SecretSeal) {
		if !d.Has(platform.SecretAdmin) {
			add(platform.SecretAdmin, Random(15))
		}
		add(platform.SecretSeal, Random(32)) // after the password: where it is, that one has been made, and may be gone since
	}
	if !d.Has(platform.SecretVerify) {
		add(platform.SecretVerify, Random(32))
	}
	add(platform.SecretParts, Random(32))
	if err != nil {
		return made, err
	}
	return made, d.checkPlatform()
}

func (d Dir) checkPlatform() error {
	for _, name := range []string{platform.SecretSeal, platform.SecretVerify, platform.SecretParts} {
		if b, err := d.Read(name); err != nil {
			return err
		} else if len(b) < minKey {
			return fmt.Errorf("secret %s in %s has %d bytes; it must have %d random ones or more", name, d, len(b), minKey)
		}
	}
	_, err := d.ca()
	return err
}

func (d Dir) ca() (*pki.CA, error) {
	cert, err := d.Read(platform.SecretCACert)
	if err != nil {
		return nil, err
	}
	key, err := d.Read(platform.SecretCAKey)
	if err != nil {
		return nil, err
	}
	ca, err := pki.LoadCA(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	return ca, nil
}
