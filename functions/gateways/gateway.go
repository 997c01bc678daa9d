package gateways

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/store"
)

// The phases of gateways.
const (
	provisioning = "provisioning"
	operational  = "operational"
)

const (
	deadAfter   = 45 * time.Second // without a heartbeat, of which there is one every 15 s
	capacity    = 10_000           // of a gateway that does not say
	mostRoom    = 10_000_000
	maxReplicas = 64
)

// A gateway as it is stored.
type gateway struct {
	api.Gateway `bson:",inline"`

	// Replicas are those that have reported lately, each with its own sessions.
	Replicas map[string]replica `bson:"replicas,omitempty"`

	// Counting and Leaving are devices that are counted here, or no more, while their own documents do not say so yet.
	Counting []string `bson:"counting,omitempty"`
	Leaving  []string `bson:"leaving,omitempty"`
}

type replica struct {
	Sessions int64     `bson:"sessions"`
	Seen     time.Time `bson:"seen"`
}

func (v *gateway) healthy(now time.Time) bool { return now.Sub(v.Seen) < deadAfter }

// room tells whether one more device may come.
func (v *gateway) room() bool { return v.Devices < v.Capacity }

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
	if in.Region == "" && in.Location != nil {
		in.Region = in.Location.Region
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
	case in.Sessions < 0 || in.Sessions > mostRoom:
		return api.Invalid("sessions must be 0 to %d", mostRoom)
	case in.Replica != "" && !idPattern.MatchString(in.Replica):
		return api.Invalid("replica must be at most 64 letters, digits, '-' or '_'")
	case !slices.Contains([]string{"", "door", "mosquitto", "http"}, in.Contract):
		return api.Invalid("contract %.40q must be door, mosquitto or http", in.Contract)
	case len(in.Kinds) > len(device.Kinds):
		return api.Invalid("kinds: there are %d", len(device.Kinds))
	case len(in.Keeper) > 64:
		return api.Invalid("keeper must be the id of a service account")
	}
	for _, k := range in.Kinds {
		if err := k.Valid(); err != nil {
			return fmt.Errorf("kinds: %w", err)
		}
	}
	if in.PublicKey != "" {
		if _, err := seal.ReadPublicKey(in.PublicKey); err != nil {
			return err
		}
	}
	if in.Location != nil {
		return in.Location.Validate()
	}
	return nil
}

// putGateway makes a gateway known and keeps it healthy, whichever of its replicas says so. It fills the bucket of a gateway
// that is new or whose bucket was lost. A configurator may enter a gateway of somebody else's and name the service account that
// speaks for it from then on.
func (g *gateways) putGateway(ctx context.Context, call *faas.Call, in api.Gateway) (api.Gateway, error) {
	id := call.Var("id")
	by := call.Caller
	if by.Kind == access.Part && by.Gateway != id {
		return in, fmt.Errorf("%w: a connector may speak for its own gateway only", access.ErrDenied)
	}
	if err := checkGateway(id, &in); err != nil {
		return in, err
	}
	configures := by.Is(access.Configurator, access.Maintainer)
	v, err := g.gateways.Upsert(ctx, id, func(v *gateway, exists bool) error {
		keeps := by.Kind == access.Service && exists && v.Keeper == by.ID
		switch {
		case by.Kind != access.Part && !configures && !keeps:
			return platform.NotFound("gateway", id)
		case exists && by.Kind != access.Part && v.Keeper == "":
			return fmt.Errorf("%w: gateway %s is kept by the platform's connectors", api.ErrConflict, id)
		case exists && v.Phase != in.Phase:
			return fmt.Errorf("%w: gateway %s is a %s one; give the other its own id", api.ErrConflict, id, v.Phase)
		case configures && !keeps && in.Keeper == "":
			return api.Invalid("keeper must be the id of the service account that speaks for the gateway")
		}
		if err := g.bound(ctx, by, &in, exists); err != nil {
			return err
		}
		old := *v
		v.Gateway = in
		v.Devices, v.Draining, v.Reason, v.Stuck, v.Seen, v.Replicas = old.Devices, old.Draining, old.Reason, old.Stuck, old.Seen, old.Replicas
		if !configures || keeps {
			v.Keeper = old.Keeper
			v.hear(in.Replica, in.Sessions, g.p.Time())
		}
		return nil
	})
	if err != nil {
		return v.Gateway, err
	}
	return v.Gateway, g.fill(ctx, v.Gateway)
}

// hear takes note of what one replica reports, and forgets those that report no more.
func (v *gateway) hear(name string, sessions int64, now time.Time) {
	all := map[string]replica{name: {sessions, now}}
	for n, r := range v.Replicas {
		if _, ok := all[n]; !ok && now.Sub(r.Seen) < deadAfter && len(all) < maxReplicas {
			all[n] = r
		}
	}
	v.Replicas, v.Seen, v.Sessions = all, now, 0
	for _, r := range all {
		v.Sessions += r.Sessions
	}
}

// shown is a gateway as people see it: a device that is on its way counts where its place is, and not at the gateway that it leaves.
func (g *gateways) shown(ctx context.Context, v gateway, leaving map[string]int64) api.Gateway {
	out := v.Gateway
	if out.Dead = g.dead(ctx, &v); out.Dead {
		out.Sessions = 0
	}
	if out.Leaving = min(leaving[v.ID], out.Devices); out.Leaving > 0 {
		out.Devices -= out.Leaving
	}
	if out.Devices == 0 || !out.Draining && !out.Dead {
		out.Stuck = ""
	}
	return out
}

// leavingBy counts the devices on their way by the gateways that they leave and that count them still.
func (g *gateways) leavingBy(ctx context.Context) (map[string]int64, error) {
	under, err := g.moving(ctx, maxMoving)
	n := map[string]int64{}
	for _, v := range under {
		if v.Leaving != "" && v.LeftCounted && !v.Removed {
			n[v.Leaving]++
		}
	}
	return n, err
}

// show is one gateway as people see it now.
func (g *gateways) show(ctx context.Context, id string) (api.Gateway, error) {
	v, err := g.gatewayOf(ctx, id)
	if err != nil {
		return v.Gateway, err
	}
	leaving, err := g.leavingBy(ctx)
	return g.shown(ctx, v, leaving), err
}

func (g *gateways) getGateway(ctx context.Context, call *faas.Call, _ faas.None) (api.Gateway, error) {
	return g.show(ctx, call.Var("id"))
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
	if err != nil {
		return out, err
	}
	leaving, err := g.leavingBy(ctx)
	for _, v := range page.Items {
		out.Items = append(out.Items, g.shown(ctx, v, leaving))
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
