package alerts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A route is one route as it is stored.
type route struct {
	api.Route `bson:",inline"`

	// Of names whose it is, also where that is everybody.
	Of string `bson:"of"`

	// Sealed is the secret that signs webhooks, sealed for sealOf(id).
	Sealed []byte `bson:"sealed,omitempty"`
}

// ownersName is how routes are found by owner.
func ownersName(owner string) string {
	if owner == "" {
		return "everybody"
	}
	return "group:" + owner
}

func sealOf(id string) string { return "route:" + id }

const (
	maxRoutes = 100 // of one owner
	maxEmails = 20  // of one route
)

// matches tells whether the route's people want to know of this transition of a.
func (r *route) matches(a *alarm, raised bool) bool {
	switch {
	case !raised && !r.Cleared, r.Owner != "" && r.Owner != a.Owner, a.Severity.Rank() < r.Severity.Rank():
		return false
	}
	return r.Twin == "" || r.Twin == a.Twin || r.Twin == a.Type || slices.Contains(a.Aggregates, r.Twin)
}

func (f *function) createRoute(ctx context.Context, c *faas.Call, in api.Route) (faas.Reply, error) {
	if err := f.valid(in); err != nil {
		return faas.Reply{}, err
	}
	in.ID, in.By, in.Created = platform.NewID("route"), c.Caller.String(), f.p.Time()
	if !mayRoute(c.Caller, in.Owner) {
		if in.Owner == "" {
			return faas.Reply{}, fmt.Errorf("%w: owner: a route for everybody's alarms is for maintainers; name one of your groups", access.ErrDenied)
		}
		return faas.Reply{}, fmt.Errorf("%w: owner: %q is not one of your groups", access.ErrDenied, in.Owner)
	}
	if in.Owner != "" {
		if err := f.p.Group(ctx, c.Caller, "owner", in.Owner); err != nil {
			return faas.Reply{}, err
		}
	}
	if in.Twin != "" {
		if _, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, in.Twin); err != nil {
			return faas.Reply{}, err
		}
	}
	r := route{Route: in, Of: ownersName(in.Owner)}
	n, err := f.routes.Count(ctx, store.Eq("of", r.Of), "by-of")
	if err != nil {
		return faas.Reply{}, err
	}
	if n >= maxRoutes {
		return faas.Reply{}, fmt.Errorf("%w: there are %d routes of this owner, which is the most; delete one first", api.ErrConflict, n)
	}
	if in.Webhook != "" {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails since Go 1.24
		in.Secret = base64.RawURLEncoding.EncodeToString(secret)
		if r.Sealed, err = f.p.Seal(sealOf(in.ID), []byte(in.Secret)); err != nil {
			return faas.Reply{}, err
		}
	}
	return faas.Created("/routes/"+in.ID, in), f.routes.Insert(ctx, r)
}

// mayRoute tells whether the caller may manage the routes of an owner.
func mayRoute(c access.Caller, owner string) bool {
	if c.Is(access.Maintainer) {
		return true
	}
	return owner != "" && slices.Contains(c.Groups, owner) && c.Is(access.Owner, access.Configurator)
}

// valid checks what a person says of a route.
func (f *function) valid(r api.Route) error {
	if r.ID != "" {
		return api.Invalid("id is made by the platform; leave it out")
	}
	if utf8.RuneCountInString(r.Name) > 128 || strings.ContainsFunc(r.Name, unicode.IsControl) {
		return api.Invalid("name must be at most 128 characters, without control characters")
	}
	if r.Owner != "" && twin.ID(r.Owner).Valid() != nil {
		return api.Invalid("owner %.80q must be a group's id", r.Owner)
	}
	if r.Severity != "" && r.Severity.Rank() == 0 {
		return api.Invalid("severity %.40q must be %s, %s or %s", string(r.Severity), monitor.Info, monitor.Warning, monitor.Critical)
	}
	if r.Secret != "" {
		return api.Invalid("secret is made by the platform and shown in the answer; leave it out")
	}
	switch {
	case len(r.Email) == 0 && r.Webhook == "", len(r.Email) > 0 && r.Webhook != "":
		return api.Invalid("one of email and webhook must be set")
	case r.Webhook != "":
		return f.validWebhook(r.Webhook)
	case len(r.Email) > maxEmails:
		return api.Invalid("email may have %d addresses; make another route for more", maxEmails)
	case f.p.Mail.URL == "" || f.p.Mail.From == "":
		return fmt.Errorf("%w: email: this platform sends no mail yet; %s", api.ErrConflict, mailRemedy)
	}
	for i, e := range r.Email {
		a, err := mail.ParseAddress(e)
		if err != nil || a.Address != e || len(e) > 254 || strings.ContainsFunc(e, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
			return api.Invalid("email[%d] %.80q must be an address like ada@example.com", i, e)
		}
	}
	return nil
}

func (f *function) listRoutes(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[api.Route], err error) {
	page.Items = []api.Route{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	q := store.Query{Limit: limit, Cursor: c.Query.Get("cursor")}
	if !c.Caller.Is(access.Maintainer) {
		names := make([]string, len(c.Caller.Groups))
		for i, g := range c.Caller.Groups {
			names[i] = ownersName(g)
		}
		q.Index, q.Filter = "by-of", store.In("of", names...)
	}
	found, err := f.routes.Find(ctx, q)
	for _, r := range found.Items {
		page.Items = append(page.Items, r.Route)
	}
	page.Next = found.Next
	return page, err
}

func (f *function) deleteRoute(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	id := c.Var("id")
	missing := platform.NotFound("route", id)
	if twin.ID(id).Valid() != nil {
		return faas.None{}, missing
	}
	r, err := f.routes.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !mayRoute(c.Caller, r.Owner) {
		return faas.None{}, missing
	}
	if err == nil {
		err = f.routes.Delete(ctx, id)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = missing
	}
	return faas.None{}, err
}
