package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// Administrator is the id of the first user.
const Administrator = "admin"

// firstAdministrator makes the first user, a maintainer with the password of secret platform.SecretAdmin, while there is no
// user at all. Without that secret none is made. Replicas that do it at once make the same one.
func (u *users) firstAdministrator(ctx context.Context) error {
	switch _, err := u.users.FindOne(ctx, store.Query{}); {
	case err == nil:
		return nil
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	password, err := u.p.Secrets(platform.SecretAdmin)
	if errors.Is(err, platform.ErrNoSecret) {
		u.p.Log.WarnContext(ctx, "there are no users and no first password", "secret", platform.SecretAdmin)
		return nil
	}
	if err != nil {
		return err
	}
	v := user{User: api.User{ID: Administrator, Name: "First administrator", Roles: []access.Role{access.Maintainer}, Created: u.p.Time()}}
	if err := checkPassword("secret "+platform.SecretAdmin, string(password), v.User); err != nil {
		return fmt.Errorf("the first administrator: %w", err)
	}
	if v.Hash, err = u.hasher.hash(ctx, string(password)); err != nil {
		return err
	}
	if err := u.users.Insert(ctx, v); !errors.Is(err, store.ErrExists) {
		return err
	}
	return nil
}
