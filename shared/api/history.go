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
