package twinmonitor

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// A record is a rule as it is stored: what readers of the collection see (platform.OpenRules), and what only its writer needs.
type record struct {
	monitor.Rule `bson:",inline"`

	// Deleted marks a rule that is gone for people. It is disabled as well, which is all that readers need to know, and stays
	// until its event is out and no twin holds an alarm of it.
	Deleted bool `bson:"deleted,omitempty"`

	// Settle is since when twins may not know of the rule's newest version; the zero time once they do.
	Settle time.Time `bson:"settle,omitempty"`

	Outbox event.Outbox `bson:"outbox"`
}

func openRules(ctx context.Context, db *store.DB) (*store.Collection[record], error) {
	// The readers' indexes first: both ways of opening the collection must leave the same ones.
	if _, err := platform.OpenRules(ctx, db); err != nil {
		return nil, err
	}
	return store.Open[record](ctx, db, store.Spec{Name: "rules", Schema: 1, Indexes: []store.Index{
		{Name: "by-target", Fields: []string{"target"}},
		{Name: "by-settle", Fields: []string{"settle"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}})
}

func outboxOf(r *record) (string, *event.Outbox) { return r.ID, &r.Outbox }

// changed notes, in the same write as the change, what has to follow from it.
func (r *record) changed(now time.Time) {
	r.Version++
	r.Updated, r.Settle = now, now
	if r.Outbox.Next == 0 {
		// An id may be used again once the rule is purged; the numbers of its events never may.
		r.Outbox.Next = now.UnixMilli()
	}
	r.Outbox.Coalesce("rule:"+r.ID, event.RuleChanged, string(r.Target), now, api.RuleChanged{Rule: r.ID, Target: r.Target})
}
