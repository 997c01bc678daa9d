package twinprovision

import (
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// narrow adds to queries what the caller asks for: runs of a type or a model, in a state (which ended ones are no more), open or with an
// outcome, begun since a time, or that people are to decide about. Where they go through all runs, an index leads to it instead.
func narrow(parts []store.Query, asked func(name string) string) ([]store.Query, error) {
	var all []store.Filter
	index := ""
	for name, field := range map[string]string{"type": "type", "model": "model._id", "state": "state"} {
		v := asked(name)
		if v == "" {
			continue
		}
		if err := twin.ID(v).Valid(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, store.Eq(field, v))
	}
	if asked("type") != "" {
		index = "by-type"
	}
	open, outcome := asked("open"), provision.Outcome(asked("outcome"))
	switch {
	case open != "" && open != "true" && open != "false":
		return nil, api.Invalid("open %.40q must be true or false", open)
	case outcome != "" && outcome != provision.Completed && outcome != provision.Rejected:
		return nil, api.Invalid("outcome %.40q must be completed or rejected", string(outcome))
	case open == "true" && outcome != "", asked("state") != "" && (outcome != "" || open == "false"):
		return nil, api.Invalid("outcome: a run that is open, or in a state, has none yet; leave one of them out")
	case outcome != "":
		all, index = append(all, store.Eq("outcome", outcome)), "by-outcome"
	case open == "true", asked("state") != "":
		all, index = append(all, store.Eq("outcome", nil)), "by-outcome"
	case open == "false":
		all = append(all, store.Ne("outcome", nil))
	}
	if s := asked("since"); s != "" {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return nil, api.Invalid("since %.40q must be a time like 2026-03-21T10:00:00Z", s)
		}
		all = append(all, store.Gte("created", t.UTC().Truncate(time.Millisecond)))
	}
	switch asked("awaits") {
	case "":
	case "people":
		all, index = append(all, store.Gt("asks.since", time.UnixMilli(0))), "by-asked"
	default:
		return nil, api.Invalid("awaits %.40q must be people", asked("awaits"))
	}
	for i := range parts {
		q := &parts[i]
		q.Filter = store.And(append([]store.Filter{q.Filter}, all...)...)
		if q.Index == "by-created" && index != "" {
			q.Index = index
		}
	}
	return parts, nil
}
