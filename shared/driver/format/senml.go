package format

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// A Measurement is a resolved SenML record (RFC 8428, 4.6): no base fields, no relative times.
type Measurement struct {
	Name  string // base name and name
	Label string // the record's own name, as it stands there; "" if the base name is all of it
	Unit  string // one of SenML's, which are nearly UCUM's; "" = not told

	// Value is a float64, string, bool or []byte; nil if there is only a sum.
	Value any

	Sum    *float64      // the value integrated over time, in Unit times seconds; nil = not told
	Time   time.Time     // when it was measured, UTC
	Update time.Duration // the longest time until the next one; 0 = not told
}

// maxVersion is the version of SenML that RFC 8428 defines.
const maxVersion = 10

// maxMeasurements bounds a pack.
const maxMeasurements = 2_000

// labels are the numbers that stand for labels in CBOR (RFC 8428, table 4).
var labels = map[int64]string{-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
	0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}

// DecodeSenML reads a pack in SenMLJSON or SenMLCBOR and resolves it: base fields are applied, times are absolute, relative ones
// being relative to received, and the measurements are in the order of their times. The error wraps ErrInvalid.
func DecodeSenML(b []byte, encoding Name, received time.Time) ([]Measurement, error) {
	decode := decodeJSON
	if encoding == SenMLCBOR {
		decode = decodeCBOR
	}
	v, err := decode(b)
	if err != nil {
		return nil, err
	}
	records, ok := v.([]any)
	if !ok || len(records) > maxMeasurements {
		return nil, fmt.Errorf("%w: SenML must be a list of at most %d records", ErrInvalid, maxMeasurements)
	}
	pack := make([]Measurement, 0, len(records))
	base := base{received: received}
	for i, r := range records {
		fields, err := fieldsOf(r)
		if err == nil {
			err = base.add(&pack, fields)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrInvalid, i+1, err)
		}
	}
	slices.SortStableFunc(pack, func(a, b Measurement) int { return a.Time.Compare(b.Time) })
	return pack, nil
}

// fieldsOf is a record by the labels of JSON.
func fieldsOf(record any) (map[string]any, error) {
	if r, ok := record.(map[string]any); ok {
		return r, nil
	}
	r, ok := record.(map[any]any)
	if !ok {
		return nil, fmt.Errorf("must be an object")
	}
	fields := make(map[string]any, len(r))
	for k, v := range r {
		name, isText := k.(string)
		switch n := k.(type) {
		case int64:
			name = labels[n]
		case uint64:
			name = labels[int64(min(n, 99))]
		}
		if !isText && name == "" {
			return nil, fmt.Errorf("has the label %.20s, which SenML does not know", fmt.Sprint(k))
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("has %s twice, as text and as number", name)
		}
		fields[name] = v
	}
	return fields, nil
}

// base is what applies to the records that follow.
type base struct {
	name, unit       string
	time, value, sum float64
	hasSum           bool
	version          float64
	received         time.Time
}

// add applies a record's base fields and appends the measurement that it has.
func (b *base) add(pack *[]Measurement, r map[string]any) error {
	rec := record{fields: r}
	version := b.version
	rec.text("bn", &b.name)
	rec.text("bu", &b.unit)
	rec.number("bt", &b.time)
	rec.number("bv", &b.value)
	b.hasSum = rec.number("bs", &b.sum) || b.hasSum
	if rec.number("bver", &version); version < 0 || version > maxVersion || b.version != 0 && version != b.version {
		return fmt.Errorf("bver must be a version up to %d, the same in all records", maxVersion)
	}
	b.version = version

	var m Measurement
	var at, update, sum, value float64
	rec.text("n", &m.Label)
	if m.Unit = b.unit; rec.text("u", &m.Unit) && m.Unit == "" {
		m.Unit = b.unit
	}
	rec.number("t", &at)
	rec.number("ut", &update)
	hasSum := rec.number("s", &sum)
	values := rec.values(&m, &value)
	for label := range r {
		if strings.HasSuffix(label, "_") {
			return fmt.Errorf("%.40q must be understood (RFC 8428, 4.4), and is not", label)
		}
	}
	switch _, isNumber := m.Value.(float64); {
	case rec.err != nil:
		return rec.err
	case values > 1:
		return fmt.Errorf("must have one of v, vs, vb and vd")
	case values == 0 && !hasSum:
		if _, named := r["n"]; named || rec.has("t", "u", "ut") {
			return fmt.Errorf("has no value: v, vs, vb, vd or s")
		}
		return nil // base fields for those that follow
	case isNumber:
		if m.Value = add(b.value, value); !isFinite(m.Value.(float64)) {
			return fmt.Errorf("bv and v together must be a finite number")
		}
	}
	if hasSum || b.hasSum && rec.has("v") {
		total := add(b.sum, sum)
		if m.Sum = &total; !isFinite(total) {
			return fmt.Errorf("bs and s together must be a finite number")
		}
	}
	if m.Name = b.name + m.Label; !isSenMLName(m.Name) {
		return fmt.Errorf("the name %.80q must be letters, digits and - : . / _ and begin with a letter or digit", m.Name)
	}
	if update < 0 || update > 1e9 {
		return fmt.Errorf("ut must be seconds from 0")
	}
	m.Update = time.Duration(update * 1e9)
	var err error
	m.Time, err = b.at(add(b.time, at))
	*pack = append(*pack, m)
	return err
}

func isFinite(f float64) bool { return !math.IsInf(f, 0) } // sums of finite numbers are never NaN

// at is a time of SenML: below 2**28 it is relative to now (RFC 8428, 4.5.3).
func (b *base) at(seconds float64) (time.Time, error) {
	if seconds > 253402300799 || seconds < -1e10 {
		return time.Time{}, fmt.Errorf("t is no time: %g", seconds)
	}
	whole := int64(seconds)
	fraction := time.Duration((seconds - float64(whole)) * 1e9).Round(time.Microsecond)
	if seconds < 1<<28 {
		whole, fraction = whole+b.received.Unix(), fraction+time.Duration(b.received.Nanosecond()) // a Duration has no more than 292 years
	}
	return time.Unix(whole, int64(fraction)).UTC(), nil
}

// A record reads the fields of one record and keeps the first fault.
type record struct {
	fields map[string]any
	err    error
}

func (r *record) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { _, ok := r.fields[n]; return ok })
}

func (r *record) text(label string, to *string) bool {
	v, ok := r.fields[label]
	if !ok {
		return false
	}
	if s, isText := v.(string); isText && len(s) <= 256 {
		*to = s
	} else if r.err == nil {
		r.err = fmt.Errorf("%s must be a text of at most 256 bytes", label)
	}
	return true
}

func (r *record) number(label string, to *float64) bool {
	v, ok := r.fields[label]
	if !ok {
		return false
	}
	if f, isNumber := float(v); isNumber {
		*to = f
	} else if r.err == nil {
		r.err = fmt.Errorf("%s must be a finite number", label)
	}
	return true
}

// values reads the value fields and counts them.
func (r *record) values(m *Measurement, number *float64) (n int) {
	if r.number("v", number) {
		m.Value = *number
		n++
	}
	if v, ok := r.fields["vs"]; ok {
		if m.Value, ok = v.(string); !ok {
			r.err = fmt.Errorf("vs must be a text")
		}
		n++
	}
	if v, ok := r.fields["vb"]; ok {
		if m.Value, ok = v.(bool); !ok {
			r.err = fmt.Errorf("vb must be true or false")
		}
		n++
	}
	if v, ok := r.fields["vd"]; ok {
		b, isBytes := v.([]byte)
		if s, isText := v.(string); isText {
			var err error
			b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
			isBytes = err == nil
		}
		if !isBytes {
			r.err = fmt.Errorf("vd must be bytes, in JSON as base64 for URLs")
		}
		m.Value = b
		n++
	}
	return n
}

// add adds as people do on paper: 20 and 0.3 are 20.3, whatever their nearest float64s add up to.
func add(a, b float64) float64 {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	}
	x, _ := new(big.Rat).SetString(strconv.FormatFloat(a, 'g', -1, 64)) // of finite numbers, always good
	y, _ := new(big.Rat).SetString(strconv.FormatFloat(b, 'g', -1, 64))
	f, _ := x.Add(x, y).Float64()
	return f
}

func isSenMLName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("-:./_", rune(c))) {
			return false
		}
	}
	return s != ""
}

// Property is the property that a measurement is of: the last part of its own name after : or /, else its unit, by which SenML
// tells values of one name apart ("lat", "lon"), else "value".
func (m *Measurement) Property() string {
	name := m.Label[strings.LastIndexAny(m.Label, ":/")+1:]
	if name == "" {
		name = m.Unit
	}
	if name == "" {
		name = "value"
	}
	return name
}

// Records are the measurements by time, bytes as hexadecimal text, of properties as Properties has them. A measurement of a property that
// the record has already is a record of its own, so that none is lost.
func Records(pack []Measurement) (records []driver.Record) {
	properties := Properties(pack)
	for i, m := range pack {
		value := m.Value
		if b, ok := value.([]byte); ok {
			value = fmt.Sprintf("%x", b)
		}
		data := map[string]any{}
		name := properties[i]
		if value != nil {
			data[name] = value
		}
		if m.Sum != nil {
			data[name+".sum"] = *m.Sum
		}
		if n := len(records) - 1; n >= 0 && records[n].Time.Equal(m.Time) && !overlap(records[n].Data, data) {
			maps.Copy(records[n].Data, data)
		} else {
			records = append(records, driver.Record{Time: m.Time, Data: data})
		}
		if u := m.ucum(); u != "" && value != nil {
			last := &records[len(records)-1]
			if last.Units == nil {
				last.Units = map[string]string{}
			}
			last.Units[name] = u
		}
	}
	return records
}

func overlap(a, b map[string]any) bool {
	for k := range b {
		if _, ok := a[k]; ok {
			return true
		}
	}
	return false
}
