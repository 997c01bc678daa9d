package declarative

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

func TestOtherFormats(t *testing.T) {
	for name, tt := range map[string]struct{ message, payload, want string }{
		"json": {`{format: json, fields: [{name: t, path: $.env.temp, scale: 0.1}, {name: s, path: state}, {name: on, path: "['is on']", as: bool}, {name: n, path: "$.list[1]"}, {name: last, path: "$.list[-1]"}]}`,
			`{"env":{"temp":215},"state":"ok","is on":"OFF","list":[1,2,3]}`, `{"last":3,"n":2,"on":false,"s":"ok","t":21.5}`},
		"numbers in texts": {`{format: json, fields: [{name: a, path: a, as: number}, {name: b, path: b, scale: 2}, {name: c, path: c, as: number}]}`,
			`{"a":" 12.50","b":"3","c":"no"}`, `{"a":12.5,"b":6} warning: c: "no" is no number`},
		"wildcards": {`{format: json, fields: [{name: "{1}.t", path: "*.Temperature"}]}`,
			`{"Time":"x","AM2301":{"Temperature":21.5},"DS18B20":{"Temperature":4}}`, `{"AM2301.t":21.5,"DS18B20.t":4}`},
		"each": {`{format: json, fields: [{name: b, path: batt}, {each: "$.readings[*]", records: true, fields: [{path: ts, time: ms}, {name: t, path: t}, {name: id, path: $.id}]}]}`,
			`{"id":"x","batt":3,"readings":[{"ts":1772366400000,"t":1},{"ts":1772366400500,"t":2}]}`, `{"b":3} +{"id":"x","t":1} 2026-03-01T12:00:00Z +{"id":"x","t":2} 2026-03-01T12:00:00Z`},
		"lists":              {`{format: json, fields: [{each: "probes.*", name: probes, fields: [{name: t, path: t}, {name: "key", path: k}]}]}`, `{"probes":{"a":{"t":1},"b":{"t":2}}}`, `{"probes":[{"t":1},{"t":2}]}`},
		"a whole object":     {`{format: json, fields: [{name: all, path: $}]}`, `{"a":[1,{"b":null}]}`, `{"all":{"a":[1,{"b":null}]}}`},
		"what is required":   {`{format: json, fields: [{name: a, path: a, required: true}]}`, `{}`, `error: m: a: the message has no a`},
		"what is no json":    {`{format: json, fields: [{name: a, path: a}]}`, `{"a":1} x`, `error: m: the message is no JSON: there is more after its end`},
		"a time as text":     {`{format: json, fields: [{path: Time, time: text, zone: "+01:00"}, {name: a, path: a}]}`, `{"Time":"2026-03-01T13:00:00","a":1}`, `{"a":1} at "2026-03-01T12:00:00Z"`},
		"a time that is no":  {`{format: json, fields: [{path: Time, time: text}, {name: a, path: a}]}`, `{"Time":"2026-03-01T13:00:00","a":1}`, `{"a":1} warning: time: "2026-03-01T13:00:00" is no time; the time of reception counts`},
		"csv":                {`{format: csv, separator: ";", fields: [{name: t, column: 1, as: number}, {name: h, column: 3, scale: 0.1}, {name: no, column: 9}]}`, "21.50;x;655\n", `{"h":65.5,"t":21.5}`},
		"csv with tabs":      {`{format: csv, separator: tab, fields: [{name: t, column: 2}]}`, "a\t\"b c\"", `{"t":"b c"}`},
		"csv with headings":  {`{format: csv, header: true, fields: [{column: ts, time: unix}, {name: t, column: Temp, as: number}]}`, "ts,temp\n1772366400,1\n1772366460,2", `+{"t":1} 2026-03-01T12:00:00Z +{"t":2} 2026-03-01T12:01:00Z`},
		"an expression":      {`{format: text, pattern: '^T=(?P<t>[-0-9.]+);(?:H=(\d+))?', fields: [{name: t, group: t, as: number}, {name: h, group: 2, as: number}]}`, "T=-3.50;H=40", `{"h":40,"t":-3.5}`},
		"another text":       {`{format: text, pattern: '^T=(\d+)$', fields: [{name: t, group: 1}]}`, "x", `error: m: the message does not match ^T=(\d+)$`},
		"the whole text":     {`{format: text, fields: [{name: online, values: {Online: true, Offline: false}}]}`, "Online", `{"online":true}`},
		"hex in text":        {`{encoding: hex, fields: [{name: a, type: u16}]}`, "0102\n", `{"a":258}`},
		"ignored":            {`{ignore: true}`, "x", ``},
		"others are ignored": {`{fields: [{type: u8, value: 1}, {name: a, type: u8}]}, {ignore: true}`, "x", ``},
		"the broken are not": {`{format: json, fields: [{name: a, path: a}]}, {ignore: true}`, "x", `error: m: the message is no JSON: invalid character 'x' looking for beginning of value`},
		"numbers too large": {`{format: json, fields: [{name: a, path: a}, {name: b, path: b}, {name: c, path: c}, {name: d, path: b, scale: 1000}, {name: e, path: e}]}`, `{"a":1e999999,"b":1e308,"c":1e350,"e":[1e350,1]}`,
			`{"b":1e+308,"e":[null,1]} warning: a: cannot be told in JSON warning: c: is larger than any number that is kept warning: d: is larger than any number that is kept`},
		"names of nothing": {`{format: json, fields: [{name: "{1}", path: "POWER*"}]}`, `{"POWER":1,"POWER2":2}`, `{"2":2} warning: "" cannot be the name of a property; its value was left out`},
		"what is deep": {`{format: json, fields: [{name: a, path: a}, {name: b, path: b}]}`, `{"a":` + strings.Repeat("[", 16) + "1" + strings.Repeat("]", 16) + `,"b":` + strings.Repeat("[", 15) + "1" + strings.Repeat("]", 15) + `}`,
			`{"b":` + strings.Repeat("[", 15) + "1" + strings.Repeat("]", 15) + `} warning: a: is nested deeper than 15 levels; it was left out`},
		"topics that nearly fit": {`{topic: ["stat/{other}/x", "{all...}/POWER{n}"], format: text, fields: [{name: other, use: other}, {name: all, use: all}]}`, "ON", `{"all":"stat/plug"}`},
		"parts of topics":        {`{topic: "stat/{device}/POWER{n}", format: text, fields: [{name: "power{n}", as: bool}, {name: device, use: device}]}`, "ON", `{"device":"plug","power2":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := parse(t, "castor: 1\nuplink: [{name: m, "+tt.message[1:]+"]")
			got := told(run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: []byte(tt.payload), Topic: "stat/plug/POWER2"}))
			if strings.ReplaceAll(got, "}at", "} at") != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// What a message makes of a document is bounded, whatever both are.
func TestMessagesAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		fields  string
		message []byte
		want    string
	}{
		"copies of all":       {"format: json\n  fields:\n" + strings.Repeat("  - {name: a, path: $}\n", 100), []byte(`{"a":"` + strings.Repeat("x", 10_000) + `"}`), "262144 bytes"},
		"texts":               {"fields:\n" + strings.Repeat("  - {name: a, type: hex, length: rest, at: 0}\n", 100), make([]byte, 8_000), "262144 bytes"},
		"values":              {"fields: [{repeat: rest, fields: [{name: \"a{n}\", type: u1}]}]", make([]byte, 20_000), "10000 values"},
		"records":             {"fields: [{repeat: rest, records: true, fields: [{name: a, type: u1}]}]", make([]byte, 20_000), "2000 records"},
		"hidden fields":       {"fields: [{repeat: rest, fields: [{name: _a, type: u1}]}]", make([]byte, 200_000), "200000 fields"},
		"stars":               {"format: json\n  fields: [{name: a, path: \"$.*.x\"}, {name: b, path: \"$.*.x\"}]", []byte("[" + strings.Repeat("0,", 130_000) + "0]"), "200000 fields"},
		"a long text":         {"format: text\n  pattern: x\n  fields: [{name: a}]", make([]byte, 20_000), "the message has 20000 bytes, an expression is looked for in at most 4096"},
		"a message":           {"fields: [{name: a, type: u8}]", make([]byte, driver.MaxInput+1), "the message has 262145 bytes, at most 262144 are read"},
		"an element of bytes": {"fields: [{tlv: _a, header: [{name: _a, type: u8}, {name: _l, type: u16}], length: _l, cases: {}, else: fail}]", []byte{1, 0xff, 0xff}, "_l: the element at byte 0 has 65535 bytes, the message ends before"},
		"an element of none":  {"fields: [{tlv: port, header: [{type: skip, length: 0}], cases: {1: []}}]", []byte{1}, "the element at byte 0 takes nothing, so the list would never end"},
	} {
		r := run(t, parse(t, "castor: 1\nuplink:\n  "+tt.fields), driver.Call{Op: driver.DecodeUplink, Bytes: tt.message, Port: 1})
		if len(r.Errors) != 1 || !strings.HasSuffix(r.Errors[0], tt.want) || r.Data != nil || r.Records != nil {
			t.Errorf("%s: %.300s", name, told(r))
		}
	}
}

func TestCBOR(t *testing.T) {
	p := parse(t, `{castor: 1, uplink: {format: cbor, fields: [{name: t, path: $.1, scale: 0.1}, {name: f, path: $.2}, {name: s, path: $.-3.a}, {name: b, path: $.bytes}, {name: n, path: $.5}]}}`)
	// {1: 215, 2: 21.5 in 32 bits, -3: {"a": "x"}, "bytes": h'beef', 5: NaN}
	got := told(run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: unhex(t, "a5 01 18d7 02 fa41ac0000 22 a16161 6178 65 6279746573 42beef 05 f97e00")}))
	if got != `{"b":"beef","f":21.5,"s":"x","t":21.5} warning: n: cannot be told in JSON` {
		t.Error(got)
	}
	// A number of a thousand digits is none.
	huge := append([]byte{0xa1, 0x01, 0xc2, 0x59, 0x02, 0x00, 0xff}, make([]byte, 511)...)
	if got := told(run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: huge})); got != `{} warning: t: cannot be told in JSON` {
		t.Error(got)
	}
	for _, bad := range []string{"", "ff", "a20101 0102", "9b00000000ffffffff", "5b7fffffffffffffff"} {
		if r := run(t, p, driver.Call{Op: driver.DecodeUplink, Bytes: unhex(t, bad)}); len(r.Errors) != 1 {
			t.Errorf("%s: %s", bad, told(r))
		}
	}
}

// What is written is read again: the downlink part of a document is one thing in both directions.
func TestDownlinks(t *testing.T) {
	document := `
castor: 1
downlink:
  - command: interval
    port: 10
    fields:
      - {type: u8, value: 1}
      - {name: minutes, type: u16, endian: little, scale: 1/60, from: min, unit: min, min: 1, max: 1000}
      - {name: mode, type: u8, values: {0: eco, 1: full}, default: eco}
      - {type: u8, bits: [{name: led, bit: 0, default: false}, {name: level, bit: 4, type: u4}]}
  - command: message
    port: 11
    fields:
      - {name: _n, type: u8}
      - {name: text, type: text, length: _n}
      - {name: key, type: hex, length: 2}
  - command: plan
    port: 12
    fields:
      - {name: _n, type: u8}
      - {repeat: _n, name: steps, fields: [{name: at, type: u8}, {name: t, type: i16, scale: 0.5, unit: Cel}]}
  - command: clock
    port: 13
    fields: [{type: u32, time: unix}]
  - command: rpc
    topic: "{device}/rpc"
    format: json
    fields: [{name: on, default: true}, {name: "n", as: number, max: 3}, {name: after, optional: true}]
    payload: {method: Set, id: 1, params: {on: "{on}", channel: "{n}", toggle_after: "{after}", note: "to {n}!"}}
  - command: say
    topic: "cmnd/{device}/POWER{n}"
    format: text
    fields: [{name: on, values: {ON: true, OFF: false}}]
    payload: "{on}"
  - port: 20
    fields:
      - tlv: _t
        header: [{name: _t, type: u8}, {name: _l, type: u8}]
        length: _l
        cases: {1: [{name: low, type: i8}], 2: [{name: high, type: u16}]}
  - command: tail
    port: 14
    fields: [{name: a, type: u8}, {name: b, type: u8, optional: true}, {name: c, type: u8, optional: true}]
  - {command: cbor, port: 30, format: cbor, payload: {1: "{a}", -2: ["{b}", 3], x: true}}
  - {command: hex, port: 31, format: json, encoding: hex, payload: {a: "{a}"}}
  - {topic: "x/{device}/set", format: json, payload: "{_data}", when: {field: state, exists: true}}
`
	p := parse(t, document)
	for name, tt := range map[string]struct {
		data any
		want string
		port int
		on   string // topic
	}{
		"numbers":             {m{"command": "interval", "input": m{"minutes": 10.0, "level": 5.0, "led": true}}, "015802" + "00" + "51", 10, ""},
		"another mode":        {m{"command": "interval", "minutes": 1.0, "mode": "full", "level": 0.0}, "013c000100", 10, ""},
		"texts":               {m{"command": "message", "input": m{"text": "hi", "key": "beef"}}, "026869beef", 11, ""},
		"lists":               {m{"command": "plan", "input": m{"steps": []any{m{"at": 6.0, "t": 21.5}, m{"at": 22.0, "t": -3.0}}}}, "02" + "06002b" + "16fffa", 12, ""},
		"the time":            {m{"command": "clock"}, "69a42a40", 13, ""},
		"type, length, value": {m{"low": -1.0, "high": 300.0}, "0101ff" + "0202012c", 20, ""},
		"a template":          {m{"command": "rpc", "input": m{"n": 2.0}}, `{"id":1,"method":"Set","params":{"channel":2,"note":"to 2!","on":true}}`, 0, "plug/rpc"},
		"a template in full":  {m{"command": "rpc", "input": m{"n": 0.5, "on": false, "after": 5.0}}, `{"id":1,"method":"Set","params":{"channel":0.5,"note":"to 0.5!","on":false,"toggle_after":5}}`, 0, "plug/rpc"},
		"a text":              {m{"command": "say", "input": m{"on": true, "n": 2.0}}, "ON", 0, "cmnd/plug/POWER2"},
		"cbor":                {m{"command": "cbor", "input": m{"a": 21.5, "b": "z"}}, "a3" + "01f94d60" + "2182617a03" + "6178f5", 30, ""},
		"json in hex":         {m{"command": "hex", "input": m{"a": 1.0}}, hex.EncodeToString([]byte(`{"a":1}`)), 31, ""},
		"all that is given":   {m{"state": "ON", "brightness": 128.0}, `{"brightness":128,"state":"ON"}`, 0, "x/plug/set"},
		"no such command":     {m{"command": "x"}, `error: the document has no downlink for the command "x"; it has interval, message, plan, clock, rpc, say, tail, cbor, hex`, 0, ""},
		"nothing is given":    {m{"command": "message", "input": m{"key": "beef"}}, `error: text is missing: give a text`, 0, ""},
		"too much is given":   {m{"command": "clock", "input": m{"x": 1.0}}, `error: x does not fit: clock takes nothing`, 0, ""},
		"outside the limits":  {m{"command": "interval", "minutes": 0.5, "level": 1.0}, `error: minutes is 0.5, must be 1 to 1000 in min`, 0, ""},
		"outside the type":    {m{"command": "interval", "minutes": 2.0, "level": 16.0}, `error: level would be 16 in the message, which holds 0 to 15`, 0, ""},
		"no word of it":       {m{"command": "interval", "minutes": 2.0, "level": 1.0, "mode": "max"}, `error: mode must be one of eco, full`, 0, ""},
		"text for a number":   {m{"command": "interval", "minutes": "2", "level": 1.0}, `error: minutes must be a number in min`, 0, ""},
		"a topic in a value":  {m{"command": "say", "input": m{"on": true, "n": "1/#"}}, `error: n: "1/#" cannot be a part of the topic cmnd/{device}/POWER{n}`, 0, ""},
		"a number of no list": {m{"command": "plan", "input": m{"steps": 1.0}}, `error: steps is missing: give a list of objects`, 0, ""},
		"in a list":           {m{"command": "plan", "input": m{"steps": []any{m{"at": 300.0, "t": 1.0}}}}, `error: steps[0].at would be 300 in the message, which holds 0 to 255`, 0, ""},
		"no object":           {[]any{}, `error: data is a list, and must be an object`, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, p, driver.Call{Op: driver.EncodeDownlink, Data: tt.data, Variables: map[string]string{"device": "plug"}})
			if r.Port != tt.port || r.Topic != tt.on {
				t.Errorf("to port %d, topic %s", r.Port, r.Topic)
			}
			if strings.HasPrefix(tt.want, "error") {
				if told(r) != tt.want {
					t.Errorf("got  %s\nwant %s", told(r), tt.want)
				}
				return
			}
			if got := string(r.Bytes); got != tt.want && hex.EncodeToString(r.Bytes) != tt.want {
				t.Fatalf("got  %s (%x) %s\nwant %s", got, got, told(r), tt.want)
			}
			back := run(t, p, driver.Call{Op: driver.DecodeDownlink, Bytes: r.Bytes, Port: r.Port, Topic: r.Topic})
			again := run(t, p, driver.Call{Op: driver.EncodeDownlink, Data: back.Data, Variables: map[string]string{"device": "plug"}})
			if string(again.Bytes) != string(r.Bytes) || again.Topic != r.Topic {
				t.Errorf("read as %s, written again as %s", told(back), told(again))
			}
		})
	}
}

type m = map[string]any

func TestNormalize(t *testing.T) {
	p := parse(t, `{castor: 1, normalize: {fields: [{path: temp_f, name: air.temperature, from: "[degF]", unit: Cel, decimals: 1}, {path: "probes[*].t", name: "t{1}"}, {path: bad, name: b, max: 3}]}}`)
	r := run(t, p, driver.Call{Op: driver.NormalizeUplink, Data: m{"temp_f": 71.7, "probes": []any{m{"t": 1.0}, m{"t": 2.0}}, "other": "x", "bad": 4.0}})
	if got := told(r); got != `{"air.temperature":22.1,"other":"x","t0":1,"t1":2} warning: b: 4 is outside the limit, at most 3` {
		t.Error(got)
	}
	if r := run(t, p, driver.Call{Op: driver.DecodeUplink}); r.Failure != driver.Missing {
		t.Error(told(r))
	}
}

// Of many commands some are named.
func TestCommandsThatThereAre(t *testing.T) {
	text := "castor: 1\ndownlink:\n"
	for i := range 13 {
		text += fmt.Sprintf("- {command: c%d, fields: [{name: n, type: u8}]}\n", i)
	}
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := `error: the document has no downlink for the command "fly"; it has c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, and 3 more`
	if r := run(t, p, driver.Call{Op: driver.EncodeDownlink, Data: m{"command": "fly"}}); told(r) != want {
		t.Errorf("got %s", told(r))
	}
}

func TestDocumentsDoNotReact(t *testing.T) {
	p, err := Parse([]byte("castor: 1\nuplink: [{fields: [{name: n, type: u8}]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r := run(t, p, driver.Call{Op: driver.OnEvent}); r.Failure != driver.Missing || !strings.Contains(r.Reason, "only drivers in WebAssembly react") {
		t.Errorf("%+v", r)
	}
}
