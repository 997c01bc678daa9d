package events

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
)

// callTime bounds one call of a function with events.
const callTime = 2 * time.Minute

// consume brings events to a function until ctx ends. Its durable name is the function's, so replicas of the connector
// share the events, and a function that was away gets what it has missed.
func (c *Connector) consume(ctx context.Context, w wish) {
	consumer := bus.Consumer{Name: "function-" + w.function, Topics: w.topicList(), Timeout: callTime}
	err := c.Bus.Consume(ctx, consumer, func(ctx context.Context, events []event.Event) error {
		body, err := json.Marshal(events)
		if err != nil {
			return err
		}
		if err := c.post(ctx, w.function, "/events", http.Header{"Content-Type": {"application/json"}}, body); err != nil {
			c.count.eventsFailed.Add(uint64(len(events)))
			return err
		}
		c.count.events.Add(uint64(len(events)))
		return nil
	})
	if err != nil {
		c.Log.Error("function gets no events", "function", w.function, "topics", w.topics, "error", err)
	}
}
