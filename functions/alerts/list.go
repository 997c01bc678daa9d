package alerts

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxRounds bounds how often one call goes back for more because what it found is not the caller's to see.
const maxRounds = 20

// listAlarms pages through the alarms of twins the caller may read, newest first.
func (f *function) listAlarms(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[api.Alarm], err error) {
	page.Items = []api.Alarm{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	states, err := statesOf(c.Query.Get("state"))
	if err != nil {
		return page, err
	}
	after, err := f.openCursor(c.Query.Get("cursor"))
	if err != nil {
		return page, err
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return page, err
	}
	sel := selection{scopes: namesOf(scope), states: states}
	if sel.severities, err = severitiesOf(c.Query.Get("severity")); err != nil {
		return page, err
	}
	if id := c.Query.Get("twin"); id != "" {
		if _, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(id)); err != nil {
			return page, err
		}
		sel.scopes = []string{twinScope(twin.ID(id))}
	}
	for range maxRounds {
		keys, more, err := f.newest(ctx, sel, after, limit-len(page.Items))
		if err != nil {
			return page, err
		}
		found, err := f.within(ctx, scope, keys)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, found...)
		if !more {
			return page, nil
		}
		after = keys[len(keys)-1]
		if len(page.Items) == limit {
			break
		}
	}
	page.Next, err = f.sealCursor(after)
	return page, err
}

func statesOf(s string) ([]monitor.AlarmState, error) {
	switch monitor.AlarmState(s) {
	case "":
		return []monitor.AlarmState{monitor.Raised, monitor.Acknowledged, monitor.Cleared}, nil
	case "open":
		return []monitor.AlarmState{monitor.Raised, monitor.Acknowledged}, nil
	case monitor.Raised, monitor.Acknowledged, monitor.Cleared:
		return []monitor.AlarmState{monitor.AlarmState(s)}, nil
	}
	return nil, api.Invalid("state %.40q must be raised, acknowledged, cleared or open", s)
}

// namesOf are the scopes of alarms in which those lie that the caller may see.
func namesOf(s access.Scope) (names []string) {
	if s.All {
		return []string{everything}
	}
	for _, g := range s.Groups {
		names = append(names, ownerScope(g))
	}
	for _, id := range s.Twins {
		names = append(names, twinScope(id))
	}
	return names
}

// severitiesOf reads severities by comma; none stands for all.
func severitiesOf(s string) (all []monitor.Severity, err error) {
	if s == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(s, ",") {
		v := monitor.Severity(name)
		if v.Rank() == 0 {
			return nil, api.Invalid("severity %.40q must be info, warning or critical, or several by comma", name)
		}
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all, nil
}

// A selection is the alarms that are in one of the scopes, in one of the states, and of one of the severities.
type selection struct {
	scopes     []string
	states     []monitor.AlarmState
	severities []monitor.Severity // none = all
}

// ranges are the ranges of an index that hold the selection.
func (s selection) ranges() (index string, all []store.Filter) {
	index = "by-scope"
	for _, scope := range s.scopes {
		for _, state := range s.states {
			f := store.And(store.Eq("scopes", scope), store.Eq("state", state))
			if len(s.severities) == 0 {
				all = append(all, f)
			}
			for _, severity := range s.severities {
				index = "by-severity"
				all = append(all, store.And(f, store.Eq("severity", severity)))
			}
		}
	}
	return index, all
}

// newest returns the keys of the newest alarms of a selection after the key given, at most limit, and whether there are more.
// Each range of the index is read on its own and merged.
func (f *function) newest(ctx context.Context, s selection, after string, limit int) (keys []string, more bool, err error) {
	index, ranges := s.ranges()
	for _, r := range ranges {
		found, err := f.alarms.Find(ctx, store.Query{Index: index, Limit: limit + 1, Fields: []string{"key"}, Filter: store.And(r, store.Gt("key", after))})
		if err != nil {
			return nil, false, err
		}
		for _, a := range found.Items {
			keys = append(keys, a.Key)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) > limit {
		return keys[:limit], true, nil
	}
	return keys, false, nil
}

// within returns the alarms with these keys whose twins, as they are now, lie within scope: a twin may have gone to another
// owner since.
func (f *function) within(ctx context.Context, scope access.Scope, keys []string) (out []api.Alarm, err error) {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = idOf(k)
	}
	alarms, err := f.alarms.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	twins := map[twin.ID]*twin.Twin{}
	if !scope.All {
		if twins, err = f.present(ctx, alarms); err != nil {
			return nil, err
		}
	}
	for _, a := range alarms {
		if scope.Allows(a.object(twins[a.Twin])) {
			out = append(out, a.Alarm)
		}
	}
	return out, nil
}

// present returns the twins of alarms, those that are still there.
func (f *function) present(ctx context.Context, alarms []alarm) (map[twin.ID]*twin.Twin, error) {
	var ids []string
	for _, a := range alarms {
		if a.Twin != "" {
			ids = append(ids, string(a.Twin))
		}
	}
	slices.Sort(ids)
	twins, err := f.twins.GetMany(ctx, slices.Compact(ids))
	byID := make(map[twin.ID]*twin.Twin, len(twins))
	for i, t := range twins {
		if t.Deleted.IsZero() {
			byID[t.ID] = &twins[i]
		}
	}
	return byID, err
}

// A cursor is sealed, because the key in it may be that of an alarm the caller may not see.
const cursorOf = "cursor:alarms"

func (f *function) sealCursor(key string) (string, error) {
	b, err := f.p.Seal(cursorOf, []byte(key))
	return base64.RawURLEncoding.EncodeToString(b), err
}

func (f *function) openCursor(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		b, err = f.p.Unseal(cursorOf, b)
	}
	if err != nil {
		return "", api.Invalid("cursor is not one that this list gave")
	}
	return string(b), nil
}
