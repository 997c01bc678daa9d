package driver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver/unit"
	"github.com/castor-iot/castor/shared/telemetry"
)

// MaxMessages is how many messages one payload can become: connectors set as many orders aside.
const MaxMessages = 500

// Messages are what a result says, as platform messages of which Kind, Time and Samples are set: the records in the frame's order, then
// the data. There are none where the driver has found nothing in the payload. The error says why there is nothing to be had of the
// result: it is of the driver or of the payload, for people, and trying again does not help.
//
// Numbers whose unit the result tells become what they are in the unit that is wanted of their property. One that cannot be converted stays
// as it is, with a warning.
func (r *Result) Messages(kind telemetry.Kind, wanted map[string]string) ([]telemetry.Message, error) {
	switch {
	case r.Failure != "" && r.Reason != "":
		return nil, fmt.Errorf("%s: %s", r.Failure, r.Reason)
	case r.Failure != "":
		return nil, errors.New(string(r.Failure))
	case len(r.Errors) > 0:
		return nil, errors.New(strings.Join(r.Errors, "; "))
	case len(r.Records) >= MaxMessages:
		return nil, fmt.Errorf("the driver made %d records of it, at most %d are taken", len(r.Records), MaxMessages-1)
	}
	var all []telemetry.Message
	add := func(record Record) error {
		if len(record.Data) == 0 {
			return nil
		}
		samples, err := telemetry.Flatten(record.Data)
		if year := record.Time.UTC().Year(); err == nil && !record.Time.IsZero() && (year < 1 || year > 9999) {
			err = fmt.Errorf("its time is in the year %d: times are in the years 1 to 9999", year)
		}
		if err == nil && len(samples) > 0 {
			r.convert(samples, record.Units, wanted)
			all = append(all, telemetry.Message{Kind: kind, Time: record.Time.UTC().Truncate(time.Millisecond), Samples: samples})
		}
		return err
	}
	for i, record := range r.Records {
		if err := add(record); err != nil {
			return nil, fmt.Errorf("record %d that the driver made of it cannot be taken: %w", i+1, err)
		}
	}
	data, ok := r.Data.(map[string]any)
	if !ok && r.Data != nil {
		return nil, fmt.Errorf("the driver returned %s, not an object with the properties' names", text(r.Data))
	}
	if err := add(Record{Time: r.Time, Data: data}); err != nil {
		return nil, fmt.Errorf("what the driver made of it cannot be taken: %w", err)
	}
	return all, nil
}

// convert gives samples the units that are wanted. own are those of their record.
func (r *Result) convert(samples []telemetry.Sample, own, wanted map[string]string) {
	if own == nil {
		own = r.Units
	}
	if len(own) == 0 || len(wanted) == 0 {
		return
	}
	for i := range samples {
		s := &samples[i]
		from, to := own[s.Property], wanted[s.Property]
		v, isNumber := s.Value.(float64)
		if !isNumber || from == "" || to == "" || from == to {
			continue
		}
		now, err := unit.Value(v, from, to)
		if err != nil {
			said := fmt.Sprintf("%s is in %s and stays so, although the type has it in %s: %v", s.Property, from, to, err)
			if !slices.Contains(r.Warnings, said) && len(r.Warnings) < MaxNotes {
				r.Warnings = append(r.Warnings, said)
			}
			continue
		}
		s.Value = now
	}
}
