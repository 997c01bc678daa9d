// Package format reads the payloads that need no driver of their own: JSON and CBOR objects, SenML (RFC 8428), the platform's
// compact CBOR, plain values; and the envelopes in which LoRaWAN network servers pass a device's frame on. Its functions are
// pure: bytes in, values out. What bytes of a device mean that are none of these is said by a driver.
package format

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/fxamacker/cbor/v2"
)

// Name is one of the formats.
type Name string

// The formats that need no driver.
const (
	JSON      Name = "json"       // an object: its names are the properties
	CBOR      Name = "cbor"       // the same in CBOR
	SenMLJSON Name = "senml+json" // RFC 8428, section 5
	SenMLCBOR Name = "senml+cbor" // RFC 8428, section 6
	Compact   Name = "compact"    // CBOR with numbers for properties
	Plain     Name = "plain"      // one number, true or false, or text
)

// Of is the format of a content type; false if it is none of ours.
func Of(contentType string) (Name, bool) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", false
	}
	name, ok := map[string]Name{
		"application/json": JSON, "application/cbor": CBOR, "text/plain": Plain, "application/vnd.castor.compact+cbor": Compact,
		"application/senml+json": SenMLJSON, "application/senml+cbor": SenMLCBOR,
		"application/sensml+json": SenMLJSON, "application/sensml+cbor": SenMLCBOR,
	}[kind]
	return name, ok
}

// Options are what some formats need to know.
type Options struct {
	IDs      IDs       // compact: which number is which property
	Property string    // plain: the property that the value is of; "" = "value"
	Received time.Time // SenML, compact: what relative times are relative to
}

// ErrInvalid is wrapped by all errors about payloads: bytes that are not what they should be.
var ErrInvalid = errors.New("invalid payload")

// Decode reads a payload. The error wraps ErrInvalid and says what is wrong with it.
func Decode(name Name, payload []byte, o Options) (r driver.Result, err error) {
	if len(payload) > driver.MaxInput {
		return r, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(payload), driver.MaxInput)
	}
	switch name {
	case JSON, CBOR:
		object := decodeJSON
		if name == CBOR {
			object = decodeCBOR
		}
		v, err := object(payload)
		if err != nil {
			return r, err
		}
		data, ok := plain(v).(map[string]any)
		if !ok {
			return r, fmt.Errorf("%w: must be an object with names", ErrInvalid)
		}
		return driver.Result{Data: data}, nil
	case SenMLJSON, SenMLCBOR:
		pack, err := DecodeSenML(payload, name, o.Received)
		if err != nil {
			return r, err
		}
		return result(Records(pack)), nil
	case Compact:
		records, unknown, err := DecodeCompact(payload, o.IDs, o.Received)
		if err != nil {
			return r, err
		}
		r = result(records)
		if len(unknown) > 0 {
			r.Warnings = driver.Notes([]string{fmt.Sprintf("the model has no property with the numbers %v", unknown)})
		}
		return r, nil
	case Plain:
		v, err := DecodePlain(payload)
		if err != nil {
			return r, err
		}
		if o.Property == "" {
			o.Property = "value"
		}
		return driver.Result{Data: map[string]any{o.Property: v}}, nil
	}
	return r, fmt.Errorf("%w: there is no format %.40q", ErrInvalid, name)
}

// result makes one record the message itself.
func result(records []driver.Record) driver.Result {
	if len(records) == 1 {
		return driver.Result{Data: records[0].Data, Units: records[0].Units, Time: records[0].Time}
	}
	return driver.Result{Records: records}
}

// DecodePlain reads one value: a finite number, true or false (also on and off), else text in UTF-8.
func DecodePlain(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: must be text in UTF-8", ErrInvalid)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return nil, fmt.Errorf("%w: is empty", ErrInvalid)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) && !strings.ContainsAny(s, "xX_") {
		return f, nil
	}
	switch strings.ToLower(s) {
	case "true", "on":
		return true, nil
	case "false", "off":
		return false, nil
	}
	return s, nil
}

func decodeJSON(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: must be JSON in UTF-8", ErrInvalid)
	}
	v, err := ReadJSON(b, false)
	if err != nil {
		return nil, fmt.Errorf("%w: must be JSON: %w", ErrInvalid, err)
	}
	return v, nil
}

func decodeCBOR(b []byte) (any, error) {
	v, err := ReadCBOR(b)
	if err != nil {
		return nil, fmt.Errorf("%w: must be CBOR: %w", ErrInvalid, err)
	}
	return v, nil
}

// plain makes of decoded CBOR what encoding/json has: numbers are float64, keys are texts, bytes are hexadecimal text, what is no
// finite number is nil.
func plain(v any) any { return telemetry.Plain(v, plainLeaf) }

func plainLeaf(v any) any {
	switch v := v.(type) {
	case []byte:
		return fmt.Sprintf("%x", v)
	case cbor.Tag:
		if f, ok := fractionOf(v); ok {
			return f
		}
		return plain(v.Content)
	case string, bool, nil:
		return v
	}
	if f, ok := float(v); ok {
		return f
	}
	return nil
}

// float is a number of JSON or CBOR; false if it is none or not finite.
func float(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case float64:
		f = v
	case int64:
		f = float64(v)
	case uint64:
		f = float64(v)
	case big.Int:
		f, _ = new(big.Float).SetInt(&v).Float64()
	case cbor.Tag:
		return fractionOf(v)
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// fractionOf is a decimal fraction (RFC 8949, 3.4.4: tag 4, exponent and mantissa).
func fractionOf(t cbor.Tag) (float64, bool) {
	parts, ok := t.Content.([]any)
	if t.Number != 4 || !ok || len(parts) != 2 {
		return 0, false
	}
	e, ok1 := float(parts[0])
	m, ok2 := float(parts[1])
	if !ok1 || !ok2 || math.Abs(e) > 400 || e != math.Trunc(e) || m != math.Trunc(m) {
		return 0, false
	}
	f, err := strconv.ParseFloat(strconv.FormatFloat(m, 'f', 0, 64)+"e"+strconv.Itoa(int(e)), 64)
	return f, err == nil
}
