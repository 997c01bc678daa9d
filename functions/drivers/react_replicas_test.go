package drivers_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Two replicas over one store get the same events, as a bus brings them: some twice, some to both, out of order, at once. Each message has
// its effect once, those of a twin in order, and what a driver keeps is of all of them.
func TestReplicasReactOnce(t *testing.T) {
	const twins, each = 6, 12
	w := reacting(t, "acme", remembering(1))
	w.Add("drivers", func(p *platform.Platform) faas.Func { // two in turn
		replicas := []faas.Func{drivers.New(p), drivers.New(w.Platform("drivers"))}
		var calls atomic.Int64
		return func(r handler.Request) (handler.Response, error) { return replicas[calls.Add(1)%2](r) }
	})
	all := w.Collect(event.TwinHeard)
	var ids []twin.ID
	for n := range twins {
		ids = append(ids, twin.ID(fmt.Sprint("both-", n)))
	}
	w.devices("th", nil, ids...)
	events := w.said(all, each, ids...)
	var at sync.WaitGroup
	for sender := range 4 {
		mine := append([]event.Event(nil), events...)
		r := rand.New(rand.NewPCG(uint64(sender), rand.Uint64()))
		r.Shuffle(len(mine), func(i, k int) { mine[i], mine[k] = mine[k], mine[i] })
		if sender%2 == 1 { // what comes twice
			mine = mine[:len(mine)/2]
		}
		at.Go(func() {
			for n := 0; len(mine) > 0; mine = mine[n:] {
				n = min(1+r.IntN(10), len(mine))
				for err := w.Event("drivers", mine[:n]...); err != nil; err = w.Event("drivers", mine[:n]...) { // the bus brings again what is not taken
					t.Logf("it comes again: %v", err)
				}
			}
		})
	}
	at.Wait()
	w.sweep()
	for _, id := range ids {
		if r := w.reaction(id); remembered(t, r.State) != temperatures(each) || r.Waiting != 0 || r.Missed != 0 || r.Pending != 0 || r.Failure != "" || int(r.Sent) != each || len(w.commands(id)) != each {
			t.Errorf("%s: %s; %+v, %d commands", id, remembered(t, r.State), r, len(w.commands(id)))
		}
	}
}
