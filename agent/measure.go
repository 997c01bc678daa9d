package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// body is a message as it lies in the spool; the order is added when it is sent.
type body struct {
	Time  time.Time      `json:"time"`
	Data  map[string]any `json:"data,omitempty"`
	Level string         `json:"level,omitempty"`
	Text  string         `json:"text,omitempty"`
	answer
}

// Measure keeps values that were measured at a time, to be sent as telemetry. It returns when they are in the spool, with
// the order they got; it does not wait for a connection. An error tells that they cannot be a message.
func (a *Agent) Measure(at time.Time, data map[string]any) (twin.Order, error) {
	return a.put("telemetry", body{Time: at, Data: data})
}

// Event keeps something that happened at a time. data may be nil.
func (a *Agent) Event(at time.Time, name string, data map[string]any) (twin.Order, error) {
	all := map[string]any{"event": name}
	for k, v := range data {
		if k != "event" {
			all[k] = v
		}
	}
	return a.put("event", body{Time: at, Data: all})
}

// LogLine keeps a line of an app's log. app is a name of letters, digits, '.', '_' and '-' (device.TopicWord).
func (a *Agent) LogLine(at time.Time, app, level, text string) (twin.Order, error) {
	if !device.TopicWord(app) { // no gateway would take it, and the spool would wait for it for ever
		return twin.Order{}, api.Invalid("app %.80q must be 1 to 64 letters, digits, '.', '_' and '-'", app)
	}
	return a.put("log/"+app, body{Time: at, Level: level, Text: text})
}

func (a *Agent) put(topic string, b body) (twin.Order, error) {
	b.Time = b.Time.UTC().Truncate(time.Millisecond)
	enc, err := json.Marshal(b)
	if err != nil {
		return twin.Order{}, fmt.Errorf("%s: %w", topic, err)
	}
	return a.spool.Append(topic, enc)
}

// measure asks the source every interval.
func (a *Agent) measure(ctx context.Context) {
	tick := time.NewTicker(a.cfg.Interval)
	defer tick.Stop()
	for {
		data, err := a.cfg.Source(ctx)
		if err == nil && len(data) > 0 {
			if _, taken := data["spool"]; !taken {
				st := a.spool.Stats()
				data["spool"] = map[string]any{"pending": st.Pending, "dropped": st.Dropped, "damaged": st.Damaged}
			}
			_, err = a.Measure(a.cfg.Now(), data)
		}
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.Error("not measured", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Pending is how many messages are not acknowledged.
func (a *Agent) Pending() int { return a.spool.Stats().Pending }

// Changed returns a channel that is closed when Pending may have changed.
func (a *Agent) Changed() <-chan struct{} { return a.spool.Changed() }

// Drain returns when every message is acknowledged as stored, or with ctx's error.
func (a *Agent) Drain(ctx context.Context) error {
	for {
		changed := a.spool.Changed()
		n := a.Pending()
		if n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d messages are not acknowledged: %w", n, ctx.Err())
		}
	}
}
