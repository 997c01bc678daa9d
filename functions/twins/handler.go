// Package twins keeps the twins of all kinds (paper 4.2.7): devices, their types and their aggregates, as far as people and
// the platform decide about them. What devices say is function twin-ingest's to write, their past twin-history's to read.
package twins

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("twins", New)

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return platform.Watched(p, faas.Routes{
			"POST /twins":                   faas.Op(p, access.Only(access.Configurator, access.Owner).And("twin-provision"), f.create),
			"GET /twins":                    faas.Op(p, access.Users().And("identities", "directory"), f.list),
			"GET /counts":                   faas.Op(p, access.Users().And("castor"), f.count),
			"GET /twins/{id}":               faas.Op(p, access.Users().And("*"), f.get),
			"PATCH /twins/{id}/definition":  faas.Op(p, access.Users(), f.edit),
			"POST /twins/{id}/phase":        faas.Op(p, access.Parts("twin-provision"), f.setPhase),
			"DELETE /twins/{id}":            faas.Op(p, access.Only(access.Configurator, access.Owner).And("twin-provision"), f.delete),
			"POST /twins/{id}/suspend":      faas.Op(p, access.Only(access.Configurator, access.Owner), f.suspend),
			"POST /twins/{id}/resume":       faas.Op(p, access.Only(access.Configurator, access.Owner), f.resume),
			"POST /twins/{id}/decommission": faas.Op(p, access.Only(access.Configurator, access.Owner), f.decommission),
			"GET /decommissions/{twin}":     faas.Op(p, access.Users(), f.getDecommission),
			"GET /types/{id}/thing-model":   faas.Op(p, access.Users(), f.getThingModel),
			"PUT /types/{id}/thing-model":   faas.Op(p, access.Users(), f.putThingModel),
			"POST /jobs":                    faas.Op(p, access.Users(), f.createJob),
			"GET /jobs":                     faas.Op(p, access.Users(), f.listJobs),
			"GET /jobs/{id}":                faas.Op(p, access.Users(), f.getJob),
			"GET /jobs/{id}/results":        faas.Op(p, access.Users(), f.jobResults),
			"POST /jobs/{id}/cancel":        faas.Op(p, access.Users(), f.cancelJob),
			"GET /archives":                 faas.Op(p, access.Users(), f.listArchives),
			"GET /archives/{id}":            faas.Op(p, access.Users(), f.getArchive),
			"GET /archives/{id}/url":        faas.Op(p, access.Users(), f.archiveURL),
			"DELETE /archives/{id}":         faas.Op(p, access.Only(access.Configurator, access.Owner), f.eraseArchive),
			"POST /schedule":                faas.Schedule(p, f.schedule),
			"POST /sweep":                   faas.Op(p, access.Parts("twin-watchdog"), f.sweep).Quiet(),
		}, f.operations()...), nil
	})
}

// function is the function with what it has open.
type function struct {
	p       *platform.Platform
	twins   *store.Collection[twin.Twin]
	history *store.Collection[api.Record]        // only to remove what a deleted twin leaves
	parked  *store.Collection[api.ParkedMessage] // likewise
	outbox  platform.Outbox[twin.Twin]
	jobs    *store.Collection[job]
	results *store.Collection[api.JobResult]
	kept    *store.Collection[archive]
	catalog *store.Collection[entry]
	alarms  *store.Collection[openAlarm] // read only
	ended   *store.Collection[decommission]
	places  *store.Collection[doorway] // read only
	spoken  *store.Collection[spoken]  // likewise

	schemas schema.Cache
	counted counts // for who sees everything

	mending    sync.Mutex
	mendedTo   string // the last twin that the catalog was compared with
	mendedOnce bool   // with all of them

	said atomic.Int64 // when the types were advertised last, in milliseconds
}

func open(ctx context.Context, p *platform.Platform) (*function, error) {
	f := &function{p: p}
	var err error
	if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.history, err = platform.OpenHistory(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.parked, err = platform.OpenParked(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.jobs, f.results, err = openJobs(ctx, p); err != nil {
		return nil, err
	}
	if f.catalog, err = openCatalog(ctx, p.DB); err != nil {
		return nil, err
	}
	if f.alarms, err = platform.OpenAlarms[openAlarm](ctx, p.DB); err != nil {
		return nil, err
	}
	if f.ended, err = openDecommissions(ctx, p); err != nil {
		return nil, err
	}
	if f.places, err = platform.OpenAssignments[doorway](ctx, p.DB); err != nil {
		return nil, err
	}
	if f.spoken, err = platform.OpenSpoken[spoken](ctx, p.DB); err != nil {
		return nil, err
	}
	f.kept, err = openArchives(ctx, p)
	f.outbox = platform.Outbox[twin.Twin]{P: p, C: f.twins, Index: "by-outbox", Field: "outbox.since",
		Of: func(t *twin.Twin) (string, *event.Outbox) { return string(t.ID), &t.Outbox }}
	return f, err
}

// get returns a twin, with the version of its definition as the ETag.
func (f *function) get(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(c.Var("id")))
	return faas.Versioned(t.Definition.Version, t), err
}

// A hand is who changes a twin: the caller of an operation, or a job for whoever asked for it.
type hand struct {
	caller access.Caller
	match  func(version int64) error // of the definition that was read; nil = any

	// why is how a twin that is deleted goes, for people; "" = deleted by the caller.
	why string

	// dry has everything checked and nothing written.
	dry bool

	// tell has others told of a change; nil = at once.
	tell func(twin.Twin)
}

// change alters a twin that the hand may write, and tells of it. alter returns store.Unchanged to leave all as it is.
func (f *function) change(ctx context.Context, h hand, id twin.ID, topic event.Topic, alter func(*twin.Twin) error) (twin.Twin, error) {
	if id.Valid() != nil {
		return twin.Twin{}, platform.NotFound("twin", string(id))
	}
	t, err := f.twins.Update(ctx, string(id), func(t *twin.Twin) error {
		if !t.Deleted.IsZero() && topic != event.TwinDeleted {
			return platform.NotFound("twin", string(id))
		}
		if err := f.p.May(ctx, h.caller, access.Write, access.Twin(t), "twin"); err != nil {
			return err
		}
		kind, phase, before := t.Kind, t.Definition.Phase, api.ScopeOf(t)
		if err := alter(t); err != nil {
			return err
		}
		if t.Outbox.Full() {
			return errBusy
		}
		if topic == event.TwinChanged {
			phase = t.Definition.Phase
			t.Definition.Version++
			t.Definition.Updated = f.p.Time()
		}
		told := api.TwinChanged{Twin: t.ID, Kind: kind, Phase: phase, Part: "definition", Before: before}
		if topic == event.TwinChanged {
			told.Scope = api.ScopeOf(t)
		}
		if topic == event.TwinDeleted {
			told.Why = cmp.Or(h.why, gone("deleted", h.caller.String(), f.p.Time()))
		}
		t.Outbox.Add(string(t.ID), topic, string(t.ID), f.p.Time(), told)
		if kind == twin.Type && topic == event.TwinChanged {
			t.Outbox.Add(string(t.ID), event.TypeChanged, string(t.ID), f.p.Time(), told) // connectors read payloads by its model
		}
		if told.Scope != nil && !reflect.DeepEqual(told.Scope, before) {
			// Who keeps what belongs to twins hears of this, and not of all else that happens to them.
			t.Outbox.Add(string(t.ID), event.TwinMoved, string(t.ID), f.p.Time(), told)
		}
		if h.dry {
			return store.Unchanged
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return t, platform.NotFound("twin", string(id))
	}
	if err != nil || h.dry {
		return t, err
	}
	f.enter(ctx, &t)
	if h.tell != nil {
		h.tell(t)
	} else {
		f.flush(ctx, t)
	}
	return t, nil
}

// errBusy is met while the bus is away for long.
var errBusy = errors.Join(api.ErrUnavailable, errors.New("too many changes of this twin are still to be told of; try again soon"))

// flush tells others of the change at once; what it cannot is the sweep's.
func (f *function) flush(ctx context.Context, t twin.Twin) {
	if err := f.outbox.Flush(ctx, t); err != nil {
		f.p.Log.WarnContext(ctx, "events left for the sweep", "function", f.p.Part, "twin", t.ID, "error", err)
	}
}
