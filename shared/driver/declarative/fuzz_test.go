package declarative

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// seeds are documents that use all there is.
var seeds = []string{
	"castor: 1\nuplink: {fields: [{name: a, type: i16, scale: 1/3, offset: -2, from: \"[degF]\", unit: Cel, decimals: 2, min: -40, max: 85, absent: 0x7fff}]}",
	"castor: 1\nuplink: {fields: [{name: _n, type: u3}, {name: b, type: bool}, {name: _, type: u4}, {repeat: _n, records: true, step: -60, fields: [{name: t, type: f16, endian: little}]}, {name: r, type: hex, length: rest}]}",
	"castor: 1\nuplink: {fields: [{tlv: [_a, _b], header: [{name: _a, type: u8}, {name: _b, type: u8}], length: _b, cases: {1 2: [{name: \"x{_a}\", type: bcd8}]}, else: [{name: y, type: text, length: _b}]}]}",
	"castor: 1\nuplink: {format: json, fields: [{name: \"{1}\", path: \"$.*\"}, {each: \"a[*]\", name: l, fields: [{name: t, path: t, time: ms}]}]}",
	"castor: 1\nuplink: {format: cbor, fields: [{name: all, path: $}, {switch: all, cases: {1: []}, else: []}]}",
	"castor: 1\nuplink: {format: csv, header: true, fields: [{name: a, column: b, as: number}]}",
	"castor: 1\nuplink: {format: text, pattern: '(\\d+)', fields: [{name: a, group: 1, time: digits}]}",
	"castor: 1\nuplink: {fields: [{type: u32, time: unix}, {type: u16, bits: [{name: a, bit: 0}, {name: b, bit: 1, type: i4}]}]}",
	"castor: 1\ndownlink: {port: 1, fields: [{name: a, type: i16, scale: 0.1}, {name: s, type: text, length: 4}]}",
	"castor: 1\ndownlink: [{command: x, fields: [{type: u8, value: 1}, {name: _n, type: u8}, {repeat: _n, name: l, fields: [{name: a, type: u4}, {name: b, type: u4, default: 1}]}]}, {fields: [{switch: a, cases: {1: [{name: b, type: hex, length: 1}]}}, {tlv: _t, header: [{name: _t, type: u8}], cases: {1: [{name: a, type: f16, optional: true}]}}]}]",
	"castor: 1\ndownlink: {format: json, topic: \"{device}/set\", payload: {a: \"{a}\", b: \"x{b}y\"}}\nnormalize: {fields: [{path: \"a.*\", name: \"{1}\", scale: 2}]}",
}

// Whatever the document, it is refused with faults that have lines, or it can be run.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	for _, name := range Shipped() {
		document, _ := Document(name)
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		began := time.Now()
		p, err := Parse(document)
		if Check(document) == nil && err != nil {
			t.Fatalf("what is checked is not read: %v", err)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Fatalf("it took %v to read", d)
		}
		if err != nil {
			var faults Faults
			if !errors.As(err, &faults) || len(faults) == 0 || faults[0].Line < 1 {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, op := range []driver.Op{driver.DecodeUplink, driver.DecodeDownlink, driver.EncodeDownlink, driver.NormalizeUplink} {
			try(t, p, driver.Call{Op: op, Bytes: []byte("\x01\x02{\"a\":1}"), Port: 1, Topic: "a/set", Time: at, Data: m{"a": 1.0, "b": "x"}})
		}
	})
}

// try runs a call and looks at what must hold of every answer.
func try(t *testing.T, p *Program, c driver.Call) driver.Result {
	t.Helper()
	began := time.Now()
	results, err := p.Run(context.Background(), []driver.Call{c})
	if err != nil || len(results) != 1 {
		t.Fatal(results, err)
	}
	r := results[0]
	if _, err := json.Marshal(r); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	if len(r.Errors) > 0 && (r.Data != nil || r.Records != nil || r.Bytes != nil) {
		t.Fatalf("errors and data: %+v", r)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Fatalf("it took %v", d)
	}
	return r
}

// Whatever the bytes, a document reads them to an answer that can be told in JSON, soon.
func FuzzRun(f *testing.F) {
	var programs []*Program
	for _, s := range seeds {
		programs = append(programs, parse(f, s))
	}
	for _, name := range Shipped() {
		programs = append(programs, ship(f, name))
	}
	f.Add(uint8(0), 1, "", []byte{0, 0xd7})
	f.Add(uint8(1), 2, "", []byte{0x7f, 1, 2, 3, 4})
	f.Add(uint8(2), 3, "", []byte{1, 2, 0x12, 0x34, 2, 1, 0x41})
	f.Add(uint8(3), 0, "", []byte(`{"a":[{"t":1772366400000}],"b":1e308}`))
	f.Add(uint8(4), 0, "", []byte{0xa1, 0x01, 0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(5), 0, "", []byte("a,b\n1,2\n3,\"4"))
	f.Add(uint8(6), 0, "", []byte("260301120000"))
	f.Add(uint8(11), 0, "", []byte{3, 0x67, 1, 0x10})
	f.Add(uint8(12), 0, "x/events/rpc", []byte(`{"method":"NotifyStatus","params":{"switch:0":{"output":true}}}`))
	f.Add(uint8(13), 0, "tele/x/SENSOR", []byte(`{"A":{"Temperature":1},"TempUnit":"F"}`))
	f.Add(uint8(14), 0, "zigbee2mqtt/a/b", []byte(`{"a":{"b":[1]}}`))
	f.Fuzz(func(t *testing.T, which uint8, port int, topic string, b []byte) {
		p := programs[int(which)%len(programs)]
		r := try(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: b, Port: port, Topic: topic, Time: at})
		for _, rec := range append(r.Records, driver.Record{Time: r.Time}) {
			if !rec.Time.IsZero() && (rec.Time.Before(earliest) || rec.Time.After(latest)) {
				t.Fatal(rec.Time)
			}
		}
		// What is read of a downlink and written again is read alike.
		if r = try(t, p, driver.Call{Op: driver.DecodeDownlink, Bytes: b, Port: port, Topic: topic, Time: at}); r.OK() && r.Data != nil {
			try(t, p, driver.Call{Op: driver.EncodeDownlink, Data: r.Data, Time: at})
		}
		var data any
		if json.Unmarshal(b, &data) == nil {
			try(t, p, driver.Call{Op: driver.EncodeDownlink, Data: data, Time: at})
			try(t, p, driver.Call{Op: driver.NormalizeUplink, Data: data, Time: at})
		}
	})
}

// A number that is written in a shape is read as it was; halves and floats are read as the shortest decimal that they stand for.
func FuzzShapes(f *testing.F) {
	f.Add(uint8(0), uint8(16), 3, -21.5)
	f.Add(uint8(1), uint8(12), 5, 4095.0)
	f.Add(uint8(2), uint8(32), 0, 0.1)
	f.Fuzz(func(t *testing.T, kind, width uint8, pos int, value float64) {
		s := shape{bits: int(width)%64 + 1}
		switch kind % 4 {
		case 0:
			s.kind, s.bits = signed, max(s.bits, 2)
		case 1:
			s.kind = unsigned
		case 2:
			s.kind, s.bits = floating, []int{16, 32, 64}[int(width)%3]
		case 3:
			s.kind, s.bits = digits, int(width)%16*4+4
		}
		s.little = kind >= 128 && s.bits%8 == 0
		x, ok := ofFloat(value, 64)
		if !ok {
			return
		}
		v, err := s.bitsOf(x)
		if err != nil {
			return
		}
		at := (pos & 7)
		if s.little {
			at = 0
		}
		b := make([]byte, 10)
		s.put(b, at, v)
		if got := s.uint(b, at); got != v {
			t.Fatalf("%+v: %x was read as %x", s, v, got)
		}
		back, ok := s.value(v)
		if !ok {
			t.Fatalf("%+v: %x is nothing", s, v)
		}
		again, err := s.bitsOf(back.(number))
		if err != nil || again != v && !(s.kind == floating && value == 0) {
			t.Fatalf("%+v: %v became %x, %v and %x, %v", s, value, v, back, again, err)
		}
		if s.kind != floating && back.(number).float() != math.Round(value) && math.Abs(value) < exact {
			t.Fatalf("%+v: %v was read as %v", s, value, back)
		}
	})
}
