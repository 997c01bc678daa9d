package drivers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// maxAlarms is how many alarms of a driver stand at a time; of more types or twins the driver itself tells.
const maxAlarms = 20

// A raised alarm says to whom a type, or a twin, belongs that messages of its devices are parked because of a version.
type raised struct {
	Version string             `bson:"version"`
	Alarm   monitor.Transition `bson:"alarm"` // as it was raised; its end is told in the same words
}

// The rules by which the alarms of a driver are told apart, before its name.
const (
	ruleQuarantine = "driver.quarantined."
	ruleBlocked    = "driver.blocked."
)

// naming are the types whose model names a driver, at most so many, by id.
func (f *function) naming(ctx context.Context, driver string, most int) (out []twin.Twin, err error) {
	q := store.Query{Index: "by-kind", Filter: store.Eq("kind", twin.Type), Limit: 500, Fields: []string{"kind", "definition", "deleted"}}
	for {
		page, err := f.twins.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			if m := t.Definition.Model; m != nil && m.Driver == driver && t.Deleted.IsZero() {
				if out = append(out, t); len(out) == most {
					return out, nil
				}
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return out, nil
		}
	}
}

// unnamed refuses that a driver goes with its last version while types name it that the caller can see.
func (f *function) unnamed(ctx context.Context, c access.Caller, r *record, number string) error {
	if len(r.All) != 1 || r.All[0].Version != number || r.All[0].used() {
		return nil
	}
	types, err := f.naming(ctx, r.Name, maxResolve)
	if err != nil {
		return err
	}
	var names []string
	for i := range types {
		if f.p.May(ctx, c, access.Read, access.Twin(&types[i]), "type") == nil {
			names = append(names, string(types[i].ID))
		}
	}
	if len(names) == 0 {
		return nil
	}
	more := ""
	if n := len(names) - 3; n > 0 {
		names, more = names[:3], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%w: %s is the last version of driver %s, which types name: %s%s; have them name another driver, or none, or delete them first",
		api.ErrConflict, number, r.Name, strings.Join(names, ", "), more)
}

// concerned are those that may have to be told of a version that misbehaves: the types that name its driver, and the twins that make it
// fail.
func (f *function) concerned(ctx context.Context, driver string, suspects []twin.ID) ([]twin.Twin, error) {
	types, err := f.naming(ctx, driver, maxAlarms)
	if err != nil {
		return nil, err
	}
	twins, err := f.twins.GetMany(ctx, texts(suspects))
	return append(types, twins...), err
}

// alarm raises an alarm about each type whose driver has a version in quarantine, or each twin that is blocked, in the same write as the
// verdict.
func (r *record) alarm(v *version, about []twin.Twin, now time.Time) {
	rule, title, severity := ruleQuarantine+r.Name, fmt.Sprintf("driver %s %s is in quarantine", r.Name, v.Version), monitor.Critical
	switch {
	case v.State != api.DriverQuarantined:
		rule, title, severity = ruleBlocked+r.Name, fmt.Sprintf("driver %s %s fails gravely with its messages alone: they are parked", r.Name, v.Version), monitor.Warning
	case v.WasActive:
		title += ": messages of its devices are parked"
	default:
		title, severity = title+": its trial is over", monitor.Warning
	}
	for i := range about {
		t := &about[i]
		stands := func(a raised) bool { return a.Version == v.Version && a.Alarm.Twin == t.ID && a.Alarm.Rule == rule }
		if (t.Kind == twin.Type) != (v.State == api.DriverQuarantined) || t.Kind == twin.Instance && !slices.Contains(v.Blocked, t.ID) || len(r.Alarms) >= maxAlarms || r.Outbox.Full() || slices.ContainsFunc(r.Alarms, stands) {
			continue
		}
		d := &t.Definition
		a := monitor.Transition{Alarm: monitor.AlarmID(t.ID, rule+"@"+v.Version, now.UnixMilli()), Raised: true, Twin: t.ID, Name: d.Name, Type: d.Type, Owner: d.Owner,
			Aggregates: d.Aggregates, Location: d.Location, Rule: rule, Title: title, Severity: severity, At: now,
			Before: []twin.Occurrence{{At: now, What: fmt.Sprintf("%.300s", v.Reason)}}}
		r.Alarms = append(r.Alarms, raised{v.Version, a})
		r.Outbox.Add("driver:"+r.Name, event.AlarmRaised, string(t.ID), now, a)
	}
}

// clear ends the alarms whose reason is gone: the version was promoted again, withdrawn or deleted, or a newer one has taken its place.
func (r *record) clear(now time.Time) {
	r.Alarms = slices.DeleteFunc(r.Alarms, func(a raised) bool {
		if r.stands(&a) {
			return false
		}
		over := a.Alarm
		over.Raised, over.At = false, now
		r.Outbox.Add("driver:"+r.Name, event.AlarmCleared, string(over.Twin), now, over)
		return true
	})
}

func (r *record) stands(a *raised) bool {
	for i := range r.All {
		switch v := &r.All[i]; {
		case v.Version == a.Version && a.Alarm.Rule == ruleQuarantine+r.Name:
			return v.State == api.DriverQuarantined
		case v.Version == a.Version:
			return v.used() && slices.Contains(v.Blocked, a.Alarm.Twin)
		case v.State == api.DriverActive && r.covers(v, a.Version):
			return false // newer ones come first
		}
	}
	return false
}

// covers tells whether a version is for all firmware that another one is for, as far as that is plain.
func (r *record) covers(v *version, other string) bool {
	of := r.version(other)
	return v.Firmware == "" || of != nil && v.Firmware == of.Firmware
}
