package drivers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/store"
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
	Suspects []suspect `bson:"suspects"` // twins whose messages failed gravely
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
	Twin twin.ID   `bson:"twin"`
	At   time.Time `bson:"at"` // the last time
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
	v.Suspects = slices.DeleteFunc(v.Suspects, func(s suspect) bool {
		return !s.At.After(past) || in.Grave > 0 && slices.Contains(in.Twins, s.Twin)
	})
	at := now.Truncate(time.Minute)
	if n := len(v.Minutes); n == 0 || !v.Minutes[n-1].At.Equal(at) {
		v.Minutes = append(v.Minutes, minute{At: at})
	}
	m := &v.Minutes[len(v.Minutes)-1]
	m.OK, m.Failed, m.Grave = m.OK+in.OK, m.Failed+in.Failed, m.Grave+in.Grave
	if in.Grave > 0 {
		for _, id := range in.Twins {
			v.Suspects = append(v.Suspects, suspect{id, now})
		}
		v.Suspects = v.Suspects[max(0, len(v.Suspects)-maxSuspects):]
	}
	v.Reason = in.Reason
}

// A verdict is what is to become of a version that fails.
type verdict struct {
	quarantine bool
	block      []twin.ID
	reason     string
}

// judge says whether the version is at fault, or a few twins that alone make it fail; the zero verdict = neither.
func (v *failures) judge(now time.Time) (d verdict) {
	sum := v.since(now)
	switch {
	case sum.Grave >= maxGrave && sum.OK > 0 && len(v.Suspects) <= fewTwins:
		for _, s := range v.Suspects {
			d.block = append(d.block, s.Twin)
		}
		d.reason = v.Reason
	case sum.Grave >= maxGrave:
		d.quarantine = true
		d.reason = fmt.Sprintf("%d grave failures within %d minutes, with messages of %s; the last: %s", sum.Grave, window/time.Minute, countOf(len(v.Suspects)), v.Reason)
	case sum.Failed >= maxFailed && sum.OK == 0:
		d.quarantine = true
		d.reason = fmt.Sprintf("%d messages within %d minutes and none could be read; the last: %s", sum.Failed, window/time.Minute, v.Reason)
	}
	return d
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
	now := f.p.Time()
	v, err := f.failures.Upsert(ctx, failuresID(in.Name, in.Version), func(v *failures, _ bool) error {
		v.add(&in, now)
		return nil
	})
	if err != nil {
		return faas.None{}, err
	}
	return faas.None{}, f.sentence(ctx, in.Name, in.Version, v.judge(now))
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
	return checkVersion(in.Version)
}

// sentence carries out a verdict. A version that nobody uses any more is left as it is.
func (f *function) sentence(ctx context.Context, name, number string, d verdict) error {
	if !d.quarantine && len(d.block) == 0 {
		return nil
	}
	_, v, err := f.change(ctx, name, func(r *record, _ time.Time) (*version, error) {
		v := r.version(number)
		if v == nil || v.State != api.DriverActive && v.State != api.DriverCanary {
			return nil, store.Unchanged
		}
		if d.quarantine || len(v.Blocked)+len(d.block) > maxBlocked {
			v.Was, v.State, v.Reason = v.State == api.DriverActive, api.DriverQuarantined, d.reason
			v.Canary, v.Blocked = api.Canary{}, nil
			return v, nil
		}
		before := len(v.Blocked)
		v.Blocked = append(v.Blocked, d.block...)
		slices.Sort(v.Blocked)
		if v.Blocked = slices.Compact(v.Blocked); len(v.Blocked) == before {
			return nil, store.Unchanged
		}
		v.Reason = d.reason
		return v, nil
	})
	if err != nil || v == nil {
		return err
	}
	f.p.Log.WarnContext(ctx, "a driver misbehaves", "driver", name, "version", number, "state", v.State, "blocked", len(v.Blocked), "reason", v.Reason)
	if v.State == api.DriverQuarantined {
		metrics.DriverStopped(metrics.VersionQuarantined)
		return nil
	}
	metrics.DriverStopped(metrics.TwinsBlocked)
	// What the blocked twins did is settled: others' failures are counted from here on.
	_, err = f.failures.Update(ctx, failuresID(name, number), func(v *failures) error {
		for i := range v.Minutes {
			v.Minutes[i].Grave = 0
		}
		v.Suspects = nil
		return nil
	})
	return err
}
