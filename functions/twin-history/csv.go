package twinhistory

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// csvReply answers rows as text/csv (RFC 4180). Where there is a next page, header Link names it (RFC 8288), relative to
// this one.
func csvReply(c *faas.Call, next string, rows [][]string) faas.Reply {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.WriteAll(rows) // a buffer takes everything
	r := faas.Reply{Header: http.Header{"Content-Type": {"text/csv; charset=utf-8; header=present"}}, Body: b.Bytes()}
	if next != "" {
		q := url.Values{}
		for k, v := range c.Query {
			q[k] = v
		}
		q.Set("cursor", next)
		r.Header.Set("Link", "<?"+q.Encode()+`>; rel="next"`)
	}
	return r
}

// recordRows has a row for every value.
func recordRows(records []api.Record) [][]string {
	rows := [][]string{{"time", "received", "kind", "epoch", "seq", "flag", "property", "value"}}
	for _, r := range records {
		head := []string{stamp(r.At), stamp(r.Received), string(r.Kind), strconv.FormatInt(r.Order.Epoch, 10), strconv.FormatInt(r.Order.Seq, 10), string(r.Flag)}
		for _, s := range r.Samples {
			rows = append(rows, append(head[:len(head):len(head)], s.Property, text(s.Value)))
		}
	}
	return rows
}

// bucketRows has a row for every step and a column for every aggregate.
func bucketRows(q query, buckets []api.Bucket) [][]string {
	head := []string{"time", "readings"}
	for _, a := range q.aggs {
		head = append(head, a.name)
	}
	rows := [][]string{head}
	for _, b := range buckets {
		row := []string{stamp(b.At), strconv.Itoa(b.Count)}
		for _, a := range q.aggs {
			cell := ""
			if v, ok := b.Values[a.name]; ok {
				cell = number(v)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// text is a value as CSV has it; nil, which removed a property, is empty.
func text(v any) string {
	switch v := v.(type) {
	case float64:
		return number(v)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return ""
}
