package authorization

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// createGrant makes a grant; making the same again changes nothing. Who may write the object may grant it.
func (a *authorization) createGrant(ctx context.Context, c *faas.Call, in access.Grant) (faas.Reply, error) {
	if err := check(in); err != nil {
		return faas.Reply{}, err
	}
	if err := a.mayGrant(ctx, c.Caller, in.Object); err != nil {
		return faas.Reply{}, err
	}
	if err := a.known(ctx, in.Subject); err != nil {
		return faas.Reply{}, err
	}
	id, made := idOf(in), false
	g, err := a.grants.Upsert(ctx, id, func(g *access.Grant, exists bool) error {
		if made = !exists || !g.Deleted.IsZero(); !made {
			return store.Unchanged
		}
		now := a.p.Time()
		box := g.Outbox
		if !exists {
			// A grant that was made and purged before must not use the numbers of its events again.
			box.Next = now.UnixMilli()
		}
		*g = access.Grant{ID: id, Subject: in.Subject, Object: in.Object, Right: in.Right, By: c.Caller.String(), Created: now, Outbox: box}
		return a.tell(g)
	})
	if err != nil {
		return faas.Reply{}, err
	}
	a.flush(ctx, g)
	if !made {
		return faas.Reply{Value: g}, nil
	}
	return faas.Created("/grants/"+id, g), nil
}

// mayGrant returns nil if the caller may write the object, and what May says otherwise. Services are the maintainers' to grant.
func (a *authorization) mayGrant(ctx context.Context, c access.Caller, object string) error {
	if id, ok := strings.CutPrefix(object, "twin:"); ok {
		_, err := a.p.Twin(ctx, a.twins, c, access.Write, twin.ID(id))
		return err
	}
	if id, ok := strings.CutPrefix(object, "artifact:"); ok {
		v, err := a.p.API.GetArtifact(ctx, id)
		if err != nil {
			return err
		}
		return a.p.May(ctx, c, access.Write, access.Object{Name: object, Owner: v.Owner}, "artifact")
	}
	if !c.Is(access.Maintainer) {
		return fmt.Errorf("%w: only a maintainer grants services", access.ErrDenied)
	}
	return nil
}

// known asks function users whether there is such a subject: a grant to a name that was mistyped would look made and let
// nobody in, or later somebody else.
func (a *authorization) known(ctx context.Context, subject string) (err error) {
	kind, id, _ := strings.Cut(subject, ":")
	what := kind
	switch kind {
	case "user":
		_, err = a.p.API.GetUser(ctx, id)
	case "group":
		_, err = a.p.API.GetGroup(ctx, id)
	default:
		what = "service account"
		_, err = a.p.API.GetAccount(ctx, id)
	}
	if errors.Is(err, api.ErrNotFound) {
		return api.Invalid("subject: there is no %s %q; make it first", what, id)
	}
	return err
}

func (a *authorization) getGrant(ctx context.Context, c *faas.Call, _ faas.None) (access.Grant, error) {
	return a.visible(ctx, c)
}

// visible is the grant of the path, if it is made to the caller or the caller may take it back.
func (a *authorization) visible(ctx context.Context, c *faas.Call) (access.Grant, error) {
	id := c.Var("id")
	missing := platform.NotFound("grant", id)
	g, err := a.grants.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && !g.Deleted.IsZero() {
		return access.Grant{}, missing
	}
	if err != nil || slices.Contains(c.Caller.Subjects(), g.Subject) || c.Caller.Is(access.Maintainer) {
		return g, err
	}
	switch err := a.mayGrant(ctx, c.Caller, g.Object); {
	case errors.Is(err, api.ErrNotFound), errors.Is(err, access.ErrDenied):
		return access.Grant{}, missing
	default:
		return g, err
	}
}

// deleteGrant takes a grant back. What is left of it ends when its event is out.
func (a *authorization) deleteGrant(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	g, err := a.visible(ctx, c)
	if err != nil {
		return faas.None{}, err
	}
	// A maintainer may, also where the object is no more.
	if !c.Caller.Is(access.Maintainer) {
		err := a.mayGrant(ctx, c.Caller, g.Object)
		if errors.Is(err, api.ErrNotFound) { // a grant to the caller itself, on what is no more
			err = fmt.Errorf("%w: only who may write the object takes a grant back", access.ErrDenied)
		}
		if err != nil {
			return faas.None{}, err
		}
	}
	return faas.None{}, a.take(ctx, g.ID, func(access.Grant) bool { return true })
}

// take deletes a grant if it is still one to be taken.
func (a *authorization) take(ctx context.Context, id string, still func(access.Grant) bool) error {
	g, err := a.grants.Update(ctx, id, func(g *access.Grant) error {
		if !g.Deleted.IsZero() || !still(*g) {
			return store.Unchanged
		}
		g.Deleted = a.p.Time()
		return a.tell(g)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		a.flush(ctx, g)
	}
	return err
}

// tell adds the event to the grant's outbox.
func (a *authorization) tell(g *access.Grant) error {
	if g.Outbox.Full() {
		return fmt.Errorf("%w: too many changes of this grant could not be announced yet; try again later", api.ErrUnavailable)
	}
	g.Outbox.Add(g.ID, event.GrantChanged, g.Object, a.p.Time(), api.GrantChanged{Subject: g.Subject, Object: g.Object})
	return nil
}

// flush publishes what the grant holds back, and removes it if it was deleted. What fails is left to the sweep.
func (a *authorization) flush(ctx context.Context, g access.Grant) {
	err := a.outbox.Flush(ctx, g)
	if err == nil && !g.Deleted.IsZero() {
		err = a.purge(ctx, g.ID)
	}
	if err != nil {
		a.p.Log.WarnContext(ctx, "grant not announced yet", "grant", g.ID, "error", err)
	}
}

// purge removes a deleted grant that holds no event back; any other stays.
func (a *authorization) purge(ctx context.Context, id string) error {
	err := a.grants.DeleteIf(ctx, id, store.And(store.Exists("deleted", true), store.Exists("outbox.since", false)))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// idOf is the grant's id, the same for the same grant.
func idOf(g access.Grant) string {
	sum := sha256.Sum256([]byte(g.Subject + "\x00" + g.Object + "\x00" + string(g.Right)))
	return "grant-" + hex.EncodeToString(sum[:16])
}

var (
	subjectPattern = regexp.MustCompile(`^(user|group|service):[a-z0-9][a-z0-9._@-]{0,63}$`)
	objectPattern  = regexp.MustCompile(`^(service:[a-z][a-z0-9-]{0,62}|service:capability\.[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}|artifact:artifact-[0-9a-f]{16})$`)
)

func check(g access.Grant) error {
	switch {
	case g.ID != "" || g.By != "" || !g.Created.IsZero():
		return api.Invalid("id, by and created are the platform's to set; leave them out")
	case g.Right != access.Read && g.Right != access.Write:
		return api.Invalid("right %.40q must be read or write", string(g.Right))
	}
	return errors.Join(checkSubject(g.Subject), checkObject(g.Object))
}

func checkSubject(s string) error {
	if !subjectPattern.MatchString(s) {
		return api.Invalid("subject %.80q must be like user:ada, group:press-shop or service:erp", s)
	}
	return nil
}

func checkObject(s string) error {
	if id, ok := strings.CutPrefix(s, "twin:"); ok && twin.ID(id).Valid() == nil || objectPattern.MatchString(s) {
		return nil
	}
	return api.Invalid("object %.80q must be like twin:pump-7 (also a type or aggregate), artifact:artifact-0123456789abcdef or service:alerts", s)
}
