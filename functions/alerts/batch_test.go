package alerts_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// A far store is some way off: it counts round trips, and how many of them are under way.
type far struct {
	store.Driver
	trips, now, most *atomic.Int64
}

type farTable struct {
	store.Table
	far
}

func (d far) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := d.Driver.Table(ctx, name, indexes)
	return farTable{t, d}, err
}

func (d far) trip() (over func()) {
	d.trips.Add(1)
	for n, most := d.now.Add(1), d.most.Load(); n > most && !d.most.CompareAndSwap(most, n); most = d.most.Load() {
	}
	<-time.After(2 * time.Millisecond)
	return func() { d.now.Add(-1) }
}

func (t farTable) Get(ctx context.Context, ids []string) ([]bson.Raw, error) {
	defer t.trip()()
	return t.Table.Get(ctx, ids)
}

func (t farTable) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	defer t.trip()()
	return t.Table.Write(ctx, writes)
}

func (t farTable) Walk(ctx context.Context, w store.Walk, each func(store.Hit) error) (*store.Mark, error) {
	defer t.trip()()
	return t.Table.Walk(ctx, w, each)
}

// What has piled up is taken fast: alarms do not wait for each other, and what began and ended meanwhile is kept at once. A batch
// that is handled one event after the other takes half a minute on a store that is busy, and every alarm after it is as late.
func TestABacklogIsTakenFast(t *testing.T) {
	d := far{trips: new(atomic.Int64), now: new(atomic.Int64), most: new(atomic.Int64)}
	w := newWorld(t, func(b *platform.Base) {
		d.Driver = b.DB.Driver()
		b.DB = store.New(d)
	})
	const twins, each = 10, 5
	var batch []event.Event
	for i := range twins {
		id := twin.ID(fmt.Sprintf("pump-%d", i))
		w.twin(id, "press")
		for n := range each {
			for _, raised := range []bool{true, false} {
				batch = append(batch, transition(monitor.Transition{Alarm: fmt.Sprintf("%s:%d", id, n), Twin: id, Raised: raised, At: start}))
			}
		}
	}
	w.Admin()
	before := d.trips.Load()
	w.hand(batch...)
	if n := d.trips.Load() - before; n > twins*each*8 {
		t.Errorf("%d alarms took %d round trips, want 8 for each at most", twins*each, n)
	}
	if n := d.most.Load(); n < 4 {
		t.Errorf("at most %d round trips were under way at a time: alarms wait for each other", n)
	}
	page, err := w.Admin().ListAlarms(ctx, api.AlarmQuery{State: "cleared", Limit: 100})
	if err != nil || len(page.Items) != twins*each {
		t.Fatalf("%d alarms are over, %v, want all", len(page.Items), err)
	}
	for _, a := range page.Items {
		if a.RaisedAt.IsZero() || a.ClearedAt.IsZero() {
			t.Errorf("alarm %s is kept by half", a.ID)
		}
	}
}
