package metrics

// Of the connector of events. Filled by sources.
var (
	EventsDelivered = watched(Counter, "castor_events_total",
		"Events brought to functions: delivered, failed (they come again).", "outcome")
	Ticks = watched(Counter, "castor_ticks_total",
		"Ticks of schedules brought to functions: delivered, failed (given up).", "outcome")
	QueuedCalls = watched(Counter, "castor_queued_calls_total",
		"Attempts at queued calls: done, retried, failed (given up and kept).", "outcome")
	Callbacks = watched(Counter, "castor_callbacks_total",
		"Results of queued calls: delivered, failed (given up).", "outcome")
	EventFunctions = watched(Gauge, "castor_events_functions",
		"Functions that have a topic or a schedule.")
)
