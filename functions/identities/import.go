package identities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// Bounds of one import.
const (
	maxLines = 50_000
	batch    = 1000 // identities per write
)

// A line is one identity of an import, or why there is none.
type line struct {
	number int
	device.Identity
	fault error
}

// imports takes many identities. A faulty line keeps none of the others out, and importing the same again changes nothing.
func (i *identities) imports(ctx context.Context, c *faas.Call, body []byte) (out api.ImportResult, err error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // as spreadsheets write it
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	var read func([]byte) ([]line, error)
	switch kind {
	case "text/csv":
		read = readCSV
	case "application/x-ndjson":
		read = readNDJSON
	default:
		return out, api.Invalid("Content-Type must be text/csv or application/x-ndjson")
	}
	if n := bytes.Count(body, []byte("\n")); n > maxLines+1 {
		return out, fmt.Errorf("%w: %d lines; one import may have %d, so split it", api.ErrTooLarge, n, maxLines)
	}
	lines, err := read(body)
	if err != nil {
		return out, err
	}
	good := i.normalise(lines, c.Caller.String(), &out)
	for chunk := range slices.Chunk(good, batch) {
		if err := i.keep(ctx, chunk, &out); err != nil {
			return out, err
		}
	}
	slices.SortFunc(out.Faults, func(a, b api.ImportFault) int { return a.Line - b.Line })
	return out, nil
}

// normalise returns the lines that can be kept, each identity once.
func (i *identities) normalise(lines []line, by string, out *api.ImportResult) (good []line) {
	now := i.p.Time()
	first := map[string]int{} // "serial:…", "id:…", "mac:…" → index in good
	for _, l := range lines {
		if l.fault == nil {
			l.fault = l.Normalise()
		}
		if l.fault != nil {
			out.Faults = append(out.Faults, api.ImportFault{Line: l.number, Reason: l.fault.Error()})
			continue
		}
		l.Created, l.By, l.Owner = now, by, ""
		keys := []string{"serial:" + l.Serial, "id:" + string(l.ID)} // an id is most often the serial's: people know the latter
		if l.MAC != "" {
			keys = append(keys, "mac:"+l.MAC)
		}
		at := slices.IndexFunc(keys, func(k string) bool { _, ok := first[k]; return ok })
		switch {
		case at >= 0 && good[first[keys[at]]].Same(&l.Identity):
			out.Unchanged++
		case at >= 0:
			out.Faults = append(out.Faults, api.ImportFault{Line: l.number,
				Reason: fmt.Sprintf("the same %s as line %d, with other data", kindOf(keys[at]), good[first[keys[at]]].number)})
		default:
			for _, k := range keys {
				first[k] = len(good)
			}
			good = append(good, l)
		}
	}
	return good
}

// kindOf is "serial", "id" or "mac", as people call what a key is of.
func kindOf(key string) string {
	kind, _, _ := strings.Cut(key, ":")
	return kind
}

// keep writes one batch.
func (i *identities) keep(ctx context.Context, lines []line, out *api.ImportResult) error {
	all := make([]device.Identity, len(lines))
	for n, l := range lines {
		all[n] = l.Identity
	}
	errs, err := i.known.InsertMany(ctx, all)
	if err != nil {
		return err
	}
	var refused []line
	for n, err := range errs {
		switch {
		case err == nil:
			out.Created++
		case errors.Is(err, store.ErrExists):
			refused = append(refused, lines[n])
		default:
			return err
		}
	}
	if len(refused) == 0 {
		return nil
	}
	all = all[:0]
	for _, l := range refused {
		all = append(all, l.Identity)
	}
	clashes, err := i.clashes(ctx, all)
	if err != nil {
		return err
	}
	for _, l := range refused {
		gone, err := i.giveWay(ctx, clashes, l.Identity)
		if err == nil && gone {
			err = i.known.Insert(ctx, l.Identity)
		}
		if err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
		if gone && err == nil {
			out.Created++
			continue
		}
		if reason := clashes.with(l.Identity); reason == "" {
			out.Unchanged++
		} else {
			out.Faults = append(out.Faults, api.ImportFault{Line: l.number, Reason: reason})
		}
	}
	return nil
}
