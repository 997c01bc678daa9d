package credentials

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// maxResolve is how many references one call may ask for.
const maxResolve = 1000

// resolve maps device references to twins. A connector is told only of devices whose place is at its own gateway.
func (c *credentials) resolve(ctx context.Context, call *faas.Call, in api.Resolve) ([]api.Mapping, error) {
	if len(in.Refs) > maxResolve {
		return nil, api.Invalid("refs: at most %d at once, not %d", maxResolve, len(in.Refs))
	}
	refs := slices.Clone(in.Refs)
	slices.Sort(refs)
	refs = slices.DeleteFunc(slices.Compact(refs), func(r device.Ref) bool { return r.Valid() != nil })
	out := []api.Mapping{}
	if len(refs) == 0 {
		return out, nil
	}
	page, err := c.creds.Find(ctx, store.Query{Index: "by-ref", Filter: store.In("ref", refs...), Limit: maxResolve})
	if err != nil {
		return nil, err
	}
	found := page.Items
	if call.Caller.ID == "connector" {
		if found, err = c.here(ctx, call.Caller.Gateway, found); err != nil {
			return nil, err
		}
	}
	if found, err = c.speaking(ctx, found); err != nil {
		return nil, err
	}
	for _, v := range found {
		out = append(out, api.Mapping{Ref: v.Ref, Twin: v.Twin, Type: v.Type, Generation: v.Generation, Pending: v.Proofs[0].Confirmed.IsZero()})
	}
	return out, nil
}

// here are those whose device has its place at the gateway; that of a relayed one is where its via has its own.
func (c *credentials) here(ctx context.Context, gateway string, all []credential) ([]credential, error) {
	refs := make([]device.Ref, len(all))
	for i := range all {
		refs[i] = all[i].placed()
	}
	slices.Sort(refs)
	at, err := c.places.at(ctx, gateway, slices.Compact(refs))
	return slices.DeleteFunc(all, func(v credential) bool { return !slices.Contains(at, v.placed()) }), err
}

const (
	placeFor  = time.Minute // how long a device's place is believed
	maxPlaces = 100_000
)

// places remembers at which gateways devices have their places, as function gateways says. That a device has none is not
// remembered: it may get one any moment.
type places struct {
	p   *platform.Platform
	mu  sync.Mutex
	has map[device.Ref]place
}

type place struct {
	gateway string
	leaving string // where the device may be as well while it moves
	at      time.Time
}

func (p *place) may(gateway string) bool {
	return p.gateway == gateway || p.leaving != "" && p.leaving == gateway
}

func newPlaces(p *platform.Platform) *places { return &places{p: p, has: map[device.Ref]place{}} }

// at returns those of refs that have their place at gateway.
func (s *places) at(ctx context.Context, gateway string, refs []device.Ref) ([]device.Ref, error) {
	now := s.p.Time()
	found := make(map[device.Ref]place, len(refs))
	var ask []device.Ref
	s.mu.Lock()
	for _, r := range refs {
		if pl, ok := s.has[r]; ok && now.Sub(pl.at) < placeFor && pl.may(gateway) {
			found[r] = pl
		} else {
			ask = append(ask, r)
		}
	}
	s.mu.Unlock()
	if len(ask) > 0 {
		got, err := s.p.API.FindAssignments(ctx, ask)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		if len(s.has)+len(got) > maxPlaces {
			clear(s.has)
		}
		for _, a := range got {
			found[a.Ref] = place{a.Gateway, a.Leaving, now}
			s.has[a.Ref] = found[a.Ref]
		}
		s.mu.Unlock()
	}
	return slices.DeleteFunc(refs, func(r device.Ref) bool { pl := found[r]; return !pl.may(gateway) }), nil
}
