package twinprovision_test

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

func twinsNew(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		c, err := platform.OpenTwins(ctx, p.DB)
		if err != nil {
			return nil, err
		}
		a := access.Users().And("*")
		return faas.Routes{
			"POST /twins": faas.Op(p, a, func(ctx context.Context, _ *faas.Call, in api.NewTwin) (twin.Twin, error) {
				if in.Kind == twin.Instance {
					in.Definition.Phase = twin.Onboarding
				}
				t := twin.Twin{ID: in.ID, Kind: in.Kind, Definition: in.Definition}
				return t, c.Insert(ctx, t)
			}),
			"GET /twins/{id}": faas.Op(p, a, func(ctx context.Context, call *faas.Call, _ faas.None) (twin.Twin, error) {
				return p.Twin(ctx, c, call.Caller, access.Read, twin.ID(call.Var("id")))
			}),
			"DELETE /twins/{id}": faas.Op(p, a, func(ctx context.Context, call *faas.Call, _ faas.None) (faas.None, error) {
				return faas.None{}, c.Delete(ctx, call.Var("id"))
			}),
			"POST /twins/{id}/phase": faas.Op(p, a, func(ctx context.Context, call *faas.Call, in api.PhaseChange) (twin.Twin, error) {
				return c.Update(ctx, call.Var("id"), func(t *twin.Twin) error {
					if !t.Definition.Phase.To(in.Phase) {
						return fmt.Errorf("%w: %s to %s", api.ErrConflict, t.Definition.Phase, in.Phase)
					}
					t.Definition.Phase = in.Phase
					if in.Configuration != nil {
						t.Definition.Configuration = in.Configuration
					}
					return nil
				})
			}),
		}, nil
	})
}
