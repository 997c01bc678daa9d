// Package replay plays recorded devices: it provisions as many as are asked for, each through the provisioning gateway like any
// other, and sends a recorded series through their connections. It has no way into the platform of its own.
package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A Row is one line of a recorded series.
type Row struct {
	At   time.Time
	Data map[string]any
}

// stamps are the forms of time that recordings have; times without a zone count as UTC.
var stamps = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "01/02/2006 15:04:05", "2006-01-02"}

// maxRows bounds what is read into memory.
const maxRows = 5_000_000

// Read reads a series from CSV with a header line. The first column is the time (RFC 3339, "2006-01-02 15:04:05" or Unix seconds);
// every other column is a property, a number where it can be read as one. Empty cells are left out. Rows keep their order, also
// where the recording steps back in time. An error names the line.
func Read(r io.Reader) ([]Row, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return nil, api.Invalid("the recording has no header line: %v", err)
	}
	names := append([]string(nil), head...)
	if len(names) < 2 {
		return nil, api.Invalid("line 1: a recording has a time column and at least one property, separated by commas")
	}
	for i, n := range names {
		names[i] = strings.TrimPrefix(strings.TrimSpace(n), "\ufeff")
	}
	var rows []Row
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, api.Invalid("%v", err)
		}
		line, _ := c.FieldPos(0)
		at, err := parseTime(record[0])
		if err != nil {
			return nil, api.Invalid("line %d: %q is not a time like 2013-12-02 21:15:00", line, record[0])
		}
		data := make(map[string]any, len(names)-1)
		for i, cell := range record[1:] {
			if cell = strings.TrimSpace(cell); cell != "" {
				data[names[i+1]] = value(cell)
			}
		}
		if len(rows) >= maxRows {
			return nil, fmt.Errorf("%w: the recording has more than %d rows; split it", api.ErrTooLarge, maxRows)
		}
		rows = append(rows, Row{at, data})
	}
	if len(rows) == 0 {
		return nil, api.Invalid("the recording has a header and no rows")
	}
	return rows, nil
}

func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, form := range stamps {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n > 1e11 {
		return time.Time{}, errors.New("not a time")
	}
	return time.UnixMilli(int64(n * 1000)).UTC(), nil
}

func value(s string) any {
	if v, err := strconv.ParseFloat(s, 64); err == nil && v-v == 0 {
		return v
	}
	switch s {
	case "true", "True":
		return true
	case "false", "False":
		return false
	}
	return s
}
