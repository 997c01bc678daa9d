package api

import (
	"context"
	"time"
)

// Swept tells what a sweep found left over by a crash or an outage, and did: events published late, steps taken up again.
type Swept struct {
	Repaired int `json:"repaired"`
}

// SweepStatus is what function twin-watchdog knows of the sweeps of one function.
type SweepStatus struct {
	Function string    `json:"function" bson:"_id"`
	Planned  time.Time `json:"planned" bson:"planned"`                    // of the newest run
	Outcome  string    `json:"outcome" bson:"outcome"`                    // ok, failed, or absent: neither there nor advertised
	Reason   string    `json:"reason,omitempty" bson:"reason,omitempty"`  // of the failure
	Repaired int       `json:"repaired" bson:"repaired"`                  // by the newest run
	Total    int64     `json:"total" bson:"total"`                        // repaired by all runs
	Failing  time.Time `json:"failing,omitzero" bson:"failing,omitempty"` // since when; the zero time while it works
	Alarm    string    `json:"alarm,omitempty" bson:"alarm,omitempty"`    // id of the alarm that is raised, if one is
}

// Sweep has a function repair what a crash or an outage left. Functions that can advertise the capability "sweep".
func (c *Client) Sweep(ctx context.Context, function string) (out Swept, err error) {
	return out, c.Call(ctx, "POST", function, "/sweep", nil, &out)
}

// WatchdogStatus tells how the sweep of each function went.
func (c *Client) WatchdogStatus(ctx context.Context) (out Page[SweepStatus], err error) {
	return out, c.Call(ctx, "GET", "twin-watchdog", "/status", nil, &out)
}
