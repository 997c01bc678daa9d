package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Record is one message as history keeps it.
type Record struct {
	// ID is "twin|time|epoch|seq" in sortable form, or with a hash of the samples where the device has no order of its own.
	ID       string             `json:"-" bson:"_id"`
	Twin     twin.ID            `json:"twin" bson:"t"`
	Kind     telemetry.Kind     `json:"kind" bson:"k"`
	At       time.Time          `json:"at" bson:"at"` // the device's; the platform's where it gives none
	Received time.Time          `json:"received" bson:"rx"`
	Order    twin.Order         `json:"order" bson:"o"`
	Flag     twin.Flag          `json:"flag,omitempty" bson:"f,omitempty"`
	Samples  []telemetry.Sample `json:"samples" bson:"d"`

	// Trace is that of the call which brought the message: it finds the message's way in the logs of all processes.
	Trace string `json:"trace,omitempty" bson:"tr,omitempty"`
}

// RecordKey is where the ids of a twin's records of a time begin; keys sort as times do, for all times from 1970 to 33658.
func RecordKey(id twin.ID, at time.Time) string {
	const zeros = "000000000000000"
	ms := strconv.FormatInt(max(at.UnixMilli(), 0), 10)
	return string(id) + "|" + zeros[min(len(ms), len(zeros)):] + ms
}

// HistoryQuery asks for the history of one twin.
type HistoryQuery struct {
	Twin     twin.ID
	Property string        // "" = all properties (not with Step)
	Kind     string        // "" = telemetry and state; "all", "log", "presence", "event" …
	From, To time.Time     // zero From = 1 h before To; zero To = now. From is included, To is not
	Step     time.Duration // 0 = raw records
	Agg      string        // with Step: min, max, avg, last, count, sum, p50, p90, p95, p99 (any pNN); several by comma
	Limit    int           // raw records per page; 0 = 1,000, at most 10,000
	Reverse  bool          // newest first
	Cursor   string
}

func (q HistoryQuery) values(format string) string {
	t := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	step, limit, order := "", "", ""
	if q.Step > 0 {
		step = q.Step.String()
	}
	if q.Limit > 0 {
		limit = fmt.Sprint(q.Limit)
	}
	if q.Reverse {
		order = "desc"
	}
	return query("property", q.Property, "kind", q.Kind, "from", t(q.From), "to", t(q.To), "step", step, "agg", q.Agg,
		"limit", limit, "order", order, "cursor", q.Cursor, "format", format)
}

// Bucket is one step of an aggregated history: the value of each aggregate asked for. Steps without a reading are left out.
type Bucket struct {
	At     time.Time          `json:"at"` // its beginning
	Count  int                `json:"count"`
	Values map[string]float64 `json:"values"`
}

// SeriesQuery asks for several properties of a twin over the same time, as a chart draws them.
type SeriesQuery struct {
	Twin       twin.ID
	Properties []string      // 1 to 16
	From, To   time.Time     // zero From = 1 h before To; zero To = now
	Points     int           // at most so many steps, of a length that people count in; 0 = 300, at most 2,000
	Step       time.Duration // instead of Points
}

// Series is several properties over one time, in steps.
type Series struct {
	From   time.Time        `json:"from"`
	To     time.Time        `json:"to"`
	Step   twin.Duration    `json:"step"`
	Series []PropertySeries `json:"series"` // in the order asked for

	// Next is where to go on, with the same Step, where the time held more than one answer takes; zero at the end.
	Next time.Time `json:"next,omitzero"`
}

// PropertySeries is one property, by time. Steps without a reading are left out.
type PropertySeries struct {
	Property string  `json:"property"`
	Points   []Point `json:"points"`
}

// Point sums up the readings of one step. Text has a Count alone; true is 1 and false is 0.
type Point struct {
	At    time.Time `json:"at"` // the step's beginning
	Count int       `json:"count"`
	Min   *float64  `json:"min,omitempty"`
	Avg   *float64  `json:"avg,omitempty"`
	Max   *float64  `json:"max,omitempty"`
	Last  *float64  `json:"last,omitempty"`
}

// Series returns several properties in steps.
func (c *Client) Series(ctx context.Context, q SeriesQuery) (out Series, err error) {
	v := url.Values{"property": q.Properties}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Points > 0 {
		v.Set("points", strconv.Itoa(q.Points))
	}
	if q.Step > 0 {
		v.Set("step", q.Step.String())
	}
	return out, c.Call(ctx, "GET", "twin-history", "/twins/"+url.PathEscape(string(q.Twin))+"/series?"+v.Encode(), nil, &out)
}

// History pages through raw records.
func (c *Client) History(ctx context.Context, q HistoryQuery) (out Page[Record], err error) {
	return out, c.Call(ctx, "GET", "twin-history", "/twins/"+url.PathEscape(string(q.Twin))+q.values(""), nil, &out)
}

// Aggregate returns one property's history in steps.
func (c *Client) Aggregate(ctx context.Context, q HistoryQuery) (out Page[Bucket], err error) {
	return out, c.Call(ctx, "GET", "twin-history", "/twins/"+url.PathEscape(string(q.Twin))+q.values(""), nil, &out)
}

// HistoryCSV is History or Aggregate (when Step is set) as text/csv: all pages of it, at most 64 MiB.
func (c *Client) HistoryCSV(ctx context.Context, q HistoryQuery) ([]byte, error) {
	var all []byte
	for {
		resp, err := c.Do(ctx, "GET", "twin-history", "/twins/"+url.PathEscape(string(q.Twin))+q.values("csv"), nil, nil)
		if err != nil {
			return nil, err
		}
		page, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		resp.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w: %w", q.Twin, ErrUnavailable, err)
		}
		if all != nil { // the header is there already
			_, page, _ = bytes.Cut(page, []byte("\n"))
		}
		if all = append(all, page...); len(all) >= maxAnswer {
			return nil, fmt.Errorf("history of %s: %w: more than %d bytes; ask for a shorter range", q.Twin, ErrTooLarge, maxAnswer)
		}
		if q.Cursor = nextOf(resp.Header.Get("Link")); q.Cursor == "" {
			return all, nil
		}
	}
}

// nextOf is the cursor in a Link header (RFC 8288) that names a next page.
func nextOf(link string) string {
	target, ok := strings.CutSuffix(link, `>; rel="next"`)
	if !ok {
		return ""
	}
	_, values, _ := strings.Cut(target, "?")
	v, err := url.ParseQuery(values)
	if err != nil {
		return ""
	}
	return v.Get("cursor")
}
