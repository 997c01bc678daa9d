package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// strangerKind is an application of somebody else's that takes part in the platform's work, as a step of provisioning.
const strangerKind = "service"

// Bounds of the secret that calls of a service are signed with, in bytes.
const (
	minSecret = 16
	maxSecret = 256
)

// mayServe lets a service account speak for services under its own name, with capabilities that it was granted: else anybody's
// application could draw devices to itself by saying that it can do what a model asks for.
func (d *directory) mayServe(ctx context.Context, c access.Caller, a *api.Advertisement) error {
	own := "service:" + c.ID
	switch {
	case a.Kind != strangerKind:
		return fmt.Errorf("%w: a service account speaks for kind service only, not %s", access.ErrDenied, a.Kind)
	case a.ID != own && !strings.HasPrefix(a.ID, own+":"):
		return fmt.Errorf("%w: %s speaks for ids %s and %s:… only", access.ErrDenied, c, own, own)
	}
	grants, err := d.p.Grants(ctx, c)
	if err != nil {
		return err
	}
	for _, word := range a.Capabilities {
		o := access.Object{Name: api.CapabilityObject(word)}
		if !access.Decide(c, access.Write, o, grants).Allowed {
			return fmt.Errorf("%w: capability %s: %s was not granted it; a maintainer grants write on %s", access.ErrDenied, word, c, o.Name)
		}
	}
	return nil
}

// checkService validates what a service says of itself.
func checkService(a *api.Advertisement) error {
	if !strings.HasPrefix(a.URL, "https://") && !strings.HasPrefix(a.URL, "http://") {
		return api.Invalid("url %.80q must be like https://lab.example/castor: it is what is called", a.URL)
	}
	if n := len(a.Secret); n < minSecret || n > maxSecret {
		return api.Invalid("secret must have %d to %d bytes: calls are signed with it", minSecret, maxSecret)
	}
	if len(a.Capabilities) == 0 {
		return api.Invalid("capabilities must say what the service can do")
	}
	return nil
}

// sealOf binds a secret to its service.
func sealOf(id string) string { return "secret of " + id }

// stillServes takes a service out that may not do any more what it says it can: its account is gone, or what it was granted. Who is
// about to call it asks for its secret first, so it is not called from that moment.
func (d *directory) stillServes(ctx context.Context, v *said) error {
	id := strings.TrimPrefix(v.By, "service:")
	a, err := d.p.API.GetAccount(ctx, id)
	if err == nil {
		err = d.mayServe(ctx, access.Caller{Kind: access.Service, ID: id, Roles: a.Roles, Groups: a.Groups}, &v.Advertisement)
	}
	if !errors.Is(err, access.ErrDenied) && !errors.Is(err, api.ErrNotFound) {
		return err
	}
	d.p.Log.InfoContext(ctx, "a service may not serve any more", "service", v.ID, "reason", err)
	if err := d.says.Delete(ctx, v.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return platform.NotFound("service", v.ID)
}

// secret is what calls of a service are signed with.
func (d *directory) secret(ctx context.Context, c *faas.Call, _ faas.None) (api.ServiceSecret, error) {
	id := c.Var("id")
	v, err := d.says.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && (!v.Expires.After(d.p.Time()) || v.Kind != strangerKind) {
		return api.ServiceSecret{}, platform.NotFound("service", id)
	}
	if err != nil {
		return api.ServiceSecret{}, err
	}
	if err := d.stillServes(ctx, &v); err != nil {
		return api.ServiceSecret{}, err
	}
	plain, err := d.p.Unseal(sealOf(id), v.Sealed)
	return api.ServiceSecret{Secret: string(plain)}, err
}
