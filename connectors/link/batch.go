package link

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
)

// traced gives a batch its trace: that of its oldest message, if it was sent before, so that one id follows a message through
// all attempts.
func traced(ctx context.Context, batch []*item) context.Context {
	id := batch[0].trace
	if id == "" {
		id = trace.New()
	}
	for _, it := range batch {
		if it.trace == "" {
			it.trace = id
		}
	}
	return trace.With(ctx, id)
}

// maxNamed is how many devices of a batch a log line names.
const maxNamed = 20

// devices are the references and sessions of a batch, for the log.
func devices(batch []*item) []string {
	var named []string
	seen := make(map[*Session]bool)
	for _, it := range batch {
		if s := it.ticket.session; !seen[s] && len(named) < maxNamed {
			seen[s] = true
			named = append(named, string(s.Ref)+" "+s.ID)
		}
	}
	return named
}

// call sends one batch.
func (a *lane) call(ctx context.Context, batch []*item) ([]telemetry.Outcome, error) {
	l := a.link
	b := telemetry.Batch{Gateway: l.config.Gateway.ID, Messages: make([]telemetry.Message, len(batch))}
	for i, it := range batch {
		b.Messages[i] = it.message
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.limits.Timeout)
	defer cancel()
	result, err := l.api.Ingest(ctx, b)
	if err == nil && len(result.Outcomes) != len(batch) {
		err = fmt.Errorf("%d outcomes for %d messages", len(result.Outcomes), len(batch))
	}
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "batch", "messages", len(batch), "devices", devices(batch), "took", time.Since(started), "error", err)
	}
	if err == nil {
		l.count.batches.Add(1)
		l.commands.wait(result.Commands)
	}
	return result.Outcomes, err
}

// settle takes what is done out of the lane and acknowledges it; what is to be sent again stays in front, in its order. It
// tells whether anything was done.
func (a *lane) settle(batch []*item, outcomes []telemetry.Outcome) (progress bool) {
	c := &a.link.count
	var again []*item
	for i, it := range batch {
		switch outcomes[i] {
		case telemetry.Stored:
			c.stored.Add(1)
			if it.news {
				a.link.drivers.forget(it.message.Twin)
			}
		case telemetry.Parked:
			c.parked.Add(1)
			it.ticket.parked(&it.message)
		case telemetry.Refused:
			c.refused.Add(1)
		default:
			c.retried.Add(1)
			again = append(again, it)
		}
	}
	a.replace(batch, again)
	touched := make(map[*Session]bool)
	for i, it := range batch {
		switch outcomes[i] {
		case telemetry.Stored, telemetry.Parked, telemetry.Refused:
			it.ticket.finish(true)
			touched[it.ticket.session] = true
		}
	}
	for s := range touched {
		s.tell()
	}
	return len(again) < len(batch)
}

// park makes raw bytes of a message that twin-ingest will not read. One that it will not even park is given up, without
// being acknowledged.
func (a *lane) park(ctx context.Context, it *item, err error) {
	if it.message.Kind != telemetry.Undecoded {
		a.link.log.ErrorContext(ctx, "twin-ingest cannot read a message, parking it", "twin", it.message.Twin, "device", it.ticket.session.Ref, "kind", it.message.Kind, "error", err)
		m := &it.message
		m.Was, m.Topic, m.Port, m.Driver = m.Kind, it.topic, it.port, it.driver
		m.Kind, m.Samples, m.Data, m.Raw, m.Reason = telemetry.Undecoded, nil, nil, it.payload, fmt.Sprintf("refused by twin-ingest: %.400v", err)
		return
	}
	a.link.log.ErrorContext(ctx, "twin-ingest cannot park a message, it is not acknowledged", "twin", it.message.Twin,
		"device", it.ticket.session.Ref, "error", err)
	a.link.count.lost.Add(1)
	a.replace([]*item{it}, nil)
	it.ticket.finish(false)
}
