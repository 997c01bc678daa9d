package api

import (
	"context"
	"time"
)

// Swept tells what a sweep found left over by a crash or an outage, and did: events published late, steps taken up again.
type Swept struct {
	Repaired int `json:"repaired"`

	// Waiting is how much should have been done by now and is not, though nothing was left over: messages that people have
	// not got yet, operations that are overdue. Oldest is since when; the zero time if nothing waits.
	Waiting int       `json:"waiting,omitempty"`
	Oldest  time.Time `json:"oldest,omitzero"`
}

// SweepStatus is what function twin-watchdog knows of the sweeps of one function.
type SweepStatus struct {
	Function string    `json:"function" bson:"_id"`
	Planned  time.Time `json:"planned" bson:"planned"`                     // of the newest run
	Outcome  string    `json:"outcome" bson:"outcome"`                     // ok, failed, or absent: neither there nor advertised
	Reason   string    `json:"reason,omitempty" bson:"reason,omitempty"`   // of the failure
	Repaired int       `json:"repaired" bson:"repaired"`                   // by the newest run
	Total    int64     `json:"total" bson:"total"`                         // repaired by all runs
	Waiting  int       `json:"waiting,omitempty" bson:"waiting,omitempty"` // see Swept
	Oldest   time.Time `json:"oldest,omitzero" bson:"oldest,omitempty"`
	Failing  time.Time `json:"failing,omitzero" bson:"failing,omitempty"` // since when; the zero time while it works
	Alarm    string    `json:"alarm,omitempty" bson:"alarm,omitempty"`    // id of the alarm that is raised, if one is
}

// A BusLoad is what waits on the bus.
type BusLoad struct {
	Streams   []StreamLoad   `json:"streams"`
	Consumers []ConsumerLoad `json:"consumers"` // by name
	Dead      uint64         `json:"dead"`      // events and calls that were given up and are kept for people to look at
}

// A StreamLoad is how full a stream is.
type StreamLoad struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes int64  `json:"maxBytes"` // 0 = no bound
}

// A ConsumerLoad is how far a consumer is behind.
type ConsumerLoad struct {
	Name           string `json:"name"`
	Stream         string `json:"stream"`
	Pending        uint64 `json:"pending"`        // messages that it was not handed yet
	Unacknowledged int    `json:"unacknowledged"` // messages that it was handed and has not settled
	Redelivered    int    `json:"redelivered"`    // of those, messages handed out before
}

// BusLoad tells what waits on the bus.
func (c *Client) BusLoad(ctx context.Context) (out BusLoad, err error) {
	return out, c.Call(ctx, "GET", "twin-watchdog", "/bus", nil, &out)
}

// Sweep has a function repair what a crash or an outage left. Functions that can advertise the capability "sweep".
func (c *Client) Sweep(ctx context.Context, function string) (out Swept, err error) {
	return out, c.Call(ctx, "POST", function, "/sweep", nil, &out)
}

// WatchdogStatus tells how the sweep of each function went.
func (c *Client) WatchdogStatus(ctx context.Context) (out Page[SweepStatus], err error) {
	return out, c.Call(ctx, "GET", "twin-watchdog", "/status", nil, &out)
}
