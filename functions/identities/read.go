package identities

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/twin"
)

// columns of a CSV, by the names of the JSON fields.
var columns = map[string]func(*device.Identity, string){
	"id":     func(i *device.Identity, s string) { i.ID = twin.ID(s) },
	"serial": func(i *device.Identity, s string) { i.Serial = s },
	"mac":    func(i *device.Identity, s string) { i.MAC = s },
	"model":  func(i *device.Identity, s string) { i.Model = s },
	"maker":  func(i *device.Identity, s string) { i.Maker = s },
	"type":   func(i *device.Identity, s string) { i.Type = s },
	"made":   func(i *device.Identity, s string) { i.Made = s },
	"notes":  func(i *device.Identity, s string) { i.Notes = s },
}

const columnNames = "id, serial, mac, model, maker, type, made, notes"

// readCSV reads RFC 4180 with a header line. A fault in the header is the whole import's, else the line's.
func readCSV(body []byte) (lines []line, err error) {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if err != nil {
		return nil, api.Invalid("the first line must be a header of the columns, of which there are %s", columnNames)
	}
	for n, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if columns[name] == nil {
			return nil, api.Invalid("the first line must be a header; %.40q is no column, there are %s", name, columnNames)
		}
		if slices.Contains(header[:n], name) {
			return nil, api.Invalid("the header has column %s twice", name)
		}
		header[n] = name
	}
	if !slices.Contains(header, "serial") {
		return nil, api.Invalid("the header lacks column serial; there are %s", columnNames)
	}
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return lines, nil
		}
		var bad *csv.ParseError
		l := line{}
		switch {
		case errors.As(err, &bad):
			l.number, l.fault = bad.StartLine, fmt.Errorf("%w: not good CSV: %w", twin.ErrInvalid, bad.Err)
		case err != nil:
			return nil, err
		default:
			l.number, _ = r.FieldPos(0)
			l.fault = l.fill(header, fields)
		}
		lines = append(lines, l)
		if len(lines) > maxLines {
			return nil, fmt.Errorf("%w: one import may have %d lines, so split it", api.ErrTooLarge, maxLines)
		}
	}
}

func (l *line) fill(header, fields []string) error {
	if len(fields) != len(header) {
		return api.Invalid("%d columns where the header has %d", len(fields), len(header))
	}
	for n, f := range fields {
		if !utf8.ValidString(f) {
			return api.Invalid("%s is not UTF-8 text", header[n])
		}
		columns[header[n]](&l.Identity, strings.TrimSpace(f))
	}
	return nil
}

// readNDJSON reads one JSON object per line; empty lines do not count.
func readNDJSON(body []byte) (lines []line, err error) {
	for n, text := range bytes.Split(body, []byte("\n")) {
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		l := line{number: n + 1}
		switch {
		case len(text) > 1<<16:
			l.fault = api.Invalid("it has %d bytes, more than any identity", len(text))
		case !utf8.Valid(text):
			l.fault = api.Invalid("it is not UTF-8 text")
		default:
			l.fault = faas.JSON(text, &l.Identity)
		}
		lines = append(lines, l)
	}
	return lines, nil
}
