package twins

import (
	"context"
	"slices"

	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// openAlarm is what lists need to know of an alarm that is not over: they find the twins that have one by function alerts'
// index, because one on the twins themselves would cost each message of each device.
type openAlarm struct {
	ID   string             `bson:"_id"`
	Twin twin.ID            `bson:"twin"`
	Key  string             `bson:"key"`
	In   []string           `bson:"scopes"`
	Is   monitor.AlarmState `bson:"state"`
}

// maxAlarms is by how many open alarms twins are found; where there are more, the twins themselves are looked through.
const maxAlarms = 5_000

// alarming returns the ids of the twins that have open alarms, sorted, and whether those are all.
func (f *function) alarming(ctx context.Context) (ids []string, whole bool, err error) {
	ids, whole = []string{}, true
	for _, state := range []monitor.AlarmState{monitor.Raised, monitor.Acknowledged} {
		q := store.Query{Index: "by-scope", Filter: store.And(store.Eq("scopes", "*"), store.Eq("state", state)), Limit: maxAlarms, Fields: []string{"twin"}}
		err := f.alarms.Scan(ctx, q, func(a openAlarm) error {
			if a.Twin != "" {
				ids = append(ids, string(a.Twin))
			}
			return nil
		})
		if err != nil {
			return nil, false, err
		}
		whole = whole && len(ids) < maxAlarms
	}
	slices.Sort(ids)
	return slices.Compact(ids), whole, nil
}
