package drivers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A reaction is what a driver's on_event has come to with one twin. State, commands and the number of the message that they came of
// are stored in one write: however often it comes, it has its effect once.
type reaction struct {
	Twin  twin.ID   `bson:"_id"`
	Begun time.Time `bson:"begun"`

	// Number is that of the newest message that is done. Waits says that later ones are stored, to be dealt with when they can be; Gap is
	// since when one is waited for that comes before them. Missed are those that were passed over.
	Number int64     `bson:"number"`
	Waits  bool      `bson:"waits,omitempty"`
	Gap    time.Time `bson:"gap,omitempty"`
	Missed int64     `bson:"missed,omitempty"`

	Driver  string `bson:"driver,omitempty"`
	Version string `bson:"version,omitempty"`
	State   []byte `bson:"state,omitempty"`
	Forgets int64  `bson:"forgets,omitempty"` // how often people had the state forgotten

	// Pending are commands that are to be sent, since PendingSince. Known are the newest that were wanted, so that an answer says of which
	// it is.
	Pending      []wanted  `bson:"pending,omitempty"`
	PendingSince time.Time `bson:"pendingSince,omitempty"`
	Known        []named   `bson:"known,omitempty"`

	// InMinute counts the commands that were wanted in the minute that began at Minute.
	Minute   time.Time `bson:"minute,omitempty"`
	InMinute int       `bson:"inMinute,omitempty"`

	Sent    int64     `bson:"sent,omitempty"`
	Dropped int64     `bson:"dropped,omitempty"`
	Reacted time.Time `bson:"reacted,omitempty"`
	Failure string    `bson:"failure,omitempty"`
	Failed  time.Time `bson:"failed,omitempty"`
}

// A wanted command is one that on_event answered with.
type wanted struct {
	Key     string        `bson:"key"` // of the message's number and the command's place, so that it is the same whenever it is sent
	Name    string        `bson:"name"`
	Input   []byte        `bson:"input,omitempty"`
	Timeout time.Duration `bson:"timeout,omitempty"`
	By      string        `bson:"by"`
}

// A named command is one by its id.
type named struct {
	ID   string `bson:"id"`
	Name string `bson:"name"`
}

// maxNamed is how many commands are known by their names: as many as a twin may have open at a time, and some that were over.
const maxNamed = 64

// A reactor is what of the function has drivers react to what twins say.
type reactor struct {
	f       *function
	docs    *store.Collection[reaction]
	waiting *store.Collection[waiting]
	history *store.Collection[api.Record] // read only
	pace    pace
	said    said
	began   time.Time // when the function did

	swept struct {
		sync.Mutex
		after string // whom the last sweep has gone on with last
	}
}

func openReactor(ctx context.Context, f *function) (*reactor, error) {
	r := &reactor{f: f, began: f.p.Time()}
	var err error
	if r.history, err = platform.OpenHistory(ctx, f.p.DB); err != nil {
		return nil, err
	}
	if r.waiting, err = store.Open[waiting](ctx, f.p.DB, store.Spec{Name: "reactions-waiting", Schema: 1}); err != nil {
		return nil, err
	}
	r.docs, err = store.Open[reaction](ctx, f.p.DB, store.Spec{Name: "reactions", Schema: 1, Indexes: []store.Index{
		{Name: "by-pending", Fields: []string{"pendingSince"}},
	}})
	return r, err
}

// route adds the operations about reactions to the function's.
func (r *reactor) route(routes faas.Routes) faas.Routes {
	routes["POST /events"] = faas.Events(r.f.p, r.events)
	routes["GET /reactions/{twin}"] = faas.Op(r.f.p, access.Users(), r.get)
	routes["DELETE /reactions/{twin}"] = faas.Op(r.f.p, access.Only(redrivers...), r.forget)
	return routes
}

// get tells people how far the driver is. What a twin that was deleted left is not this one's.
func (r *reactor) get(ctx context.Context, c *faas.Call, _ faas.None) (api.Reaction, error) {
	t, err := r.f.p.Twin(ctx, r.f.twins, c.Caller, access.Read, twin.ID(c.Var("twin")))
	if err != nil {
		return api.Reaction{}, err
	}
	v, err := r.docs.Get(ctx, string(t.ID))
	if errors.Is(err, store.ErrNotFound) || err == nil && v.Begun.Before(t.Created) {
		v, err = reaction{Twin: t.ID}, nil
	}
	if err != nil {
		return api.Reaction{}, err
	}
	behind, err := r.behind(ctx, &v)
	return api.Reaction{Twin: t.ID, Driver: v.Driver, Version: v.Version, Reacted: v.Reacted, State: v.State, Sent: v.Sent, Dropped: v.Dropped,
		Pending: len(v.Pending), Waiting: behind, Missed: v.Missed, Failure: v.Failure, Failed: v.Failed}, err
}

// forget takes the state away, so that the driver begins anew. Commands that it wanted are sent all the same.
func (r *reactor) forget(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	t, err := r.f.p.Twin(ctx, r.f.twins, c.Caller, access.Write, twin.ID(c.Var("twin")))
	if err != nil {
		return faas.None{}, err
	}
	_, err = r.docs.Update(ctx, string(t.ID), func(v *reaction) error {
		v.State, v.Failure, v.Failed = nil, "", time.Time{}
		v.Forgets++ // a call that is under way began with the old state
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return faas.None{}, err
}

// deleted removes what is kept of a twin that is gone. A twin made anew under its id keeps its own.
func (r *reactor) deleted(ctx context.Context, e event.Event) error {
	err := r.docs.DeleteIf(ctx, e.Subject, store.Lt("begun", e.At))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, r.drop(ctx, twin.ID(e.Subject), e.At.UnixMilli())) // the numbers of one made anew begin with the time
}

// name is what a command of the driver's was called; "" where it is somebody else's.
func (v *reaction) name(command string) string {
	i := slices.IndexFunc(v.Known, func(n named) bool { return n.ID == command })
	if i < 0 {
		return ""
	}
	return v.Known[i].Name
}
