package device

import (
	"fmt"
	"regexp"

	"github.com/castor-iot/castor/shared/twin"
)

// usernames are what devices may be called where they log in by password. One that ends like a reference could be taken for another
// device's.
var (
	usernames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@_-]{0,63}$`)
	likeRef   = regexp.MustCompile(`-[0-9a-f]{8}$`)
)

// CheckUsername returns twin.ErrInvalid unless a device may have the user name.
func CheckUsername(name string) error {
	if !usernames.MatchString(name) || likeRef.MatchString(name) {
		return fmt.Errorf("%w: username %.80q must be 1 to 64 letters, digits, '@', '-' or '_', begin with a letter or digit, and not end like a device reference (-0123abcd)", twin.ErrInvalid, name)
	}
	return nil
}
