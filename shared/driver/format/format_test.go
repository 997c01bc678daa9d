package format

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

var ids = IDs{1: "temperature", 2: "humidity", 3: "open", 4: "label", 300: "count"}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		format        Name
		payload, want string
	}{
		"json":                   {JSON, `{"a":{"b":1.5},"c":"x","d":[1,true,null]}`, `map[a:map[b:1.5] c:x d:[1 true <nil>]]`},
		"json that is no object": {JSON, `[1]`, `invalid payload: must be an object with names`},
		"json with more":         {JSON, `{} {}`, `invalid payload: must be JSON: there is more after its end`},
		"cbor":                   {CBOR, "hex:a3 6161 f93e00 01 42beef 6163 c4822103", `map[1:beef a:1.5 c:0.03]`},
		"cbor, not a number":     {CBOR, "hex:a1 6161 f97e00", `map[a:<nil>]`},
		"cbor, a key twice":      {CBOR, "hex:a2 6161 01 6161 02", `invalid payload: must be CBOR: `},
		"a number":               {Plain, " -21.50\n", `map[value:-21.5]`},
		"true":                   {Plain, "ON", `map[value:true]`},
		"text":                   {Plain, "hello world", `map[value:hello world]`},
		"infinity is text":       {Plain, "inf", `map[value:inf]`},
		"nothing":                {Plain, " ", `invalid payload: is empty`},
		"compact":                {Compact, "hex:a4 01 f94d60 02 1837 03 f5 04 6178", `map[humidity:55 label:x open:true temperature:21.5]`},
		"compact with a time":    {Compact, "hex:a2 00 1a69a42a40 02 01", `map[humidity:1] 2026-03-01T12:00:00Z`},
		"compact with an age":    {Compact, "hex:a2 00 383b 02 01", `map[humidity:1] 2026-03-01T11:59:00Z`},
		"compact, several":       {Compact, "hex:82 a2 00 38 3b 02 01 a1 02 02", `+map[humidity:1] 2026-03-01T11:59:00Z +map[humidity:2]`},
		"compact, a new number":  {Compact, "hex:a2 02 01 18 63 05", `map[humidity:1] warning: the model has no property with the numbers [99]`},
		"compact, a text as key": {Compact, "hex:a1 6161 01", `invalid payload: record 1: the key a must be a whole number from 0`},
		"compact, a map within":  {Compact, "hex:a1 01 a0", `invalid payload: record 1: 1: must be a finite number, true or false, text, bytes or null`},
		"no such format":         {"xml", "x", `invalid payload: there is no format "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			payload := []byte(tt.payload)
			if h, is := strings.CutPrefix(tt.payload, "hex:"); is {
				payload, _ = hex.DecodeString(strings.ReplaceAll(h, " ", ""))
			}
			r, err := Decode(tt.format, payload, Options{IDs: ids, Received: now})
			var got []string
			if r.Data != nil {
				got = append(got, fmt.Sprint(r.Data))
			}
			if !r.Time.IsZero() {
				got = append(got, r.Time.Format(time.RFC3339))
			}
			for _, rec := range r.Records {
				got = append(got, fmt.Sprintf("+%v", rec.Data))
				if !rec.Time.IsZero() {
					got = append(got, rec.Time.Format(time.RFC3339))
				}
			}
			for _, w := range r.Warnings {
				got = append(got, "warning: "+w)
			}
			if err != nil {
				got = append(got, err.Error())
				if !errors.Is(err, ErrInvalid) {
					t.Error("not ErrInvalid")
				}
			}
			if g := strings.Join(got, " "); g != tt.want && (err == nil || !strings.HasPrefix(g, tt.want)) {
				t.Errorf("got  %s\nwant %s", g, tt.want)
			}
		})
	}
	if _, err := Decode(Plain, make([]byte, driver.MaxInput+1), Options{}); !errors.Is(err, ErrInvalid) {
		t.Error("a payload that is too large was read")
	}
	if n, ok := Of("application/senml+json; charset=utf-8"); !ok || n != SenMLJSON {
		t.Error(n, ok)
	}
	if n, ok := Of("image/png"); ok {
		t.Error(n)
	}
}

// What is written in the compact form is read as it was.
func TestCompactComesBack(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	value := func() any {
		switch r.Intn(5) {
		case 0:
			return r.Intn(2) == 0
		case 1:
			return fmt.Sprint(r.Int())
		case 2:
			return float64(r.Intn(200_000) - 100_000)
		case 3:
			return float64(r.Intn(100_000)) / 100
		}
		return r.NormFloat64()
	}
	for range 2_000 {
		records := make([]driver.Record, 1+r.Intn(3))
		for i := range records {
			records[i].Data = map[string]any{}
			for _, name := range ids {
				if r.Intn(2) == 0 {
					records[i].Data[name] = value()
				}
			}
			if r.Intn(2) == 0 {
				records[i].Time = time.UnixMilli(1 + r.Int63n(4e12)).UTC()
			}
		}
		b, err := EncodeCompact(records, ids)
		if err != nil {
			t.Fatal(err)
		}
		back, unknown, err := DecodeCompact(b, ids, now)
		if err != nil || unknown != nil || !reflect.DeepEqual(back, records) {
			t.Fatalf("%v\n%v\n%x %v %v", records, back, b, unknown, err)
		}
	}
	if _, err := EncodeCompact([]driver.Record{{Data: map[string]any{"strange": 1.0}}}, ids); err == nil || err.Error() != "strange: the model gives it no number from 1" {
		t.Error(err)
	}
}
