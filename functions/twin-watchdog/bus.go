package twinwatchdog

import (
	"context"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// bus tells what waits on the bus. It is here because this function is the one that looks after all others.
func (f *function) bus(ctx context.Context, _ *faas.Call, _ faas.None) (api.BusLoad, error) {
	l, err := f.p.Bus.Load(ctx)
	if err != nil {
		return api.BusLoad{}, err
	}
	out := api.BusLoad{Streams: []api.StreamLoad{}, Consumers: []api.ConsumerLoad{}, Dead: l.Dead}
	for _, s := range l.Streams {
		out.Streams = append(out.Streams, api.StreamLoad(s))
	}
	for _, c := range l.Consumers {
		out.Consumers = append(out.Consumers, api.ConsumerLoad(c))
	}
	return out, nil
}
