package telemetry

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// Flatten turns decoded JSON or CBOR into samples sorted by property; nested objects become dotted names
// ("cpu":{"percent":5} → cpu.percent), array elements get their index (disks.0.used). Numbers become float64.
//
// It returns twin.ErrInvalid, naming the property, for what cannot be a value or is over a bound.
func Flatten(data map[string]any) ([]Sample, error) {
	out, err := flatten(make([]Sample, 0, min(len(data), MaxSamples)), "", data, 0)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Sample) int { return strings.Compare(a.Property, b.Property) })
	for i := 1; i < len(out); i++ {
		if out[i].Property == out[i-1].Property {
			return nil, fmt.Errorf("%w: property %q is given twice", twin.ErrInvalid, out[i].Property)
		}
	}
	return out, nil
}

func flatten(out []Sample, name string, v any, depth int) ([]Sample, error) {
	var err error
	join := func(k string) string {
		if name == "" {
			return k
		}
		return name + "." + k
	}
	if len(name) > MaxProperty {
		return nil, fmt.Errorf("%w: property %.128q must have a name of 1 to %d bytes", twin.ErrInvalid, name, MaxProperty)
	}
	if depth > 16 {
		return nil, fmt.Errorf("%w: property %.128q is nested deeper than 16 levels", twin.ErrInvalid, name)
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if out, err = flatten(out, join(k), e, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[any]any:
		for k, e := range v {
			if out, err = flatten(out, join(fmt.Sprint(k)), e, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		for i, e := range v {
			if out, err = flatten(out, join(fmt.Sprint(i)), e, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	s := Sample{Property: name, Value: v}
	if err := s.normalise(); err != nil {
		return nil, err
	}
	if len(out) >= MaxSamples {
		return nil, fmt.Errorf("%w: more than %d values in one message", twin.ErrInvalid, MaxSamples)
	}
	return append(out, s), nil
}

// Normalise checks samples that were made elsewhere and brings their numbers to float64.
func Normalise(samples []Sample) error {
	if len(samples) > MaxSamples {
		return fmt.Errorf("%w: %d values in one message, at most %d are taken", twin.ErrInvalid, len(samples), MaxSamples)
	}
	for i := range samples {
		if err := samples[i].normalise(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sample) normalise() error {
	if s.Property == "" || len(s.Property) > MaxProperty {
		return fmt.Errorf("%w: property %.128q must have a name of 1 to %d bytes", twin.ErrInvalid, s.Property, MaxProperty)
	}
	if strings.ContainsFunc(s.Property, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("%w: property %q must not have control characters", twin.ErrInvalid, s.Property)
	}
	switch v := s.Value.(type) {
	case nil, bool:
	case string:
		if len(v) > MaxText {
			return fmt.Errorf("%w: property %q has %d bytes of text, at most %d are taken", twin.ErrInvalid, s.Property, len(v), MaxText)
		}
		s.Value = strings.ToValidUTF8(v, "\uFFFD")
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: property %q must be a finite number", twin.ErrInvalid, s.Property)
		}
	case float32:
		s.Value = float64(v)
		return s.normalise()
	case int:
		s.Value = float64(v)
	case int64:
		s.Value = float64(v)
	case int32:
		s.Value = float64(v)
	case uint64:
		s.Value = float64(v)
	default:
		return fmt.Errorf("%w: property %q must be a number, true or false, or text, not %T", twin.ErrInvalid, s.Property, v)
	}
	return nil
}
