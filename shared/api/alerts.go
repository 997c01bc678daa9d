package api

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// Alarm is one alarm and its life.
type Alarm struct {
	ID    string             `json:"id" bson:"_id"`
	State monitor.AlarmState `json:"state" bson:"state"`

	Twin       twin.ID          `json:"twin" bson:"twin"`
	Name       string           `json:"name,omitempty" bson:"name,omitempty"`
	Type       twin.TypeID      `json:"type,omitempty" bson:"type,omitempty"`
	Owner      string           `json:"owner,omitempty" bson:"owner,omitempty"` // the twin's; as its type and aggregates, it goes with the twin
	Aggregates []twin.ID        `json:"aggregates,omitempty" bson:"aggregates,omitempty"`
	Rule       string           `json:"rule" bson:"rule"`
	Title      string           `json:"title" bson:"title"`
	Severity   monitor.Severity `json:"severity" bson:"severity"`
	Property   string           `json:"property,omitempty" bson:"property,omitempty"`
	Value      any              `json:"value,omitempty" bson:"value,omitempty"` // that raised it

	// Context of the decision (paper FR10).
	Location *twin.Location    `json:"location,omitempty" bson:"location,omitempty"`
	Before   []twin.Occurrence `json:"before,omitempty" bson:"before,omitempty"`

	RaisedAt time.Time `json:"raisedAt,omitzero" bson:"raisedAt,omitempty"`

	// Who has taken it on, and their note, which is for the twin's group: both end when the twin goes to another owner.
	AcknowledgedAt time.Time `json:"acknowledgedAt,omitzero" bson:"acknowledgedAt,omitempty"`
	AcknowledgedBy string    `json:"acknowledgedBy,omitempty" bson:"acknowledgedBy,omitempty"`
	Note           string    `json:"note,omitempty" bson:"note,omitempty"`

	ClearedAt time.Time `json:"clearedAt,omitzero" bson:"clearedAt,omitempty"`

	Updated time.Time `json:"updated" bson:"updated"`

	// Trace is that of the call that raised the alarm: of the device's message, where one did.
	Trace string `json:"trace,omitempty" bson:"trace,omitempty"`
}

// Acknowledge takes an alarm on.
type Acknowledge struct {
	Note string `json:"note,omitempty"`
}

// Route says who is told of which alarms.
type Route struct {
	ID    string `json:"id" bson:"_id"`
	Name  string `json:"name,omitempty" bson:"name,omitempty"`
	Owner string `json:"owner,omitempty" bson:"owner,omitempty"` // group whose twins' alarms it is for; "" = everybody's (maintainers only)

	Severity monitor.Severity `json:"severity,omitempty" bson:"severity,omitempty"` // least; "" = info
	Twin     twin.ID          `json:"twin,omitempty" bson:"twin,omitempty"`         // only this twin, or those below this type or aggregate
	Cleared  bool             `json:"cleared" bson:"cleared"`                       // tell of the end too

	// One of them is set.
	Email   []string `json:"email,omitempty" bson:"email,omitempty"`
	Webhook string   `json:"webhook,omitempty" bson:"webhook,omitempty"` // http(s) URL

	// Secret signs webhooks: header X-Castor-Signature = "t=UNIX,v1=" + hex HMAC-SHA256(secret, UNIX "." body). It is shown
	// when the route is made, and sealed in the store.
	Secret string `json:"secret,omitempty" bson:"-"`

	By      string    `json:"by" bson:"by"`
	Created time.Time `json:"created" bson:"created"`
}

// Delivery is one message to people, and what became of it.
type Delivery struct {
	ID       string    `json:"id" bson:"_id"` // alarm, transition, route, address
	Alarm    string    `json:"alarm" bson:"alarm"`
	Route    string    `json:"route" bson:"route"`
	To       string    `json:"to,omitempty" bson:"to,omitempty"` // e-mail address; "" = the route's webhook
	Raised   bool      `json:"raised" bson:"raised"`
	State    string    `json:"state" bson:"state"` // pending, sent or failed
	Attempts int       `json:"attempts" bson:"attempts"`
	Reason   string    `json:"reason,omitempty" bson:"reason,omitempty"` // of the last failure
	Next     time.Time `json:"next,omitzero" bson:"next,omitempty"`
	Sent     time.Time `json:"sent,omitzero" bson:"sent,omitempty"`
}

// Headers of a webhook's call: the delivery's id, which is the same at every attempt, and the signature (see Route.Secret).
const (
	HeaderDelivery  = "X-Castor-Delivery"
	HeaderSignature = "X-Castor-Signature"
)

// Notice is the body of a webhook's call: about an alarm, or a notification that is none.
type Notice struct {
	Delivery string `json:"delivery"`       // the same at every attempt: receivers drop what they have had
	Raised   bool   `json:"raised"`         // false: it is over
	Alarm    Alarm  `json:"alarm,omitzero"` // as it was when the message was made

	Notification *Notification `json:"notification,omitempty"` // in place of an alarm
}

// AlarmQuery selects alarms.
type AlarmQuery struct {
	State    string // raised, acknowledged, cleared; "open" = not cleared; "" = all
	Severity string // info, warning or critical, or several by comma; "" = all
	Twin     twin.ID
	Limit    int // 0 = 100, at most 1,000
	Cursor   string
}

// AlarmCounts is how many alarms are open of the twins the caller may read, by severity. Every severity is there.
type AlarmCounts struct {
	Raised       map[monitor.Severity]int `json:"raised"`
	Acknowledged map[monitor.Severity]int `json:"acknowledged"`

	// More is set where there are more than were counted.
	More bool `json:"more,omitempty"`
}

// Of returns the counts of a state; nil for alarms that are over.
func (c *AlarmCounts) Of(s monitor.AlarmState) map[monitor.Severity]int {
	switch s {
	case monitor.Raised:
		return c.Raised
	case monitor.Acknowledged:
		return c.Acknowledged
	}
	return nil
}

// ListAlarms pages through the alarms the caller may see, newest first.
func (c *Client) ListAlarms(ctx context.Context, q AlarmQuery) (out Page[Alarm], err error) {
	return out, c.Call(ctx, "GET", "alerts", "/alarms"+query("state", q.State, "severity", q.Severity, "twin", string(q.Twin),
		"limit", positive(q.Limit), "cursor", q.Cursor), nil, &out)
}

// GetAlarm returns an alarm.
func (c *Client) GetAlarm(ctx context.Context, id string) (out Alarm, err error) {
	return out, c.Call(ctx, "GET", "alerts", "/alarms/"+id, nil, &out)
}

// AcknowledgeAlarm takes an alarm on.
func (c *Client) AcknowledgeAlarm(ctx context.Context, id, note string) (out Alarm, err error) {
	return out, c.Call(ctx, "POST", "alerts", "/alarms/"+id+"/acknowledge", Acknowledge{note}, &out)
}

// ReleaseAlarm lets go of an alarm that the caller has taken on.
func (c *Client) ReleaseAlarm(ctx context.Context, id string) (out Alarm, err error) {
	return out, c.Call(ctx, "POST", "alerts", "/alarms/"+id+"/release", nil, &out)
}

// CountAlarms counts the open alarms of the twins the caller may read.
func (c *Client) CountAlarms(ctx context.Context) (out AlarmCounts, err error) {
	return out, c.Call(ctx, "GET", "alerts", "/counts", nil, &out)
}

// CreateRoute makes a route.
func (c *Client) CreateRoute(ctx context.Context, in Route) (out Route, err error) {
	return out, c.Call(ctx, "POST", "alerts", "/routes", in, &out)
}

// ListRoutes pages through the routes.
func (c *Client) ListRoutes(ctx context.Context, cursor string) (out Page[Route], err error) {
	return out, c.Call(ctx, "GET", "alerts", "/routes"+query("cursor", cursor), nil, &out)
}

// DeleteRoute removes a route.
func (c *Client) DeleteRoute(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "alerts", "/routes/"+id, nil, nil)
}

// ListDeliveries pages through what was told to whom about an alarm.
func (c *Client) ListDeliveries(ctx context.Context, alarm string) (out Page[Delivery], err error) {
	return out, c.Call(ctx, "GET", "alerts", "/alarms/"+alarm+"/deliveries", nil, &out)
}
