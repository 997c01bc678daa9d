package alerts

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
)

// note leaves it to tell to say that somebody has taken the alarm on, or has let it go.
func (a *alarm) note() {
	a.Untold.Taken = a.Updated.UnixNano()
	if a.Untold.Since.IsZero() {
		a.Untold.Since = a.Updated
	}
}

// tellTaken publishes that somebody has taken the alarm on, or has let it go, for who looks at it now. Its owner is that of the
// twin as it is: an alarm keeps the one it was raised with.
func (f *function) tellTaken(ctx context.Context, a *alarm) error {
	twins, err := f.present(ctx, []alarm{*a})
	if err != nil {
		return err
	}
	t := api.AlarmTaken{Acknowledged: a.State == monitor.Acknowledged, AcknowledgedBy: a.AcknowledgedBy, AcknowledgedAt: a.AcknowledgedAt,
		Transition: monitor.Transition{Alarm: a.ID, Raised: a.State != monitor.Cleared, Twin: a.Twin, Name: a.Name, Type: a.Type, Owner: a.Owner, Aggregates: a.Aggregates,
			Rule: a.Rule, Title: a.Title, Severity: a.Severity, Property: a.Property, Value: a.Value, At: a.RaisedAt, Location: a.Location}}
	if now := twins[a.Twin]; now != nil {
		t.Owner, t.Type, t.Aggregates = now.Definition.Owner, now.Definition.Type, now.Definition.Aggregates
	}
	id := fmt.Sprintf("%s:%s#%d", event.AlarmAcknowledged, a.ID, a.Untold.Taken)
	return f.p.Bus.Publish(ctx, event.New(id, event.AlarmAcknowledged, string(a.Twin), a.Updated, t))
}
