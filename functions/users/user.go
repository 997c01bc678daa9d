package users

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A user as it is stored.
type user struct {
	api.User `bson:",inline"`

	// Hash is the password's, with its parameters; "" for a deleted user.
	Hash string `bson:"hash,omitempty"`

	// Epoch grows when all sessions of the user end: with a new password, and when the user is disabled.
	Epoch int64 `bson:"epoch"`

	// Leaving is when somebody began to take the user's maintainership away (see change).
	Leaving time.Time `bson:"leaving,omitempty"`

	// Deleted is when the user was deleted. The id stays taken: grants may still name it, and must not pass to another person.
	Deleted time.Time `bson:"deleted,omitempty"`
}

func (v user) active() bool { return v.ID != "" && !v.Disabled && v.Deleted.IsZero() }

func (v user) maintains() bool { return v.active() && slices.Contains(v.Roles, access.Maintainer) }

func (u *users) createUser(ctx context.Context, _ *faas.Call, in api.NewUser) (faas.Reply, error) {
	v := user{User: in.User}
	if err := checkID("id", v.ID); err != nil {
		return faas.Reply{}, err
	}
	if err := u.check(ctx, &v.User); err != nil {
		return faas.Reply{}, err
	}
	if err := checkPassword("password", in.Password, v.User); err != nil {
		return faas.Reply{}, err
	}
	v.Created = u.p.Time()
	var err error
	if v.Hash, err = u.hasher.hash(ctx, in.Password); err != nil {
		return faas.Reply{}, err
	}
	if err := u.users.Insert(ctx, v); err != nil {
		return faas.Reply{}, taken(err, "user", v.ID)
	}
	return faas.Created("/users/"+v.ID, v.User), nil
}

func (u *users) getUser(ctx context.Context, c *faas.Call, _ faas.None) (api.User, error) {
	v, err := u.known(ctx, c.Var("id"))
	return v.User, err
}

// known is the user of that id, or NotFound.
func (u *users) known(ctx context.Context, id string) (user, error) {
	v, err := u.byName(ctx, id)
	if err == nil && (v.ID == "" || !v.Deleted.IsZero()) {
		err = platform.NotFound("user", id)
	}
	return v, err
}

func (u *users) listUsers(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.User], error) {
	return list(ctx, c, u.users, func(v user) api.User { return v.User })
}

func (u *users) updateUser(ctx context.Context, c *faas.Call, in api.UserChange) (api.User, error) {
	id := c.Var("id")
	if _, err := u.known(ctx, id); err != nil {
		return api.User{}, err
	}
	change := func(v *user) error {
		if !v.Deleted.IsZero() {
			return platform.NotFound("user", id)
		}
		set(&v.Name, in.Name)
		set(&v.Email, in.Email)
		set(&v.Roles, in.Roles)
		set(&v.Groups, in.Groups)
		if in.Disabled != nil {
			if *in.Disabled && !v.Disabled {
				v.Epoch++
			}
			v.Disabled = *in.Disabled
		}
		return u.check(ctx, &v.User)
	}
	v, err := u.change(ctx, id, change)
	return v.User, err
}

// deleteUser leaves nothing of the user but the id.
func (u *users) deleteUser(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := c.Var("id")
	if _, err := u.known(ctx, id); err != nil {
		return faas.None{}, err
	}
	_, err := u.change(ctx, id, func(v *user) error {
		*v = user{User: api.User{ID: id, Roles: []access.Role{}, Disabled: true, Created: v.Created}, Epoch: v.Epoch + 1, Deleted: u.p.Time()}
		return nil
	})
	return faas.None{}, err
}

// setPassword ends the user's sessions too, in the same write.
func (u *users) setPassword(ctx context.Context, c *faas.Call, in api.PasswordChange) (faas.None, error) {
	id := c.Var("id")
	own := c.Caller.Kind == access.User && c.Caller.ID == id
	if !own && !c.Caller.Is(access.Maintainer) {
		return faas.None{}, platform.NotFound("user", id)
	}
	v, err := u.known(ctx, id)
	if err != nil {
		return faas.None{}, err
	}
	if err := checkPassword("new", in.New, v.User); err != nil {
		return faas.None{}, err
	}
	if own {
		switch _, err := u.verified(ctx, client(c), id, in.Old); {
		case errors.Is(err, errLogin):
			return faas.None{}, fmt.Errorf("%w: old is not the present password", access.ErrDenied)
		case err != nil:
			return faas.None{}, err
		}
	}
	hash, err := u.hasher.hash(ctx, in.New)
	if err != nil {
		return faas.None{}, err
	}
	_, err = u.users.Update(ctx, id, func(now *user) error {
		if !now.Deleted.IsZero() {
			return platform.NotFound("user", id)
		}
		if own && now.Hash != v.Hash {
			return fmt.Errorf("%w: the password was changed meanwhile", api.ErrConflict)
		}
		now.Hash = hash
		now.Epoch++
		return nil
	})
	return faas.None{}, err
}

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// checkID returns twin.ErrInvalid if id cannot name a user, group or service account. Only lower case, so that no two look
// the same to people.
func checkID(field, id string) error {
	if !idPattern.MatchString(id) {
		return api.Invalid("%s %.80q must be 1 to 64 lower-case letters, digits, '.', '-', '_' or '@', beginning with a letter or digit", field, id)
	}
	return nil
}

// check validates what people say of a user, and brings it to the form that is stored.
func (u *users) check(ctx context.Context, v *api.User) (err error) {
	if err := checkText("name", v.Name); err != nil {
		return err
	}
	if v.Email != "" {
		if a, err := mail.ParseAddress(v.Email); err != nil || a.Address != v.Email || len(v.Email) > 254 {
			return api.Invalid("email %.80q must be an address like ada@example.org", v.Email)
		}
	}
	if v.Roles, err = checkRoles(v.Roles); err != nil {
		return err
	}
	v.Groups, err = u.checkGroups(ctx, v.Groups)
	return err
}

func checkText(field, s string) error {
	if len(s) > 128 || !utf8.ValidString(s) || slices.ContainsFunc([]rune(s), unicode.IsControl) {
		return api.Invalid("%s may have 128 bytes of text without control characters", field)
	}
	return nil
}

func checkRoles(roles []access.Role) ([]access.Role, error) {
	for _, r := range roles {
		if !slices.Contains(access.Roles, r) {
			return nil, api.Invalid("roles: there is no role %.40q; there are %s", string(r), strings.Trim(strings.ReplaceAll(fmt.Sprint(access.Roles), " ", ", "), "[]"))
		}
	}
	out := append([]access.Role{}, roles...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// taken says an ErrExists in words.
func taken(err error, what, id string) error {
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w: %s %q; ids of deleted ones stay taken", api.ErrExists, what, id)
	}
	return err
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}
