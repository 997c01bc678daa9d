// Package twinprovision is the provisioning service of types (paper 5: a TDTA orchestrates the provisioning of its DTIs by a
// state machine model). It keeps the models and the runs, does the actions that a model names, and takes the triggers a model
// awaits. In what order that happens is the model's to say, what an action means is other functions': this one asks them.
package twinprovision

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/rule"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("twin-provision", New)

// function is the function with its collections.
type function struct {
	p          *platform.Platform
	models     *store.Collection[provision.Model]
	versions   *store.Collection[version] // of models, those that were replaced
	runs       *store.Collection[provision.Run]
	rejections *store.Collection[api.Rejection]
	twins      *store.Collection[twin.Twin] // read only
	outbox     platform.Outbox[provision.Run]

	list    *store.Collection[waiting] // of unknown devices
	news    platform.Outbox[waiting]
	serials *store.Collection[taken]
	tally   tally

	guard provision.Guard

	mu sync.Mutex
	ca string // PEM, once asked for

	swept string // where the next sweep of serials goes on

	types   []kind // as guesses need them, read at typesAt
	typesAt time.Time

	phases sync.Map // gateway id → phased
}

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return platform.Ready(p, func(ctx context.Context) (faas.Routes, error) {
		f, err := open(ctx, p)
		if err != nil {
			return nil, err
		}
		return f.routes(), nil
	})
}

func open(ctx context.Context, p *platform.Platform) (*function, error) {
	f := &function{p: p}
	judge, err := rule.New()
	if err != nil {
		return nil, err
	}
	f.guard = judge
	if f.models, err = store.Open[provision.Model](ctx, p.DB, store.Spec{Name: "models", Schema: 1}); err != nil {
		return nil, err
	}
	if f.versions, err = store.Open[version](ctx, p.DB, store.Spec{Name: "model-versions", Schema: 1}); err != nil {
		return nil, err
	}
	if f.runs, err = store.Open[provision.Run](ctx, p.DB, store.Spec{Name: "runs", Schema: 1, Indexes: []store.Index{
		{Name: "by-created", Fields: []string{"created"}},
		{Name: "by-owner", Fields: []string{"owner", "created"}},
		{Name: "by-type", Fields: []string{"type", "created"}},
		{Name: "by-twin", Fields: []string{"twin", "created"}},
		{Name: "by-ref", Fields: []string{"results.deviceRef"}},
		{Name: "by-username", Fields: []string{"request.username"}},
		{Name: "by-due", Fields: []string{"due"}},
		{Name: "by-asked", Fields: []string{"asks.since"}},
		{Name: "by-asker", Fields: []string{"asks.by", "asks.since"}},
		{Name: "by-outcome", Fields: []string{"outcome", "updated"}},
		{Name: "by-starter", Fields: []string{"by", "created"}},
		{Name: "by-claim", Fields: []string{"request.claim", "outcome", "updated"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}}); err != nil {
		return nil, err
	}
	if f.rejections, err = store.Open[api.Rejection](ctx, p.DB, store.Spec{Name: "rejections", Schema: 1}); err != nil {
		return nil, err
	}
	if f.twins, err = platform.OpenTwins(ctx, p.DB); err != nil {
		return nil, err
	}
	f.outbox = platform.Outbox[provision.Run]{P: p, C: f.runs, Index: "by-outbox", Field: "outbox.since",
		Of: func(r *provision.Run) (string, *event.Outbox) { return r.ID, &r.Outbox }}
	if err := f.openWaiting(ctx); err != nil {
		return nil, err
	}
	return f, f.insertShipped(ctx)
}

func (f *function) routes() faas.Routes {
	configurators, makers := access.Only(access.Configurator), access.Only(access.Configurator, access.Owner)
	return platform.Watched(f.p, faas.Routes{
		"PUT /models/{id}": faas.Op(f.p, configurators, f.putModel),
		"GET /models/{id}": faas.Op(f.p, configurators.And("twins"), f.getModel),
		"GET /models":      faas.Op(f.p, configurators, f.listModels),

		"DELETE /models/{id}":       faas.Op(f.p, configurators, f.deleteModel),
		"GET /models/{id}/versions": faas.Op(f.p, configurators, f.listVersions),
		"GET /models/schema":        faas.Op(f.p, access.Allow{Public: true}, f.modelSchema),
		"POST /models/check":        faas.Op(f.p, configurators, f.checkModel).Quiet(), // it keeps nothing
		"POST /models/choose":       faas.Op(f.p, configurators, f.chooseModel).Quiet(),
		"POST /models/simulate":     faas.Op(f.p, configurators, f.simulateModel).Quiet(),

		"POST /requests":      faas.Op(f.p, access.Parts("connector"), f.request).Quiet(), // the run's log records it
		"POST /confirmations": faas.Op(f.p, access.Parts("connector"), f.confirm).Quiet(),

		"POST /knocks":         faas.Op(f.p, access.Parts("connector"), f.takeKnock).Quiet(), // the list says what came of it
		"GET /waiting":         faas.Op(f.p, configurators, f.listWaiting),
		"GET /waiting/{id}":    faas.Op(f.p, configurators, f.getWaiting),
		"DELETE /waiting/{id}": faas.Op(f.p, configurators, f.forget),
		"POST /waiting/admit":  faas.Op(f.p, configurators, f.admit),
		"POST /waiting/ban":    faas.Op(f.p, configurators, f.ban),
		"POST /waiting/unban":  faas.Op(f.p, configurators, f.unban),

		"GET /runs":                 faas.Op(f.p, access.Users(), f.listRuns),
		"GET /runs/board":           faas.Op(f.p, access.Users(), f.board),
		"GET /runs/{id}":            faas.Op(f.p, access.Users(), f.getRun),
		"POST /runs":                faas.Op(f.p, makers, f.startRun),
		"POST /runs/{id}/decisions": faas.Op(f.p, makers, f.decideRun),
		"GET /runs/{id}/bundle":     faas.Op(f.p, makers, f.getBundle),
		"POST /runs/{id}/reset":     faas.Op(f.p, makers, f.resetRun),
		"POST /replacements":        faas.Op(f.p, makers, f.replace),
		"POST /runs/{id}/answers":   faas.Op(f.p, access.Services(), f.answerRun),
		"GET /rejections":           faas.Op(f.p, configurators, f.listRejections),

		"POST /events":   faas.Events(f.p, f.events),
		"POST /schedule": faas.Schedule(f.p, f.schedule),
		"POST /sweep":    faas.Op(f.p, access.Parts("twin-watchdog"), f.sweep).Quiet(),
	}, platform.Operations[provision.Run]{Kind: "provision", C: f.runs, Index: "by-due", Field: "due", Grace: overdueAfter, Of: overdue, Retry: f.takeUp})
}

// overdueAfter is how late a run may be taken up: the schedule and the sweep have had their turns by then.
const overdueAfter = 30 * time.Second

func overdue(r *provision.Run) api.Overdue {
	return api.Overdue{ID: r.ID, Twin: r.Twin, Type: r.Type, Owner: r.Owner, Since: r.Due, Deadline: r.Deadline, Attempts: r.Tries, Reason: r.Reason}
}

// isNotFound tells whether err says that there is no such thing, in the store's words or the client's.
func isNotFound(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, api.ErrNotFound)
}
