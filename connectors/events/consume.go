package events

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/trace"
)

// callTime bounds one call of a function with events.
const callTime = 2 * time.Minute

// consume brings events to a function until ctx ends. Its durable name is the function's, so replicas of the connector
// share the events, and a function that was away gets what it has missed.
func (c *Connector) consume(ctx context.Context, w wish) {
	consumer := bus.Consumer{Name: "function-" + w.function, Topics: w.topicList(), Timeout: callTime}
	err := c.Bus.Consume(ctx, consumer, func(ctx context.Context, events []event.Event) error {
		if trace.Of(ctx) == "" { // events of several traces, or of none: the call has one of its own
			ctx = trace.With(ctx, trace.New())
			c.Log.DebugContext(ctx, "events of several traces", "function", w.function, "traces", traces(events))
		}
		body, err := json.Marshal(events)
		if err != nil {
			return err
		}
		ctx, cancel := c.finish(ctx)
		defer cancel()
		if err := c.post(ctx, w.function, "/events", http.Header{"Content-Type": {"application/json"}}, body); err != nil {
			c.count.eventsFailed.Add(uint64(len(events)))
			c.Log.WarnContext(ctx, "events not taken", "function", w.function, "events", len(events), "traces", traces(events), "error", err)
			return err
		}
		c.count.events.Add(uint64(len(events)))
		return nil
	})
	if err != nil {
		c.Log.Error("function gets no events", "function", w.function, "topics", w.topics, "error", err)
	}
}

// traces are those of the events, each once, for the log.
func traces(events []event.Event) []string {
	var all []string
	for _, e := range events {
		if e.Trace != "" && !slices.Contains(all, e.Trace) {
			all = append(all, e.Trace)
		}
	}
	return all
}
