package up

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// Part is the name under which this process itself calls functions, for what it shows.
const Part = "castor"

// Counts is what the terminal's live line shows.
type Counts struct {
	Instances    int
	Online       int
	Provisioning int
	Alarms       int     // open ones, counted to 100
	Messages     int64   // stored since the platform was started
	Parked       int64   // since the platform was started
	Rate         float64 // messages per second since the last call
}

// Counts asks the functions and the connectors.
func (c *Castor) Counts(ctx context.Context) (n Counts, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if c.counting == nil {
		c.counting = platform.New(c.base, Part, "").API
	}
	twins, err := c.counting.CountTwins(ctx, api.TwinQuery{})
	if err != nil {
		return n, err
	}
	alarms, err := c.counting.ListAlarms(ctx, api.AlarmQuery{State: "open"})
	if err != nil {
		return n, err
	}
	n = Counts{Instances: twins.Instances, Online: twins.Online, Provisioning: twins.Phases[twin.Provisioning], Alarms: len(alarms.Items)}
	for _, g := range c.gateways {
		_, s := g.connector.Stats()
		n.Messages += int64(s.Stored)
		n.Parked += int64(s.Parked)
	}
	now := time.Now()
	if !c.counted.IsZero() {
		n.Rate = float64(n.Messages-c.messages) / now.Sub(c.counted).Seconds()
	}
	c.counted, c.messages = now, n.Messages
	return n, nil
}
