package wasm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/fxamacker/cbor/v2"
)

// Version is the version of the interface, which is in every call and every answer.
const Version = 1

// asked is what a module is given (docs/drivers-wasm.md has it as CDDL).
type asked struct {
	Version   int               `cbor:"version"`
	Op        driver.Op         `cbor:"op"`
	Bytes     *[]byte           `cbor:"bytes,omitempty"`
	Port      int               `cbor:"port,omitempty"`
	Topic     string            `cbor:"topic,omitempty"`
	Time      *int64            `cbor:"time,omitempty"` // Unix milliseconds
	Kind      telemetry.Kind    `cbor:"kind,omitempty"`
	Data      any               `cbor:"data,omitempty"`
	State     []byte            `cbor:"state,omitempty"`
	Variables map[string]string `cbor:"variables,omitempty"`
}

// deterministic is RFC 8949, 4.2.1, but for floats: they have 64 bits, so that small decoders need no others.
var deterministic = func() cbor.EncMode {
	m, err := cbor.EncOptions{Sort: cbor.SortCoreDeterministic, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden}.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

func question(c driver.Call) ([]byte, error) {
	q := asked{Version: Version, Op: c.Op, Port: c.Port, Topic: c.Topic, State: c.State, Variables: c.Variables}
	switch c.Op {
	case driver.DecodeUplink, driver.DecodeDownlink:
		if q.Bytes = &c.Bytes; c.Bytes == nil {
			q.Bytes = &[]byte{}
		}
	default:
		if c.Op == driver.OnEvent {
			q.Kind = cmp.Or(c.Kind, telemetry.Telemetry)
		}
		var err error
		if q.Data, err = numbers(c.Data); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	if !c.Time.IsZero() {
		ms := c.Time.UnixMilli()
		q.Time = &ms
	}
	return deterministic.Marshal(q)
}

// numbers makes integers of whole numbers, which JSON does not tell from others.
func numbers(v any) (any, error) {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 && !(v == 0 && math.Signbit(v)) {
			return int64(v), nil
		}
		return v, nil
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil, err
		}
		return numbers(f)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for k := range v {
			var err error
			if object[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return v, nil
}

// moment is at which time the driver's clock stands.
func moment(c driver.Call) time.Time {
	if c.Time.IsZero() {
		return time.Now()
	}
	return c.Time
}

// A reply is what Call answers: what the module said, as it said it, or why it said nothing.
type reply struct {
	Out     []byte         `cbor:"1,keyasint,omitempty"`
	Failure driver.Failure `cbor:"2,keyasint,omitempty"`
	Reason  string         `cbor:"3,keyasint,omitempty"`
	Log     []string       `cbor:"4,keyasint,omitempty"`
}

func pack(r reply) string {
	b, err := deterministic.Marshal(r)
	if err != nil {
		panic(err) // bytes and texts can be said in CBOR
	}
	return string(b)
}

func refuse(f driver.Failure, reason string, log []string) string {
	return pack(reply{Failure: f, Reason: driver.Notes([]string{reason})[0], Log: log})
}
