package api

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// Overdue is an asynchronous operation that somebody should have gone on with by now. Its owner says so; function
// twin-watchdog watches it by that.
type Overdue struct {
	Kind  string      `json:"kind" bson:"kind"` // provision, command, delivery, assignment, claim, job, archive
	ID    string      `json:"id" bson:"id"`     // the owner's
	Twin  twin.ID     `json:"twin,omitempty" bson:"twin,omitempty"`
	Type  twin.TypeID `json:"type,omitempty" bson:"type,omitempty"`   // of the twin, where the owner knows it
	Owner string      `json:"owner,omitempty" bson:"owner,omitempty"` // group it belongs to, where the owner knows it

	Since    time.Time `json:"since" bson:"since"`                           // when somebody should have gone on with it
	Deadline time.Time `json:"deadline,omitzero" bson:"deadline,omitempty"`  // when it fails by itself; the zero time if never
	Attempts int       `json:"attempts,omitempty" bson:"attempts,omitempty"` // so far, by its owner's account
	Reason   string    `json:"reason,omitempty" bson:"reason,omitempty"`     // of the last failure
}

// RetryOverdue names one operation.
type RetryOverdue struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Retried tells whether the operation is still overdue after it was tried.
type Retried struct {
	Overdue bool   `json:"overdue"`
	Reason  string `json:"reason,omitempty"` // of a failure
}

// Overdue pages through a function's overdue operations, those of one kind oldest first. Functions that can advertise the
// capability "operations".
func (c *Client) Overdue(ctx context.Context, function, cursor string) (out Page[Overdue], err error) {
	return out, c.Call(ctx, "GET", function, "/overdue"+query("cursor", cursor), nil, &out)
}

// RetryOperation has a function go on with one of its operations at once, if it is still overdue.
func (c *Client) RetryOperation(ctx context.Context, function string, in RetryOverdue) (out Retried, err error) {
	return out, c.Call(ctx, "POST", function, "/overdue", in, &out)
}

// A WatchedOperation is what function twin-watchdog knows of an operation that is overdue.
type WatchedOperation struct {
	Key      string `json:"key" bson:"_id"`
	Function string `json:"function" bson:"function"` // its owner
	Overdue  `bson:",inline"`

	Retries int       `json:"retries" bson:"retries"`                 // by the watchdog
	Next    time.Time `json:"next,omitzero" bson:"next,omitempty"`    // when it will be tried again
	Alarm   string    `json:"alarm,omitempty" bson:"alarm,omitempty"` // id of the alarm that is raised, if one is
	Seen    time.Time `json:"seen" bson:"seen"`                       // the newest run that found it overdue
}

// Heartbeat tells that the watchdog is at work.
type Heartbeat struct {
	At      time.Time      `json:"at" bson:"at"`           // end of its newest run; the zero time if there was none
	Overdue map[string]int `json:"overdue" bson:"overdue"` // operations that are overdue, by kind
	Alarms  int            `json:"alarms" bson:"alarms"`   // raised about operations
}

// Watched pages through the operations that are overdue.
func (c *Client) Watched(ctx context.Context, cursor string) (out Page[WatchedOperation], err error) {
	return out, c.Call(ctx, "GET", "twin-watchdog", "/operations"+query("cursor", cursor), nil, &out)
}

// WatchdogHeartbeat tells whether the watchdog is at work.
func (c *Client) WatchdogHeartbeat(ctx context.Context) (out Heartbeat, err error) {
	return out, c.Call(ctx, "GET", "twin-watchdog", "/heartbeat", nil, &out)
}
