package drivers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/twin"
)

// What ends a version's use, and what of it is counted.
const (
	window      = 10 * time.Minute
	maxGrave    = 10  // grave failures within the window
	maxFailed   = 100 // failures within the window, without one answer
	fewTwins    = 2   // whose messages alone are at fault, while others' are read
	maxBlocked  = 100 // twins of a version; then it is the version that is at fault
	maxSuspects = 50
	maxReported = 20            // twins of one report
	maxCount    = 1_000_000_000 // of one report
	maxSaid     = 500           // bytes of a report's reason
)

// A failures document counts what connectors told of one version.
type failures struct {
	ID       string    `bson:"_id"`      // name@version
	Minutes  []minute  `bson:"minutes"`  // oldest first
	Suspects []suspect `bson:"suspects"` // twins whose messages failed, who failed last behind
	Reason   string    `bson:"reason,omitempty"`
}

// A minute is what came of a version's calls in one minute.
type minute struct {
	At     time.Time `bson:"at"`
	OK     int64     `bson:"ok"`
	Failed int64     `bson:"failed"`
	Grave  int64     `bson:"grave"`
}

type suspect struct {
	Twin  twin.ID   `bson:"twin"`
	At    time.Time `bson:"at"`              // the last time
	Grave time.Time `bson:"grave,omitempty"` // the last time gravely
}

func failuresID(name, version string) string { return name + "@" + version }

// since sums up the window that ends now.
func (v *failures) since(now time.Time) (sum minute) {
	for _, m := range v.Minutes {
		if m.At.After(now.Add(-window)) {
			sum.OK, sum.Failed, sum.Grave = sum.OK+m.OK, sum.Failed+m.Failed, sum.Grave+m.Grave
		}
	}
	return sum
}

// add counts a report, and forgets what is past the window.
func (v *failures) add(in *api.DriverFailures, now time.Time) {
	past := now.Add(-window)
	v.Minutes = slices.DeleteFunc(v.Minutes, func(m minute) bool { return !m.At.After(past) || m.At.After(now) })
	grave := map[twin.ID]time.Time{}
	v.Suspects = slices.DeleteFunc(v.Suspects, func(s suspect) bool {
		grave[s.Twin] = s.Grave
		return !s.At.After(past) || slices.Contains(in.Twins, s.Twin)
	})
	if in.Failed+in.Grave > 0 {
		for _, id := range in.Twins {
			s := suspect{id, now, grave[id]}
			if in.Grave > 0 {
				s.Grave = now
			}
			v.Suspects = append(v.Suspects, s)
		}
		v.Suspects = v.Suspects[max(0, len(v.Suspects)-maxSuspects):]
	}
	at := now.Truncate(time.Minute)
	if n := len(v.Minutes); n == 0 || !v.Minutes[n-1].At.Equal(at) {
		v.Minutes = append(v.Minutes, minute{At: at})
	}
	m := &v.Minutes[len(v.Minutes)-1]
	m.OK, m.Failed, m.Grave = m.OK+in.OK, m.Failed+in.Failed, m.Grave+in.Grave
	v.Reason = in.Reason
}

// A verdict is what is to become of a version that fails.
type verdict struct {
	quarantine bool
	block      []twin.ID // where it is not the version
	failures   int64     // that led to it
	reason     string    // for everybody
	last       string    // failure, for those who write the driver: it may have something of a device's message in it
}

// judge says whether the version is at fault, or a few twins that alone make it fail; the zero verdict = neither. Whatever one device or
// two send, and however often it is told of, ends nobody's use but theirs.
func (v *failures) judge(now time.Time) (d verdict) {
	sum := v.since(now)
	switch {
	case sum.Grave >= maxGrave:
		d.block = v.suspects(func(s suspect) bool { return s.Grave.After(now.Add(-window)) })
		d.reason = fmt.Sprintf("%d grave failures within %d minutes, with messages of %s", sum.Grave, window/time.Minute, countOf(len(d.block)))
	case sum.Failed >= maxFailed && sum.OK == 0:
		d.block = v.suspects(func(s suspect) bool { return s.At.After(now.Add(-window)) })
		d.reason = fmt.Sprintf("%d messages of %s within %d minutes and none could be read", sum.Failed, countOf(len(d.block)), window/time.Minute)
	}
	d.failures, d.last, d.quarantine = sum.Failed+sum.Grave, v.Reason, len(d.block) > fewTwins
	return d
}

func (v *failures) suspects(are func(suspect) bool) (ids []twin.ID) {
	for _, s := range v.Suspects {
		if are(s) {
			ids = append(ids, s.Twin)
		}
	}
	return ids
}

func countOf(twins int) string {
	switch {
	case twins == 1:
		return "1 twin"
	case twins >= maxSuspects:
		return fmt.Sprintf("%d twins or more", maxSuspects)
	}
	return fmt.Sprintf("%d twins", twins)
}

// report takes what a connector tells of a driver that fails. It counts for twins that are at its gateway and use this version now: a
// gateway says nothing about drivers of devices that are not its own. A report may come twice, which is counted twice: quarantine
// comes a little early then.
func (f *function) report(ctx context.Context, c *faas.Call, in api.DriverFailures) (faas.None, error) {
	if err := checkReport(c.Caller.Gateway, &in); err != nil {
		return faas.None{}, err
	}
	ids, err := f.at(ctx, in.Gateway, in.Twins)
	if err != nil {
		return faas.None{}, err
	}
	used, err := f.used(ctx, ids)
	if err != nil {
		return faas.None{}, err
	}
	in.Twins = nil
	for _, u := range used {
		if u.Name == in.Name && u.Version == in.Version && u.Parked == "" {
			in.Twins = append(in.Twins, u.Twin)
		}
	}
	if len(in.Twins) == 0 {
		return faas.None{}, nil // another version is theirs by now, or it is in quarantine already
	}
	return faas.None{}, f.tally(ctx, &in)
}

// tally counts failures and carries out what is to become of the version.
func (f *function) tally(ctx context.Context, in *api.DriverFailures) error {
	now := f.p.Time()
	v, err := f.failures.Upsert(ctx, failuresID(in.Name, in.Version), func(v *failures, _ bool) error {
		v.add(in, now)
		return nil
	})
	if err != nil {
		return err
	}
	return f.sentence(ctx, in.Name, in.Version, v.judge(now))
}

func checkReport(gateway string, in *api.DriverFailures) error {
	switch {
	case in.Gateway != gateway:
		return api.Invalid("gateway %.80q must be the connector's own, %s", in.Gateway, gateway)
	case twin.ID(in.Name).Valid() != nil:
		return api.Invalid("name %.80q cannot be a driver's", in.Name)
	case len(in.Twins) > maxReported:
		return api.Invalid("twins: at most %d, not %d", maxReported, len(in.Twins))
	}
	for _, n := range []struct {
		field string
		of    int64
	}{{"ok", in.OK}, {"failed", in.Failed}, {"grave", in.Grave}} {
		if n.of < 0 || n.of > maxCount {
			return api.Invalid("%s %d must be 0 to %d", n.field, n.of, maxCount)
		}
	}
	in.Reason = strings.ToValidUTF8(in.Reason[:min(len(in.Reason), maxSaid)], "")
	return wrong(driver.CheckVersion(in.Version))
}
