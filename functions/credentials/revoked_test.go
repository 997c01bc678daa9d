package credentials_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/castor-iot/castor/shared/access"
)

// Maintainers may fetch the list of revoked certificates for a gateway that is not there yet; other people may not.
func TestWhoMayFetchTheListOfRevokedCertificates(t *testing.T) {
	w, ctx := start(t), context.Background()
	if list, err := w.Admin().Revoked(ctx); err != nil || !bytes.Contains(list, []byte("X509 CRL")) {
		t.Errorf("a maintainer is told %q, %v", list, err)
	}
	if _, err := w.User("ada", []access.Role{access.Owner}, "press").Revoked(ctx); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner: %v", err)
	}
}
