package metrics

// Of the connector of streams. Filled by sources.
var (
	Streams = watched(Gauge, "castor_streams",
		"Streams of changes that are open.")
	StreamFrames = watched(Counter, "castor_stream_frames_total",
		"Frames with news that were written to streams.")
	StreamReloads = watched(Counter, "castor_stream_reloads_total",
		"Times that a reader was told to read everything again: too slow, away for too long, or its rights have changed.")
	StreamsRefused = watched(Counter, "castor_streams_refused_total",
		"Streams that were not opened: not signed in, too many, starting or going down.")
	StreamBytes = watched(Gauge, "castor_stream_ring_bytes",
		"Memory of the newest news, which all streams of the process share.")
)

var live = newCounter("castor_live_batches_total",
	"Batches whose news twin-ingest told whoever looks at twins now: told, dropped (the bus was away or too slow).", "outcome")

// Live counts a batch whose news were told; not told means that they were dropped.
func Live(told bool) {
	outcome := "dropped"
	if told {
		outcome = "told"
	}
	live.WithLabelValues(outcome).Inc()
}
