package driver

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// Normalised is a codec whose decoded uplinks are in the driver's common names: what its normalizeUplink makes of them, where it has
// that and the uplink is not refused. Of several measurements (The Things Network's form: a list, each with a time of its own if it
// has one) each becomes a record. Records that the decoder gave beside the data stay as they are.
func Normalised(c Codec) Codec { return normalised{c} }

type normalised struct{ codec Codec }

// Run is Codec's.
func (n normalised) Run(ctx context.Context, calls []Call) ([]Result, error) {
	results, err := n.codec.Run(ctx, calls)
	if err != nil {
		return nil, err
	}
	var second []Call
	var of []int
	for i := range results {
		if r := &results[i]; calls[i].Op == DecodeUplink && r.OK() && r.Data != nil {
			second, of = append(second, Call{Op: NormalizeUplink, Data: r.Data, Time: calls[i].Time}), append(of, i)
		}
	}
	if len(second) == 0 {
		return results, nil
	}
	made, err := n.codec.Run(ctx, second)
	if err != nil {
		return nil, err
	}
	for k, i := range of {
		results[i].normalise(&made[k])
	}
	return results, nil
}

// normalise puts what a driver made of the result's data in its place.
func (r *Result) normalise(by *Result) {
	r.Log, r.Warnings = append(r.Log, by.Log...), append(r.Warnings, by.Warnings...)
	if by.Failure == Missing {
		return
	}
	if r.Failure, r.Reason, r.Errors = by.Failure, by.Reason, by.Errors; !by.OK() {
		r.Data, r.Records = nil, nil
		return
	}
	if len(by.Units) > 0 {
		units := maps.Clone(by.Units)
		maps.Copy(units, r.Units) // of what keeps its name
		maps.Copy(units, by.Units)
		r.Units = units
	}
	list, many := by.Data.([]any)
	if !many {
		r.Data = by.Data
		return
	}
	r.Data = nil
	for i, one := range list {
		m, ok := one.(map[string]any)
		if !ok {
			r.Failure, r.Reason, r.Data, r.Records = Invalid, fmt.Sprintf("normalizeUplink: measurement %d is %s, not an object", i+1, text(one)), nil, nil
			return
		}
		record := Record{Time: r.Time, Data: m}
		if said, ok := m["time"].(string); ok {
			if at, err := time.Parse(time.RFC3339Nano, said); err == nil {
				record.Time, record.Data = at, maps.Clone(m)
				delete(record.Data, "time")
			}
		}
		r.Records = append(r.Records, record)
	}
}
