package declarative

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func parse(t testing.TB, document string) *Program {
	t.Helper()
	p, err := Parse([]byte(document))
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return p
}

func run(t testing.TB, p *Program, c driver.Call) driver.Result {
	t.Helper()
	if c.Time.IsZero() {
		c.Time = at
	}
	r, err := p.Run(context.Background(), []driver.Call{c})
	if err != nil || len(r) != 1 {
		t.Fatal(r, err)
	}
	return r[0]
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// told is a result in one line, so that a table reads well.
func told(r driver.Result) string {
	var parts []string
	add := func(name string, v any) {
		b, _ := json.Marshal(v)
		parts = append(parts, name+string(b))
	}
	if r.Data != nil {
		add("", r.Data)
	}
	if !r.Time.IsZero() {
		add("at ", r.Time)
	}
	for _, rec := range r.Records {
		add("+", rec.Data)
		if !rec.Time.IsZero() {
			parts = append(parts, rec.Time.Format(time.RFC3339))
		}
	}
	if r.Bytes != nil {
		parts = append(parts, hex.EncodeToString(r.Bytes))
	}
	for _, w := range r.Warnings {
		parts = append(parts, "warning: "+w)
	}
	for _, e := range r.Errors {
		parts = append(parts, "error: "+e)
	}
	if r.Failure != "" {
		parts = append(parts, string(r.Failure)+": "+r.Reason)
	}
	return strings.Join(parts, " ")
}

func TestBinary(t *testing.T) {
	for name, tt := range map[string]struct{ fields, bytes, want string }{
		"numbers follow each other":   {`[{name: t, type: i16, scale: 0.1, unit: Cel}, {name: h, type: u8, scale: 0.5}]`, "00d7 83", `{"h":65.5,"t":21.5}`},
		"decimal scales are exact":    {`[{name: a, type: u16, scale: 0.1}, {name: b, type: u8, scale: 0.01, offset: -0.7}, {name: c, type: u8, scale: 1/3}]`, "00d7 46 01", `{"a":21.5,"b":0,"c":0.3333333333333333}`},
		"a negative number":           {`[{name: t, type: i16, scale: 0.1}]`, "ffce", `{"t":-5}`},
		"little endian":               {`[{name: a, type: u16, endian: little}, {name: b, type: i24, endian: little}]`, "0102 feffff", `{"a":513,"b":-2}`},
		"absolute positions":          {`[{name: a, type: u8, at: 2}, {name: b, type: u8, at: 0}, {name: z, type: u16, at: -2}]`, "01020304", `{"a":3,"b":1,"z":772}`},
		"fields of bits":              {`[{name: a, type: u3}, {name: b, type: bool}, {name: c, type: i12}]`, "bfff", `{"a":5,"b":true,"c":-1}`},
		"bits of a number":            {`[{type: u16, endian: little, bits: [{name: open, bit: 0}, {name: n, bit: 4, type: u12}, {name: _, bit: 1}]}]`, "2301", `{"n":18,"open":true}`},
		"signed parts of a number":    {`[{type: u8, bits: [{name: low, bit: 0, type: i4}, {name: high, bit: 4, type: u4}]}]`, "2f", `{"high":2,"low":-1}`},
		"binary coded decimal":        {`[{name: meter, type: bcd32, endian: little, scale: 0.001, unit: m3}]`, "78563412", `{"meter":12345.678}`},
		"bcd that is none":            {`[{name: a, type: bcd8}, {name: b, type: bcd8}]`, "ff 1a", `{} warning: b: 0x1a is no number`},
		"floats as people write them": {`[{name: a, type: f32}, {name: b, type: f64}, {name: c, type: f16}, {name: d, type: f32, endian: little}]`, "3dcccccd 3fb999999999999a 2e66 0000ac41", `{"a":0.1,"b":0.1,"c":0.1,"d":21.5}`},
		"floats that are none":        {`[{name: a, type: f32}, {name: b, type: f16}, {name: c, type: u8}]`, "7fc00000 7c00 01", `{"c":1} warning: a: 0x7fc00000 is no number warning: b: 0x7c00 is no number`},
		"texts":                       {`[{name: a, type: text, length: 4}, {name: _n, type: u8}, {name: b, type: text, length: _n}, {name: c, type: hex, length: rest}]`, "4142 0000 02 4344 beef", `{"a":"AB","b":"CD","c":"beef"}`},
		"what lies between":           {`[{type: skip, length: 2}, {name: a, type: u8}]`, "ffff05", `{"a":5}`},
		"the largest number":          {`[{name: a, type: u64}, {name: b, type: i64}]`, "ffffffffffffffff 8000000000000000", `{"a":18446744073709552000,"b":-9223372036854776000}`},
		"an enumeration":              {`[{name: a, type: u8, values: {0: closed, 0x01: open}}, {name: b, type: u8, values: {1: true, 0: false}}, {name: c, type: u8, values: {1: x}, else: other}, {name: d, type: u8, values: {1: x}}]`, "01010707", `{"a":"open","b":true,"c":"other"} warning: d: 7 is not among its values`},
		"no value":                    {`[{name: a, type: i16, absent: 0xffff}, {name: b, type: u8, absent: [254, 255]}, {name: c, type: u8}]`, "ffff ff 01", `{"c":1}`},
		"limits":                      {`[{name: a, type: u8, max: 100}, {name: b, type: i8, min: -40, max: 85, outside: keep}, {name: c, type: u8, min: 3}]`, "65 80 02", `{"b":-128} warning: a: 101 is outside the limit, at most 100 warning: b: -128 is outside -40 to 85 warning: c: 2 is outside the limit, at least 3`},
		"units":                       {`[{name: t, type: i16, scale: 0.1, from: "[degF]", unit: Cel, decimals: 2}, {name: p, type: u16, from: hPa, unit: kPa}, {name: v, type: u16, from: mV, unit: V}]`, "02cd 03f5 0ce4", `{"p":101.3,"t":22.06,"v":3.3}`},
		"under a condition":           {`[{name: _k, type: u8}, {name: a, type: u8, when: {field: _k, is: 1}}, {name: b, type: u8, when: [{field: _k, not: 1}, {port: 2}]}, {name: c, type: u8, when: {byte: -1, is: 9}}]`, "02 07 09", `{"b":7,"c":9}`},
		"of one case":                 {`[{switch: port, cases: {1: [{name: a, type: u8}], 2: [{name: b, type: u8}]}}]`, "07", `{"b":7}`},
		"of another case":             {`[{name: _k, type: u8}, {switch: _k, cases: {1: []}, else: [{name: x, type: u8}]}]`, "07 05", `{"x":5}`},
		"of no case":                  {`[{name: _k, type: u8}, {switch: _k, cases: {1: []}}]`, "07 05", `error: m: _k is "7": nothing is told of that case`},
		"a list":                      {`[{name: _n, type: u8}, {repeat: _n, name: probes, fields: [{name: t, type: u8}]}, {name: after, type: u8}]`, "02 0a 0b 01", `{"after":1,"probes":[{"t":10},{"t":11}]}`},
		"names with numbers":          {`[{repeat: 2, fields: [{name: "t{n}", type: u8}]}]`, "0a 0b", `{"t1":10,"t2":11}`},
		"history":                     {`[{name: _every, type: u8, scale: 60}, {repeat: rest, records: true, step: -_every, fields: [{name: t, type: u8}]}]`, "0f 0a 0b", `+{"t":10} 2026-03-01T12:00:00Z +{"t":11} 2026-03-01T11:45:00Z`},
		"history with its times":      {`[{repeat: rest, records: true, fields: [{type: u32, time: unix}, {name: t, type: u8}]}]`, "69a42c40 01 69a42c7c 02", `+{"t":1} 2026-03-01T12:08:32Z +{"t":2} 2026-03-01T12:09:32Z`},
		"the time of the message":     {`[{type: u32, time: unix, epoch: "2000-01-01T00:00:00Z"}, {name: a, type: u8}]`, "00000e10 01", `{"a":1}at "2000-01-01T01:00:00Z"`},
		"an age":                      {`[{type: u16, time: age}, {name: a, type: u8}]`, "0078 01", `{"a":1} at "2026-03-01T11:58:00Z"`},
		"a time in digits":            {`[{type: hex, length: 6, time: digits, zone: "+01:00"}, {name: a, type: u8}]`, "260301 130000 01", `{"a":1} at "2026-03-01T12:00:00Z"`},
		"type, length, value":         {`[{tlv: _t, header: [{name: _t, type: u8}, {name: _l, type: u8}], length: _l, cases: {1: [{name: a, type: u8}], 2: [{name: b, type: u16}]}}]`, "01 02 05ff 63 01 00 02 02 0102", `{"a":5,"b":258} warning: the element at byte 4 is of type "99", which is not known; it was left out`},
		"type and value":              {`[{tlv: [_c, _t], header: [{name: _c, type: u8}, {name: _t, type: u8}], cases: {0x01 0x75: [{name: battery, type: u8}], 3 103: [{name: t, type: i16, scale: 0.1, endian: little}]}}]`, "01 75 64 03 67 1001 ff ff 00", `{"battery":100,"t":27.2} warning: the element at byte 7 is of type "255 255", which is not known; what follows it was left out`},
		"optional at the end":         {`[{name: a, type: u8}, {name: b, type: u16, optional: true}]`, "01 02", `{"a":1}`},
		"too short":                   {`[{name: a, type: u8}, {name: b, type: u16}]`, "01 02", `error: m: b: needs bytes 1 to 2, the message has 2 bytes`},
		"a first byte that must be":   {`[{type: u8, value: 2}, {name: a, type: u8}]`, "01 02", `error: m: value does not fit: it is 1, must be 2`},
		"constants":                   {`[{name: kind, value: door}, {name: n, use: port}]`, "", `{"kind":"door","n":2}`},
		"an endless element":          {`[{repeat: rest, fields: [{type: skip, length: 0}]}]`, "01", `error: m: what is repeated takes nothing at byte 0, so it would never end`},
	} {
		t.Run(name, func(t *testing.T) {
			p := parse(t, "castor: 1\nuplink:\n  - name: m\n    fields: "+tt.fields)
			got := told(run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: unhex(t, tt.bytes), Port: 2}))
			if strings.ReplaceAll(got, "}at", "} at") != strings.ReplaceAll(tt.want, "}at", "} at") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
