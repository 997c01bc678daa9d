package twin

import (
	"fmt"
	"time"
)

// A Duration is a time.Duration that reads and writes as Go writes it ("1m30s"), in JSON and YAML. In the store it is nanoseconds.
type Duration time.Duration

// D is the duration as time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String is Go's notation, without zero units: "1m", "1h30m".
func (d Duration) String() string {
	s := time.Duration(d).String()
	for _, z := range []string{"m0s", "h0m"} {
		if n := len(s) - len(z); n > 0 && s[n:] == z {
			s = s[:n+1]
		}
	}
	return s
}

// MarshalText writes Go's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads Go's notation; negative durations are ErrInvalid.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%w: duration %.40q must be like \"30s\", \"5m\" or \"1h30m\"", ErrInvalid, string(b))
	}
	*d = Duration(v)
	return nil
}
