package alerts

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
)

// maxCounted bounds how many alarms are looked at one by one for a count.
const maxCounted = 5_000

var (
	severities = []monitor.Severity{monitor.Info, monitor.Warning, monitor.Critical}
	openStates = []monitor.AlarmState{monitor.Raised, monitor.Acknowledged}
)

// countAlarms counts the open alarms of twins the caller may read. For those who see everything the index counts.
func (f *function) countAlarms(ctx context.Context, c *faas.Call, _ faas.None) (api.AlarmCounts, error) {
	out := api.AlarmCounts{Raised: map[monitor.Severity]int{}, Acknowledged: map[monitor.Severity]int{}}
	for _, s := range severities {
		out.Raised[s], out.Acknowledged[s] = 0, 0
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	if scope.All {
		for _, severity := range severities {
			for _, state := range openStates {
				n, err := f.alarms.Count(ctx, store.And(store.Eq("scopes", everything), store.Eq("severity", severity), store.Eq("state", state)), "by-severity")
				if err != nil {
					return out, err
				}
				out.Of(state)[severity] = n
			}
		}
		return out, nil
	}
	return out, f.countVisible(ctx, scope, &out)
}

func (f *function) countVisible(ctx context.Context, scope access.Scope, out *api.AlarmCounts) error {
	const chunk = 500
	after := ""
	for range maxCounted / chunk {
		keys, more, err := f.newest(ctx, selection{scopes: namesOf(scope), states: openStates}, after, chunk)
		if err != nil {
			return err
		}
		found, err := f.within(ctx, scope, keys)
		if err != nil {
			return err
		}
		for _, a := range found {
			if of := out.Of(a.State); of != nil { // it may have ended just now
				of[a.Severity]++
			}
		}
		if !more {
			return nil
		}
		after = keys[len(keys)-1]
	}
	out.More = true
	return nil
}
