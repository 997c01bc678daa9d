package twinhistory

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one answer.
const (
	defaultLimit = 1000
	maxLimit     = 10_000
	maxSteps     = 10_000
	maxAggs      = 16
)

// A query is what a caller asks for, made whole.
type query struct {
	twin     twin.ID
	property string
	kinds    []telemetry.Kind // none = all
	from, to time.Time
	step     time.Duration
	aggs     []aggregate
	limit    int
	reverse  bool
	csv      bool
	cursor   string // the store's
}

// read makes a query of parameters. Where a cursor is given, the time range is the first page's, whatever "now" has become.
func read(id twin.ID, v url.Values, now time.Time) (q query, err error) {
	q = query{twin: id, property: v.Get("property"), limit: defaultLimit}
	if len(q.property) > telemetry.MaxProperty || strings.ToValidUTF8(q.property, "") != q.property {
		return q, api.Invalid("property must be text of at most %d bytes", telemetry.MaxProperty)
	}
	if q.kinds, err = readKinds(v.Get("kind")); err != nil {
		return q, err
	}
	if err := q.readRange(v, now); err != nil {
		return q, err
	}
	switch v.Get("order") {
	case "", "asc":
	case "desc":
		q.reverse = true
	default:
		return q, api.Invalid("order %.40q must be asc or desc", v.Get("order"))
	}
	switch v.Get("format") {
	case "", "json":
	case "csv":
		q.csv = true
	default:
		return q, api.Invalid("format %.40q must be json or csv", v.Get("format"))
	}
	if s := v.Get("limit"); s != "" {
		if q.limit, err = strconv.Atoi(s); err != nil || q.limit < 1 || q.limit > maxLimit {
			return q, api.Invalid("limit %.20q must be a number from 1 to %d", s, maxLimit)
		}
	}
	return q, q.readStep(v)
}

func readKinds(s string) ([]telemetry.Kind, error) {
	switch k := telemetry.Kind(s); k {
	case "":
		return []telemetry.Kind{telemetry.Telemetry, telemetry.State}, nil
	case "all":
		return nil, nil
	case telemetry.Telemetry, telemetry.State, telemetry.Log, telemetry.Presence, telemetry.Event, telemetry.Response:
		return []telemetry.Kind{k}, nil
	}
	return nil, api.Invalid("kind %.40q must be telemetry, state, log, presence, event, response or all", s)
}

func (q *query) readRange(v url.Values, now time.Time) (err error) {
	if s := v.Get("cursor"); s != "" {
		return q.readCursor(s)
	}
	q.to = now.Add(time.Millisecond) // what came this moment, too
	if s := v.Get("to"); s != "" {
		if q.to, err = readTime("to", s); err != nil {
			return err
		}
	}
	q.from = q.to.Add(-time.Hour)
	if s := v.Get("from"); s != "" {
		if q.from, err = readTime("from", s); err != nil {
			return err
		}
	}
	if !q.from.Before(q.to) {
		return api.Invalid("from %s must be before to %s", q.from.Format(time.RFC3339Nano), q.to.Format(time.RFC3339Nano))
	}
	return nil
}

func readTime(name, s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, api.Invalid("%s %.40q must be a time like 2026-03-21T10:00:00Z", name, s)
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

func (q *query) readStep(v url.Values) (err error) {
	s := v.Get("step")
	if s == "" {
		if v.Get("agg") != "" {
			return api.Invalid("agg goes with step, like step=5m")
		}
		return nil
	}
	if q.step, err = time.ParseDuration(s); err != nil || q.step < time.Millisecond || q.step%time.Millisecond != 0 {
		return api.Invalid("step %.40q must be a duration of at least a millisecond, like 30s, 5m or 24h", s)
	}
	if q.property == "" {
		return api.Invalid("step needs a property to aggregate")
	}
	if n := q.to.Sub(q.from) / q.step; n >= maxSteps {
		least := (q.to.Sub(q.from)/(maxSteps-1) + time.Second - 1).Truncate(time.Second)
		return api.Invalid("step %s makes %d steps of this range, at most %d are answered; ask for a step of %s or more, or a shorter range", q.step, n, maxSteps, max(least, time.Second))
	}
	names := v.Get("agg")
	if names == "" {
		names = "avg"
	}
	for name := range strings.SplitSeq(names, ",") {
		a, err := aggregateOf(name)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(q.aggs, func(b aggregate) bool { return a.name == b.name }) {
			q.aggs = append(q.aggs, a)
		}
	}
	if len(q.aggs) > maxAggs {
		return api.Invalid("agg names %d aggregates, at most %d are answered", len(q.aggs), maxAggs)
	}
	return nil
}

// An aggregate is what a step is summed up to.
type aggregate struct {
	name    string
	percent float64 // of pNN, else NaN
}

var percentPattern = regexp.MustCompile(`^p(100|[0-9]{1,2}(\.[0-9]{1,3})?)$`)

func aggregateOf(name string) (aggregate, error) {
	switch name {
	case "min", "max", "avg", "last", "count", "sum":
		return aggregate{name, math.NaN()}, nil
	}
	if !percentPattern.MatchString(name) {
		return aggregate{}, api.Invalid("agg %.40q must be min, max, avg, last, count, sum or a percentile from p0 to p100, or several by comma", name)
	}
	p, err := strconv.ParseFloat(name[1:], 64)
	return aggregate{name, p}, err
}

// span is the range of keys that hold the query's time.
func (q *query) span() store.Filter {
	return store.And(store.Gte("_id", api.RecordKey(q.twin, q.from)), store.Lt("_id", api.RecordKey(q.twin, q.to)))
}

// A cursor is the first page's time range and the store's own cursor, which knows whether the rest of the query is the same.
func (q *query) next(cursor string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %s", q.from.UnixMilli(), q.to.UnixMilli(), cursor))
}

func (q *query) readCursor(s string) error {
	wrong := api.Invalid("cursor: this is not one; take it from the page before")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(s) > 4096 {
		return wrong
	}
	parts := strings.SplitN(string(b), " ", 3)
	if len(parts) != 3 {
		return wrong
	}
	from, err1 := strconv.ParseInt(parts[0], 10, 64)
	to, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil || from >= to || from < -1e14 || to > 999_999_999_999_999 {
		return wrong
	}
	q.from, q.to, q.cursor = time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC(), parts[2]
	return nil
}
