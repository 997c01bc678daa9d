package credentials

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxSerials is how many devices a claim may name.
const maxSerials = 10_000

var batchPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// A listedSerial is one serial that a claim was given by name: a document of its own, so that using a claim for thousands of
// devices does not write the list thousands of times.
type listedSerial struct {
	ID string `bson:"_id"` // claim/serial
}

// checkSerials brings the list to the form in which identities have serials.
func checkSerials(in *api.NewClaim) error {
	if len(in.Identities) > maxSerials {
		return api.Invalid("identities: a claim may name %d serials, not %d; make several claims of one batch", maxSerials, len(in.Identities))
	}
	seen := make(map[string]bool, len(in.Identities))
	for n, s := range in.Identities {
		i := device.Identity{Serial: s, ID: "x"}
		if err := i.Normalise(); err != nil {
			return fmt.Errorf("identities, number %d: %w", n+1, err)
		}
		if seen[i.Serial] {
			return api.Invalid("identities: serial %q is there twice", i.Serial)
		}
		seen[i.Serial] = true
		in.Identities[n] = i.Serial
	}
	return nil
}

// keepSerials keeps the list of a claim that is about to be made.
func (c *credentials) keepSerials(ctx context.Context, id string, serials []string) error {
	for chunk := range slices.Chunk(serials, 1000) {
		docs := make([]listedSerial, len(chunk))
		for n, s := range chunk {
			docs[n].ID = id + "/" + s
		}
		if err := c.listed.PutMany(ctx, docs); err != nil {
			return err
		}
	}
	return nil
}

// lists returns device.ErrClaim if the claim names its devices and this is none of them.
func (c *credentials) lists(ctx context.Context, v *claim, serial string) error {
	if v.Listed == 0 {
		return nil
	}
	_, err := c.listed.Get(ctx, v.ID+"/"+strings.TrimSpace(serial))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return fmt.Errorf("%w: claim %s names %d serials, and %.64q is not among them", device.ErrClaim, v.ID, v.Listed, serial)
	}
	return err
}

func (c *credentials) listSerials(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[string], error) {
	out := api.Page[string]{Items: []string{}}
	limit, err := call.Limit()
	if err != nil {
		return out, err
	}
	v, err := c.find(ctx, call.Caller, access.Read, call.Var("id"))
	if err != nil {
		return out, err
	}
	only := store.Prefix("_id", v.ID+"/")
	if serial := call.Query.Get("serial"); serial != "" {
		only = store.Eq("_id", v.ID+"/"+strings.TrimSpace(serial))
	}
	page, err := c.listed.Find(ctx, store.Query{Filter: only, Limit: limit, Cursor: call.Query.Get("cursor")})
	for _, s := range page.Items {
		out.Items = append(out.Items, strings.TrimPrefix(s.ID, v.ID+"/"))
	}
	out.Next = page.Next
	return out, err
}

// told is a claim as it is told of: with its state now.
func (c *credentials) told(v claim) device.Claim {
	v.Claim.State = v.StateAt(c.p.Time())
	return v.Claim
}

// listClaims pages through claims. What is asked for beside the index is looked for in what the index finds, a page at a time.
func (c *credentials) listClaims(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[device.Claim], error) {
	out := api.Page[device.Claim]{Items: []device.Claim{}}
	limit, err := call.Limit()
	if err != nil {
		return out, err
	}
	owner, of, batch, state := call.Query.Get("owner"), twin.TypeID(call.Query.Get("type")), call.Query.Get("batch"), call.Query.Get("state")
	switch {
	case owner != "" && twin.ID(owner).Valid() != nil:
		return out, fmt.Errorf("owner: %w", twin.ID(owner).Valid())
	case of != "" && of.Valid() != nil:
		return out, fmt.Errorf("type: %w", of.Valid())
	case batch != "" && !batchPattern.MatchString(batch):
		return out, api.Invalid("batch must be 1 to 64 letters, digits, '.', '-' or '_'")
	case state != "" && !slices.Contains(device.ClaimStates, state):
		return out, api.Invalid("state must be open, used, expired or revoked, not %.40q", state)
	}
	owners := []string{owner}
	if !call.Caller.Is(access.Maintainer, access.Configurator) && call.Caller.Kind != access.Part {
		if owners = call.Caller.Groups; owner != "" {
			owners = slices.DeleteFunc(slices.Clone(owners), func(g string) bool { return g != owner })
		}
		if len(owners) == 0 {
			return out, nil
		}
	} else if owner == "" {
		owners = nil
	}
	q := store.Query{Limit: limit, Cursor: call.Query.Get("cursor"), Partial: true}
	var also []store.Filter
	use := func(index string, f store.Filter) {
		if q.Index == "" {
			q.Index = index
		}
		also = append(also, f)
	}
	if batch != "" {
		use("by-batch", store.Eq("batch", batch))
	}
	if owners != nil {
		use("by-owner", store.In("owner", owners...))
	}
	if of != "" {
		use("by-type", store.Eq("type", of))
	}
	if len(also) > 0 {
		q.Filter = store.And(also...)
	}
	page, err := c.claims.Find(ctx, q)
	for _, v := range page.Items {
		if told := c.told(v); state == "" || told.State == state {
			out.Items = append(out.Items, told)
		}
	}
	out.Next = page.Next
	return out, err
}
