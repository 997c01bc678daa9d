package drivers

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/provision"
)

// maxVersions is how many a driver has.
const maxVersions = 100

// wrong is an error of package driver's checks as an answer to whoever sent the driver.
func wrong(err error) error {
	switch {
	case errors.Is(err, driver.ErrTooLarge):
		return errors.Join(api.ErrTooLarge, api.Invalid("%w", err))
	case err != nil:
		return api.Invalid("%w", err)
	}
	return nil
}

// checkSignature refuses a signature that is not the key's over the driver.
func checkSignature(in *api.PublishDriver) error {
	if in.Key == "" && in.Signature == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(in.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return api.Invalid("key must be the maker's Ed25519 public key, %d bytes in base64", ed25519.PublicKeySize)
	}
	signature, err := base64.StdEncoding.DecodeString(in.Signature)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return api.Invalid("signature must be an Ed25519 signature, %d bytes in base64", ed25519.SignatureSize)
	}
	digest, err := driver.Digest(&in.Driver)
	if err != nil {
		return api.Invalid("%w", err)
	}
	if !ed25519.Verify(key, digest, signature) {
		return api.Invalid("signature is not this key's over this driver: sign its name, version, kind, firmware, code and tests as they are sent")
	}
	return nil
}

// checkOwner wants a group that the caller may publish for, or the platform.
func (f *function) checkOwner(ctx context.Context, c access.Caller, owner *string) error {
	err := f.p.Owner(ctx, c, owner)
	switch {
	case *owner == "" && mayWrite(c, ""):
		return nil // the platform's
	case err == nil && !mayWrite(c, *owner):
		return fmt.Errorf("%w: owner: you may publish for your own groups only", access.ErrDenied)
	}
	return err
}

// refused is the answer to a driver whose tests or code are at fault; errors are all that was found.
func refused(detail string, errors []string, faults []provision.Fault) error {
	return &api.Problem{Title: "Invalid request", Status: http.StatusBadRequest, Detail: detail, Errors: errors, Faults: faults}
}
