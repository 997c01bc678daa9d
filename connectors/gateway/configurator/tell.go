package configurator

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/pause"
)

// tell keeps the file and the platform informed. Changes that come while it writes are written together. What is told is in
// the file before, so that a restart does not forget it, and leaves the file after, so that it is not told for ever.
func (k *Configurator) tell(ctx context.Context) {
	delay := 100 * time.Millisecond
	for {
		untold, err := k.book.save()
		if err == nil && len(untold) > 0 {
			if err = k.publish(ctx, untold); err == nil {
				k.book.told(untold)
				_, err = k.book.save()
			}
		}
		if err != nil && ctx.Err() == nil {
			k.log.Warn("gateway cannot tell what it has applied", "waiting", len(untold), "error", err)
			pause.For(ctx, delay)
			delay = min(2*delay, 5*time.Second)
			continue
		}
		delay = 100 * time.Millisecond
		select {
		case <-ctx.Done():
			return
		case <-k.applied:
		}
	}
}

func (k *Configurator) publish(ctx context.Context, applied []api.GatewayApplied) error {
	if k.config.Tell != nil {
		return k.config.Tell(ctx, applied)
	}
	events := make([]event.Event, len(applied))
	for i, a := range applied {
		events[i] = a.Event(k.config.Now())
	}
	return k.config.Bus.Publish(ctx, events...)
}

// beat tells function gateways that the gateway is alive, while it is, and notices when it has lost its memory.
func (k *Configurator) beat(ctx context.Context) {
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, k.config.Call)
		err := k.alive(call)
		cancel()
		if err != nil && ctx.Err() == nil {
			k.log.Warn("gateway is not reported alive", "error", err)
		}
		pause.For(ctx, k.config.Heartbeat)
	}
}

func (k *Configurator) alive(ctx context.Context) error {
	epoch, err := k.config.Target.State(ctx)
	if err != nil {
		return err
	}
	if epoch != k.book.lastEpoch() {
		k.all.Store(true)
		signal(k.changed)
	}
	g := k.config.Gateway
	if c, ok := k.config.Target.(Counter); ok {
		if g.Sessions, err = c.Sessions(ctx); err != nil {
			return err
		}
	}
	_, err = k.config.API.PutGateway(ctx, g)
	return err
}

func (b *book) lastEpoch() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.epoch
}
