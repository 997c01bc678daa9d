package drivers

import (
	"context"
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
