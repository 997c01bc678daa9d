package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// parseDuration reads a duration as Go writes it, or whole days: 90m, 7d. It is not negative.
func parseDuration(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.ParseUint(n, 10, 16); err == nil {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q must be like 30s, 90m or 7d", s)
}

// A durationValue is the value of a flag that takes what parseDuration reads.
type durationValue[D ~int64] struct{ d *D }

func durationVar[D ~int64](f *pflag.FlagSet, d *D, name, usage string) {
	f.Var(durationValue[D]{d}, name, usage)
}

func (v durationValue[D]) Type() string { return "duration" }

// String is "" for none, so that help names no default.
func (v durationValue[D]) String() string {
	if v.d == nil || *v.d == 0 {
		return ""
	}
	return durationWord(time.Duration(*v.d))
}

// durationWord is a duration as people write it, and parseDuration reads it: 7d, 90s as 1m30s.
func durationWord(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if d%time.Minute == 0 && d >= time.Minute {
		s = strings.TrimSuffix(s, "0s")
	}
	if d%time.Hour == 0 && d >= time.Hour {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (v durationValue[D]) Set(s string) error {
	d, err := parseDuration(s)
	if err == nil {
		*v.d = D(d)
	}
	return err
}
