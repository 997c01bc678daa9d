package platform

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

var groupPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// ValidGroup tells whether id can be the id of a group.
func ValidGroup(id string) bool { return groupPattern.MatchString(id) }

// Owner settles which group what the caller makes belongs to: one of theirs, for maintainers any that there is. Who is in one group need
// not name it.
func (p *Platform) Owner(ctx context.Context, c access.Caller, owner *string) error {
	if c.For != nil {
		c = *c.For
	}
	if *owner == "" && len(c.Groups) == 1 {
		*owner = c.Groups[0]
	}
	switch {
	case *owner == "":
		return api.Invalid("owner must name the group it belongs to")
	case !ValidGroup(*owner):
		return api.Invalid("owner %.80q must be the id of a group", *owner)
	case !slices.Contains(c.Groups, *owner) && !c.Is(access.Maintainer):
		return fmt.Errorf("%w: owner: you may name your own groups only", access.ErrDenied)
	}
	return p.Group(ctx, c, "owner", *owner)
}

// Group returns nil if there is such a group; field is what of a request names it. The caller's own are there.
func (p *Platform) Group(ctx context.Context, c access.Caller, field, id string) error {
	if slices.Contains(c.Groups, id) {
		return nil
	}
	_, err := p.API.GetGroup(ctx, id)
	if errors.Is(err, api.ErrNotFound) {
		return api.Invalid("%s: there is no group %q; make it first", field, id)
	}
	return err
}
