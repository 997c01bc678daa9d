package gateways

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// The phases of gateways.
const (
	provisioning = "provisioning"
	operational  = "operational"
)

const (
	healthyFor = time.Minute // after a heartbeat
	capacity   = 10_000      // of a gateway that does not say
	mostRoom   = 10_000_000
)

// A gateway as it is stored.
type gateway struct {
	api.Gateway `bson:",inline"`

	// Counting and Leaving are devices that are counted here, or no more, while their own documents do not say so yet.
	Counting []string `bson:"counting,omitempty"`
	Leaving  []string `bson:"leaving,omitempty"`
}

func (v *gateway) healthy(now time.Time) bool { return now.Sub(v.Seen) < healthyFor }

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) // what a bucket's name may have
	wordPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

func checkGateway(id string, in *api.Gateway) error {
	if in.ID == "" {
		in.ID = id
	}
	if in.Capacity == 0 {
		in.Capacity = capacity
	}
	if in.Protocol == "" {
		in.Protocol = "mqtt"
	}
	u, err := url.Parse(in.URL)
	switch {
	case in.ID != id:
		return api.Invalid("id: the path says %q, the body %.80q", id, in.ID)
	case !idPattern.MatchString(id):
		return api.Invalid("id must be 1 to 64 letters, digits, '-' or '_'")
	case in.Phase != provisioning && in.Phase != operational:
		return api.Invalid("phase must be %q or %q", provisioning, operational)
	case !wordPattern.MatchString(in.Protocol):
		return api.Invalid("protocol must be a word like \"mqtt\"")
	case len(in.URL) > 256 || err != nil || u.Scheme == "" || u.Host == "":
		return api.Invalid("url must be what devices dial, like \"tls://gateway.example:8883\"")
	case len(in.Region) > 64:
		return api.Invalid("region must be at most 64 characters")
	case in.Capacity < 1 || in.Capacity > mostRoom:
		return api.Invalid("capacity must be 1 to %d devices", mostRoom)
	}
	return nil
}

// putGateway makes a gateway known and keeps it healthy, whichever of its replicas says so. It fills the bucket of a gateway
// that is new or whose bucket was lost.
func (g *gateways) putGateway(ctx context.Context, call *faas.Call, in api.Gateway) (api.Gateway, error) {
	id := call.Var("id")
	if call.Caller.Gateway != id {
		return in, fmt.Errorf("%w: a connector may speak for its own gateway only", access.ErrDenied)
	}
	if err := checkGateway(id, &in); err != nil {
		return in, err
	}
	v, err := g.gateways.Upsert(ctx, id, func(v *gateway, exists bool) error {
		if exists && v.Phase != in.Phase {
			return fmt.Errorf("%w: gateway %s is a %s one; give the other its own id", api.ErrConflict, id, v.Phase)
		}
		devices := v.Devices
		v.Gateway = in
		v.Devices, v.Seen = devices, g.p.Time()
		return nil
	})
	if err != nil {
		return v.Gateway, err
	}
	return v.Gateway, g.fill(ctx, v.Gateway)
}

func (g *gateways) listGateways(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[api.Gateway], error) {
	out := api.Page[api.Gateway]{Items: []api.Gateway{}}
	limit, err := call.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Limit: limit, Cursor: call.Query.Get("cursor")}
	if phase := call.Query.Get("phase"); phase != "" {
		q.Index, q.Filter = "by-phase", store.Eq("phase", phase)
	}
	page, err := g.gateways.Find(ctx, q)
	for _, v := range page.Items {
		out.Items = append(out.Items, v.Gateway)
	}
	out.Next = page.Next
	return out, err
}

// ofPhase returns all gateways of a phase.
func (g *gateways) ofPhase(ctx context.Context, phase string) (all []gateway, err error) {
	err = g.gateways.Scan(ctx, store.Query{Index: "by-phase", Filter: store.Eq("phase", phase)}, func(v gateway) error {
		all = append(all, v)
		return nil
	})
	return all, err
}

// choose finds the gateway for a device: one of its region if there is one with room, else any; the least loaded of them.
// It says why.
func choose(all []gateway, protocol, region string, now time.Time) (best gateway, reason string, err error) {
	fits := slices.DeleteFunc(slices.Clone(all), func(v gateway) bool {
		return v.Protocol != protocol || !v.healthy(now) || v.Devices >= v.Capacity
	})
	if len(fits) == 0 {
		return best, "", fmt.Errorf("%w: no operational %s gateway is alive and has room; there are %d", api.ErrUnavailable, protocol, len(all))
	}
	slices.SortFunc(fits, func(a, b gateway) int {
		if x, y := a.Region == region, b.Region == region; region != "" && x != y {
			if x {
				return -1
			}
			return 1
		}
		if x, y := a.Devices*b.Capacity, b.Devices*a.Capacity; x != y {
			return int(min(max(x-y, -1), 1))
		}
		return 0 // they come in the order of their ids
	})
	best = fits[0]
	load := fmt.Sprintf("it has %d of %d devices", best.Devices, best.Capacity)
	switch {
	case region == "":
		reason = "the device has no region; " + load
	case best.Region == region:
		reason = "region " + region + " is the device's; " + load
	default:
		reason = fmt.Sprintf("no gateway of region %s is alive and has room; %s", region, load)
	}
	if len(fits) > 1 {
		reason += fmt.Sprintf(", the best of %d", len(fits))
	}
	return best, reason, nil
}

func encode(a api.Admission) []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // it is all strings and a time within RFC 3339's years
	}
	return b
}
