package twiningest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// record is what history keeps of a message.
func record(m *telemetry.Message, flag twin.Flag) api.Record {
	at := m.Time
	if at.IsZero() {
		at = m.Received
	}
	return api.Record{ID: api.RecordKey(m.Twin, m.When()) + "|" + identity(m), Twin: m.Twin, Kind: m.Kind, At: at, Received: m.Received,
		Order: m.Order, Flag: flag, Samples: m.Samples}
}

// identity tells messages of one twin and time apart, and is the same whenever the same message comes again: the device's
// own number. Where it has none, a message with a time is known by its content, one without by its arrival.
func identity(m *telemetry.Message) string {
	switch {
	case !m.Order.Assigned:
		return order(m.Order)
	case m.Time.IsZero():
		return "a" + order(m.Order)
	}
	return hash(m)
}

// order is an order in fixed width, so that keys sort as orders do, negative numbers too.
func order(o twin.Order) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(o.Epoch)^1<<63)
	text := hex.EncodeToString(binary.BigEndian.AppendUint64(b, uint64(o.Seq)^1<<63))
	return text[:16] + "|" + text[16:]
}

// hash is of what the device said: kind, time and samples.
func hash(m *telemetry.Message) string {
	b := make([]byte, 0, 256)
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	text(string(m.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Time.UnixMilli()))
	for _, s := range m.Samples {
		text(s.Property)
		switch v := s.Value.(type) {
		case nil:
			b = append(b, 'n')
		case bool:
			b = strconv.AppendBool(append(b, 'b'), v)
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
		case string:
			b = append(b, 's')
			text(v)
		}
	}
	for _, s := range []string{m.Session, m.Topic, string(m.Raw)} {
		if m.Kind == telemetry.Presence || m.Kind == telemetry.Undecoded {
			text(s)
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func clockFlag(m *telemetry.Message) twin.Flag {
	if m.Time.IsZero() {
		return ""
	}
	return telemetry.Clock(m.Time, m.Received)
}

// born is before anything was received, first and final are the times that RFC 3339 can write.
var (
	born  = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	first = time.Date(1, 1, 1, 0, 0, 0, int(time.Millisecond), time.UTC)
	final = time.Date(9999, 12, 31, 23, 59, 59, 999*int(time.Millisecond), time.UTC)
)

// cut brings a time to what every store keeps and every answer can say.
func cut(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Before(first):
		return first
	case t.After(final):
		return final
	}
	return t.UTC().Truncate(time.Millisecond)
}

// anchor finds the place in time of messages that have a number but no time to go by. That is when they came first; so that
// one sent again after a crash lands in the same place, the place is kept before anything else is.
func (b *batch) anchor(ctx context.Context, records []api.Record, at []int) error {
	var anchors []api.Record
	var of []int // records
	for k, i := range at {
		m := &b.messages[i]
		if !m.Order.Assigned && (m.Time.IsZero() || clockFlag(m) != "") {
			anchors = append(anchors, api.Record{ID: string(m.Twin) + "|~" + order(m.Order), Twin: m.Twin, Received: m.Received})
			of = append(of, k)
		}
	}
	errs, err := b.f.history.InsertMany(ctx, anchors)
	if err != nil {
		return err
	}
	var again []int // of anchors that were there
	var ids []string
	for j, err := range errs {
		if err != nil { // most likely store.ErrExists; what else it was, the next write will meet too
			again, ids = append(again, j), append(ids, anchors[j].ID)
		}
	}
	kept, err := b.f.history.Load(ctx, ids)
	for k, a := range kept {
		if a != nil {
			r := &records[of[again[k]]]
			r.ID = api.RecordKey(r.Twin, a.Value.Received) + "|" + order(r.Order)
		}
	}
	return err
}
