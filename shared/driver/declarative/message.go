package declarative

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/driver/topic"
	"github.com/fxamacker/cbor/v2"
)

// A message is one of the forms in which a device speaks or is spoken to.
type message struct {
	name     string
	format   Format
	encoding string // "hex", "base64": the bytes are such a text; "" = they are as they are
	ports    []int
	topics   []*topic.Pattern
	when     []condition
	ignore   bool // nothing in it counts

	separator rune // CSV
	header    bool // CSV: the first line has the headings
	pattern   *regexp.Regexp

	steps []step

	command string      // downlink: the command it is for
	only    []condition // downlink: what must hold of the data
	payload any         // downlink: a template; nil = steps are written
	names   map[string]bool

	units map[string]string // of the properties that it gives, where it tells them
}

// decode reads a message by the first form that fits.
func decode(messages []*message, call *driver.Call) driver.Result {
	var reasons []string // why forms that might fit do not
	var last *message    // the form that was opened last, by previous
	var previous *cursor
	ignored, broken := false, false
	for _, m := range messages {
		if m.ports != nil && !slices.Contains(m.ports, call.Port) {
			continue
		}
		c := newCursor(call, len(m.steps))
		if m.topics != nil && !c.cameBy(m.topics) {
			continue
		}
		if m.ignore && m.when == nil {
			ignored = true
			break
		}
		if last != nil && last.alike(m) {
			c.b, c.end, c.root, c.here = previous.b, previous.end, previous.root, previous.root
		} else if err := m.open(c); err != nil {
			reasons, broken = append(reasons, m.name+": "+err.Error()), true
			continue
		}
		if last, previous = m, c; !c.fits(m.when) {
			continue
		}
		if m.ignore {
			ignored = true
			break
		}
		if err := m.read(c); errors.Is(err, errUnfit) {
			reasons = append(reasons, m.name+": "+err.Error())
			continue
		} else if err != nil {
			return failed(fmt.Errorf("%s: %w", m.name, err))
		}
		r := c.result(m.command)
		r.Units = m.units
		return r
	}
	if ignored && !broken { // what is broken must not be lost
		return driver.Result{}
	}
	if len(reasons) > 0 {
		return driver.Result{Errors: driver.Notes(reasons)}
	}
	return failed(fmt.Errorf("no message of the document fits %s on port %d, topic %.100q", octets(len(call.Bytes)), call.Port, call.Topic))
}

// result is what was read; of a downlink that is for a command, the command with its input.
func (c *cursor) result(command string) driver.Result {
	if command != "" {
		c.out.Data = map[string]any{"command": command, "input": c.out.Data}
	}
	r := driver.Result{Time: c.out.Time, Records: c.records, Warnings: c.warnings}
	if len(c.out.Data) > 0 || len(c.records) == 0 {
		r.Data = c.out.Data
	}
	return r
}

// alike tells whether a message that m opened need not be opened anew for other.
func (m *message) alike(other *message) bool {
	return m.format == other.format && m.encoding == other.encoding && m.format != Text
}

// open brings the bytes into the form in which steps look at them.
func (m *message) open(c *cursor) error {
	c.b = c.call.Bytes
	var err error
	switch m.encoding {
	case "hex":
		c.b, err = hex.DecodeString(strings.TrimSpace(string(c.b)))
	case "base64":
		c.b, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(c.b)))
	}
	if err != nil {
		return fmt.Errorf("the message is not %s: %w", m.encoding, err)
	}
	c.end = len(c.b) * 8
	switch m.format {
	case JSON:
		c.root, err = readJSON(c.b)
	case CBOR:
		c.root, err = readCBOR(c.b)
	case Text:
		c.groups, err = m.match(c.b)
	}
	c.here = c.root
	return err
}

func (m *message) read(c *cursor) error {
	switch {
	case m.format == CSV:
		return m.lines(c)
	case m.payload != nil:
		return m.unrender(c)
	}
	return c.steps(m.steps)
}

func (m *message) match(b []byte) ([]string, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("the message is no text in UTF-8")
	}
	if m.pattern == nil {
		return []string{strings.TrimSpace(string(b))}, nil
	}
	if len(b) > maxPattern {
		return nil, fmt.Errorf("the message has %d bytes, an expression is looked for in at most %d", len(b), maxPattern)
	}
	groups := m.pattern.FindStringSubmatch(string(b))
	if groups == nil {
		return nil, fmt.Errorf("the message does not match %s", m.pattern)
	}
	return groups, nil
}

// lines reads each line of a table; several are records, a single one is the message itself.
func (m *message) lines(c *cursor) error {
	r := csv.NewReader(bytes.NewReader(c.b))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.LazyQuotes = m.separator, -1, true, true
	var rows [][]string
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("the message is no table: %w", err)
		}
		for i := range row {
			row[i] = strings.ToValidUTF8(strings.TrimSpace(row[i]), "\uFFFD")
		}
		if m.header && c.header == nil {
			if len(row) > maxColumns {
				return fmt.Errorf("%w: %d columns", errLarge, maxColumns)
			}
			c.header = make(map[string]int, len(row))
			for i := len(row) - 1; i >= 0; i-- { // of two alike the first counts
				c.header[strings.ToLower(row[i])] = i
			}
			continue
		}
		if rows = append(rows, row); len(rows) > maxRecords {
			return fmt.Errorf("%w: %d lines", errLarge, maxRecords)
		}
	}
	if len(rows) == 1 {
		c.row = rows[0]
		return c.steps(m.steps)
	}
	for _, row := range rows {
		c.row = row
		if err := c.separate(c.out.Time, m.steps); err != nil {
			return err
		}
	}
	return nil
}

func readJSON(b []byte) (any, error) {
	v, err := format.ReadJSON(b, true)
	if err != nil {
		return nil, fmt.Errorf("the message is no JSON: %w", err)
	}
	return v, nil
}

func readCBOR(b []byte) (any, error) {
	v, err := format.ReadCBOR(b)
	if err != nil {
		return nil, fmt.Errorf("the message is no CBOR: %w", err)
	}
	return texts(v), nil
}

// texts gives maps texts as keys, whole numbers in digits, and bytes as hexadecimal text.
func texts(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if k, ok := valueOf(k); ok {
				out[keyOf(k)] = texts(e)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = texts(v[i])
		}
	case []byte:
		return hex.EncodeToString(v)
	case cbor.Tag:
		return texts(v.Content)
	}
	return v
}
