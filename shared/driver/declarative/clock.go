package declarative

import (
	"fmt"
	"strings"
	"time"
)

// A clock is how a time is written.
type clock struct {
	kind  string // one of clocks
	epoch time.Time
	zone  *time.Location // of texts without one; nil = such texts are refused
}

// clocks are the forms of times: seconds or milliseconds since the epoch, digits YYMMDDhhmmss or YYYYMMDDhhmmss, text as in RFC 3339,
// seconds before the message was received.
var clocks = []string{"unix", "ms", "digits", "text", "age"}

func (o *object) clock() *clock {
	kind := o.word("time", clocks...)
	k := &clock{kind: kind, epoch: time.Unix(0, 0).UTC()}
	if s := o.text("epoch", 40); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil || kind != "unix" && kind != "ms" {
			o.bad("epoch", "must be like 2000-01-01T00:00:00Z, and stand beside time: unix or ms")
		}
		k.epoch = t
	}
	if s := o.text("zone", 6); s != "" {
		t, err := time.Parse("Z07:00", s)
		if err != nil || kind != "digits" && kind != "text" {
			o.bad("zone", "must be like \"Z\" or \"+01:00\", and stand beside time: digits or text")
		} else {
			_, offset := t.Zone()
			k.zone = time.FixedZone("", offset)
		}
	}
	if kind == "" {
		return nil
	}
	return k
}

// earliest and latest are the times a device can mean; what is outside is refused, because years above 9999 cannot be written.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// read is the time that v stands for, received being when the message came.
func (k *clock) read(v any, received time.Time) (t time.Time, err error) {
	switch k.kind {
	case "unix", "ms", "age":
		x, ok := asNumber(v)
		if k.kind == "ms" {
			x = line{p: 1, d: 1000}.of(x)
		}
		seconds := x.float()
		if !ok || seconds < 0 || seconds > 3e11 {
			return t, fmt.Errorf("%s is no time", short(v))
		}
		d := time.Duration(0)
		if fraction := seconds - float64(int64(seconds)); fraction != 0 {
			d = time.Duration(fraction * 1e9).Round(time.Microsecond)
		}
		if k.kind == "age" {
			t = received.Add(-d).Add(-1 * time.Second * time.Duration(min(int64(seconds), 1<<32)))
		} else {
			t = time.Unix(k.epoch.Unix()+int64(seconds), int64(d))
		}
	case "digits":
		t, err = k.digits(keyOf(v))
	case "text":
		t, err = k.text(keyOf(v))
	}
	if t = t.UTC(); err != nil || t.Before(earliest) || t.After(latest) {
		return time.Time{}, fmt.Errorf("%s is no time", short(v))
	}
	return t, nil
}

func (k *clock) digits(s string) (time.Time, error) {
	zone := k.zone
	if zone == nil {
		zone = time.UTC
	}
	if len(s) == 14 {
		return time.ParseInLocation("20060102150405", s, zone)
	}
	return time.ParseInLocation("060102150405", s, zone)
}

func (k *clock) text(s string) (time.Time, error) {
	s = strings.Replace(strings.TrimSpace(s), " ", "T", 1)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil && k.zone != nil {
		return time.ParseInLocation("2006-01-02T15:04:05", s, k.zone)
	}
	return t, err
}

// write is the time as a value of the message, read in reverse; digits have the year with its century.
func (k *clock) write(t, now time.Time) any {
	zone := k.zone
	if zone == nil {
		zone = time.UTC
	}
	switch k.kind {
	case "unix":
		return whole(t.Unix() - k.epoch.Unix())
	case "ms":
		return whole(t.UnixMilli() - k.epoch.UnixMilli())
	case "age":
		return whole(int64(now.Sub(t) / time.Second))
	case "digits":
		return t.In(zone).Format("20060102150405")
	}
	return t.In(zone).Format(time.RFC3339)
}
