package credentials

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// The bounds of a claim.
const (
	claimFor     = 24 * time.Hour
	claimLongest = 90 * 24 * time.Hour
	claimUses    = 100_000
)

// A claim as it is stored.
type claim struct {
	device.Claim `bson:",inline"`

	// Taking and Returning are runs whose use is counted, or given back, here while its own document does not say so yet.
	Taking    []string `bson:"taking,omitempty"`
	Returning []string `bson:"returning,omitempty"`

	// OpenSince is when the oldest of them was added, for the sweep.
	OpenSince time.Time `bson:"openSince,omitempty"`

	// Closed is set once nobody needs the claim any more.
	Closed bool `bson:"closed,omitempty"`

	// PendingSince is set while the provisioning gateways are still to be told of the claim, or of its end.
	PendingSince time.Time `bson:"pendingSince,omitempty"`
}

// over tells whether the claim lets nobody in any more.
func (v *claim) over() bool { return v.Revoked || v.Closed }

func (c *credentials) createClaim(ctx context.Context, call *faas.Call, in api.NewClaim) (faas.Reply, error) {
	if err := c.checkClaim(ctx, call.Caller, &in); err != nil {
		return faas.Reply{}, err
	}
	f, err := c.entrances(ctx, &in)
	if err != nil {
		return faas.Reply{}, err
	}
	var secret [32]byte
	rand.Read(secret[:]) // never fails since Go 1.24
	token := base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	now := c.p.Time()
	id := in.ID
	if id == "" {
		id = platform.NewID("claim")
	}
	v := claim{PendingSince: now, Claim: device.Claim{ID: id, Type: in.Type, Owner: in.Owner, Location: in.Location,
		Serials: in.Serials, Listed: int64(len(in.Identities)), Batch: in.Batch, Temporary: in.Temporary, Note: in.Note, Expires: now.Add(in.Expires.D()), MaxUses: in.MaxUses, By: call.Caller.String(), Created: now,
		Verifier: hex.EncodeToString(sum[:])}}
	// The list first: a claim without its list would let others in.
	err = c.keepSerials(ctx, id, in.Identities)
	if err == nil {
		err = c.claims.Insert(ctx, v)
	}
	if errors.Is(err, store.ErrExists) && in.ID != "" {
		if v, err = c.claims.Get(ctx, id); err == nil && (v.Type != in.Type || v.Owner != in.Owner || v.Serials != in.Serials) {
			err = fmt.Errorf("%w: claim %s is another one", api.ErrConflict, id)
		}
		f.Claim = c.told(v)
		return faas.Created("/claims/"+id, f), err
	}
	if err != nil {
		return faas.Reply{}, err
	}
	// The token is in this answer and nowhere else, so the answer is given even if the gateways hear of it only by a sweep.
	if err := c.tell(ctx, v); err != nil {
		c.p.Log.WarnContext(ctx, "claim not admitted yet", "claim", v.ID, "error", err)
	}
	f.Claim, f.Token = c.told(v), token
	return faas.Created("/claims/"+v.ID, f), nil
}

// claimID is what parts of the platform may call a claim.
var claimID = regexp.MustCompile(`^claim-[A-Za-z0-9-]{1,58}$`)

// checkClaim validates what is asked for and fills in what was left open.
func (c *credentials) checkClaim(ctx context.Context, caller access.Caller, in *api.NewClaim) error {
	if in.Expires == 0 {
		in.Expires = twin.Duration(claimFor)
	}
	if in.MaxUses == 0 {
		in.MaxUses = int64(max(1, len(in.Identities)))
	}
	_, badPattern := path.Match(in.Serials, "x")
	who := caller
	if caller.For != nil {
		who = *caller.For
	}
	switch {
	case in.ID != "" && (caller.Kind != access.Part || !claimID.MatchString(in.ID)):
		return api.Invalid("id is made by the platform; leave it out")
	case in.Type.Valid() != nil:
		return fmt.Errorf("type: %w", in.Type.Valid())
	case twin.ID(in.Owner).Valid() != nil:
		return api.Invalid("owner must be the id of the group that the devices will belong to")
	case in.Expires.D() < time.Second || in.Expires.D() > claimLongest:
		return api.Invalid("expires must be a duration from \"1s\" to \"2160h\" (90 days), not %q", in.Expires)
	case in.MaxUses < 1 || in.MaxUses > claimUses:
		return api.Invalid("maxUses must be 1 to %d, not %d", claimUses, in.MaxUses)
	case in.Temporary && in.Expires.D() > claimFor:
		return api.Invalid("expires: a temporary claim ends within 24h, not after %s", in.Expires)
	case in.Batch != "" && !batchPattern.MatchString(in.Batch):
		return api.Invalid("batch %.80q must be 1 to 64 letters, digits, '.', '-' or '_'", in.Batch)
	case len(in.Note) > 500 || !printable(in.Note):
		return api.Invalid("note must be text of at most 500 bytes, on one line")
	case len(in.Serials) > 64 || !printable(in.Serials) || badPattern != nil:
		return api.Invalid("serials must be a pattern of at most 64 characters, like \"P-*\" or \"P-[0-9]?\"; \"\" stands for every serial")
	}
	if err := checkSerials(in); err != nil {
		return err
	}
	if in.Location != nil {
		if err := in.Location.Validate(); err != nil {
			return err
		}
	}
	if who.Kind != access.Part && !who.Is(access.Maintainer, access.Configurator) && !slices.Contains(who.Groups, in.Owner) {
		return fmt.Errorf("%w: owner: you may make claims for your own groups only", access.ErrDenied)
	}
	t, err := c.p.Twin(ctx, c.twins, caller, access.Read, in.Type)
	if errors.Is(err, api.ErrNotFound) || err == nil && t.Kind != twin.Type {
		return api.Invalid("type: there is no type %q; make it first", in.Type)
	} else if err != nil {
		return err
	}
	return c.p.Group(ctx, who, "owner", in.Owner)
}

// printable tells whether s is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !slices.ContainsFunc([]rune(s), func(r rune) bool { return r < ' ' || r == 0x7f })
}

// object is the claim as something that belongs to a group.
func (v *claim) object() access.Object { return access.Object{Name: "claim:" + v.ID, Owner: v.Owner} }

// find returns a claim that the caller may use right on. Configurators manage claims of every group.
func (c *credentials) find(ctx context.Context, caller access.Caller, right access.Right, id string) (claim, error) {
	v, err := c.claims.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid):
		return v, platform.NotFound("claim", id)
	case err != nil || caller.Is(access.Configurator):
		return v, err
	}
	return v, c.p.May(ctx, caller, right, v.object(), "claim")
}

func (c *credentials) getClaim(ctx context.Context, call *faas.Call, _ faas.None) (device.Claim, error) {
	v, err := c.find(ctx, call.Caller, access.Read, call.Var("id"))
	return c.told(v), err
}

func (c *credentials) revokeClaim(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
	v, err := c.find(ctx, call.Caller, access.Write, call.Var("id"))
	if err != nil {
		return faas.None{}, err
	}
	v, err = c.claims.Update(ctx, v.ID, func(v *claim) error {
		if !v.Revoked {
			v.Revoked, v.PendingSince = true, c.p.Time()
		}
		return nil
	})
	if err != nil {
		return faas.None{}, err
	}
	return faas.None{}, c.tell(ctx, v)
}
