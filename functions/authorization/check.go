package authorization

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// check tells whether a subject may use a right on an object, and why. An object that is not there is answered like one that
// nobody granted.
func (a *authorization) check(ctx context.Context, c *faas.Call, in api.Check) (access.Decision, error) {
	if in.Right != access.Read && in.Right != access.Write {
		return access.Decision{}, api.Invalid("right %.40q must be read or write", string(in.Right))
	}
	if err := checkObject(in.Object); err != nil {
		return access.Decision{}, err
	}
	who, err := a.subject(ctx, c.Caller, in.Subject)
	if errors.Is(err, api.ErrNotFound) || errors.Is(err, errDisabled) {
		return access.Decision{Reason: err.Error()}, nil
	}
	if err != nil {
		return access.Decision{}, err
	}
	object := access.Object{Name: in.Object}
	if id, ok := strings.CutPrefix(in.Object, "twin:"); ok {
		t, err := a.twins.Get(ctx, id)
		switch {
		case err == nil && t.Deleted.IsZero():
			object = access.Twin(&t)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return access.Decision{}, err
		}
	}
	if id, ok := strings.CutPrefix(in.Object, "artifact:"); ok {
		v, err := a.p.API.GetArtifact(ctx, id)
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return access.Decision{}, err
		}
		object.Owner = v.Owner
	}
	grants, err := a.p.Grants(ctx, who)
	if err != nil {
		return access.Decision{}, err
	}
	return access.Decide(who, in.Right, object, grants), nil
}

var errDisabled = errors.New("is disabled")

// subject is the caller that a check is about: the one who asks, unless a maintainer or a part of the platform asks for another.
func (a *authorization) subject(ctx context.Context, asks access.Caller, name string) (access.Caller, error) {
	if name == "" || asks.For == nil && name == string(asks.Kind)+":"+asks.ID {
		return asks, nil
	}
	if err := checkSubject(name); err != nil {
		return access.Caller{}, err
	}
	if asks.For != nil || asks.Kind != access.Part && !asks.Is(access.Maintainer) {
		return access.Caller{}, fmt.Errorf("%w: only a maintainer asks for others; leave subject out to ask for yourself", access.ErrDenied)
	}
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "group": // what being in it, and nothing else, allows
		return access.Caller{Kind: access.User, Groups: []string{id}}, nil
	case "service":
		s, err := a.p.API.GetAccount(ctx, id)
		return access.Caller{Kind: access.Service, ID: s.ID, Roles: s.Roles, Groups: s.Groups}, err
	default:
		u, err := a.p.API.GetUser(ctx, id)
		if err == nil && u.Disabled {
			return access.Caller{Kind: access.User, ID: u.ID}, fmt.Errorf("user %q %w", id, errDisabled)
		}
		return access.Caller{Kind: access.User, ID: u.ID, Roles: u.Roles, Groups: u.Groups}, err
	}
}
