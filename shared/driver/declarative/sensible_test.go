package declarative

import (
	"errors"
	"testing"
)

// Documents that would run, but cannot mean what they say, are refused to whoever writes them, with what would be right; what was published
// before is read as it is.
func TestWhatCannotBeMeant(t *testing.T) {
	const other = ": give it another name, or say by when which of them counts, like when: {port: 2}"
	for name, tt := range map[string]struct{ message, want string }{
		"a column in a unit":            {"{format: csv, fields: [{name: level, column: 2, unit: cm}]}", "line 2: uplink[0].fields[0].unit is of numbers, and this stays a text: add as: number, or leave unit out"},
		"a group that is rounded":       {"{format: text, pattern: 'T=(.*)', fields: [{name: t, group: 1, decimals: 1}]}", "line 2: uplink[0].fields[0].decimals is of numbers, and this stays a text: add as: number, or leave decimals out"},
		"a text of bytes in a unit":     {"{fields: [{name: t, type: text, length: 4, unit: Cel}]}", "line 2: uplink[0].fields[0].unit is of numbers, and this stays a text: add as: number, or leave unit out"},
		"a text with a scale":           {"{format: csv, fields: [{name: t, column: 1, as: text, scale: 0.1}]}", "line 2: uplink[0].fields[0].scale is of numbers, and as: text makes none: say as: number, or leave scale out"},
		"a truth with limits":           {"{format: json, fields: [{name: t, path: t, as: bool, max: 3}]}", "line 2: uplink[0].fields[0].max is of numbers, and as: bool makes none: say as: number, or leave max out"},
		"a name with a blank":           {"{fields: [{name: temp erature, type: u8}]}", `line 2: uplink[0].fields[0].name "temp erature" must have no white space and none of "<>=!", else no type could have the property: write it like air.temperature`},
		"a bit's name with a blank":     {"{fields: [{type: u8, bits: [{name: door open, bit: 0}]}]}", `line 2: uplink[0].fields[0].bits[0].name "door open" must have no white space and none of "<>=!", else no type could have the property: write it like air.temperature`},
		"a list's name that compares":   {"{fields: [{repeat: 2, name: a>b, fields: [{name: t, type: u8}]}]}", `line 2: uplink[0].fields[0].name "a>b" must have no white space and none of "<>=!", else no type could have the property: write it like air.temperature`},
		"a name filled in, with one":    {"{fields: [{name: _c, type: u8}, {name: 'temp {_c}', type: u8}]}", `line 2: uplink[0].fields[1].name "temp {_c}" must have no white space and none of "<>=!", else no type could have the property: write it like air.temperature`},
		"a name twice":                  {"{fields: [{name: t, type: i16}, {name: h, type: u8}, {name: t, type: u8}]}", `line 2: uplink[0].fields[2].name "t" is the name of uplink[0].fields[0], too, whose value this one would replace` + other},
		"a bit's name twice":            {"{fields: [{name: open, type: u8}, {type: u8, bits: [{name: open, bit: 0}]}]}", `line 2: uplink[0].fields[1].bits "open" is the name of uplink[0].fields[0], too, whose value this one would replace` + other},
		"a name twice in a case":        {"{fields: [{switch: port, cases: {1: [{name: t, type: u8}, {name: t, type: u8}]}}]}", `line 2: uplink[0].fields[0].cases.1[1].name "t" is the name of uplink[0].fields[0].cases.1[0], too, whose value this one would replace` + other},
		"a name of two columns":         {"{format: csv, fields: [{name: t, column: 1}, {name: t, column: 2}]}", `line 2: uplink[0].fields[1].name "t" is the name of uplink[0].fields[0], too, whose value this one would replace` + other},
		"a name of two paths":           {"{format: json, fields: [{name: t, path: a}, {name: t, path: b}]}", `line 2: uplink[0].fields[1].name "t" is the name of uplink[0].fields[0], too, whose value this one would replace: give it another name, or say by when which of them counts, like when: {path: $.t2, exists: true}`},
		"a constant after what is read": {"{format: json, fields: [{name: t, path: a}, {name: t, value: 1}]}", `line 2: uplink[0].fields[1].name "t" is the name of uplink[0].fields[0], too, whose value this one would replace: give it another name, or say by when which of them counts, like when: {path: $.t2, exists: true}`},
	} {
		document := []byte("castor: 1\nuplink: " + tt.message)
		if _, err := Parse(document); err != nil {
			t.Errorf("%s: what ran is not read any more: %v", name, err)
		}
		var faults Faults
		if err := Check(document); !errors.As(err, &faults) || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, tt.want)
		}
	}
	if err := Check([]byte("castor: 1\nnormalize: {fields: [{path: t, name: a b}]}")); err == nil {
		t.Error("normalize gives a name that no type can have")
	}
	if err := Check([]byte("castor: 1\nuplink: {fields: [{name: t, type: u65}]}")); err == nil {
		t.Error("what Parse refuses is taken")
	}
}

// Fields of one name that are alternatives, and units of what becomes a number, are meant.
func TestWhatIsMeant(t *testing.T) {
	for name, messages := range map[string]string{
		"numbers of texts":         "{format: csv, fields: [{name: a, column: 1, as: number, unit: cm}, {name: b, column: 2, from: mV, unit: V}, {name: c, column: 3, max: 5, unit: A}, {column: 4, time: unix}, {name: d, column: 5, values: {1: 20}, unit: Cel}]}",
		"a number in a unit":       "{format: json, fields: [{name: a, path: a, unit: cm, decimals: 1}]}",
		"two messages":             "[{port: 1, fields: [{name: t, type: u8}]}, {port: 2, fields: [{name: t, type: i16}]}]",
		"two topics":               "[{topic: a/b, format: json, fields: [{name: t, path: t}]}, {topic: a/c, format: text, fields: [{name: t, as: number}]}]",
		"conditions":               "{fields: [{name: _k, type: u8}, {name: t, type: i16, when: {field: _k, is: 1}}, {name: t, type: u8, when: {field: _k, is: 2}}]}",
		"what counts otherwise":    "{format: json, fields: [{name: t, path: a}, {name: t, path: b, when: {path: b, exists: true}}]}",
		"a constant to begin with": "{format: json, fields: [{name: kind, value: door}, {name: kind, path: kind}]}",
		"cases":                    "{fields: [{switch: port, cases: {1: [{name: t, type: u8}], 2: [{name: t, type: i16}]}}]}",
		"what may be missing":      "{fields: [{name: t, type: i16, absent: 0x7fff}, {name: t, type: u8, absent: 0}, {name: v, type: u8}, {name: v, type: u16, optional: true}]}",
		"what is not kept":         "{fields: [{name: _, type: u4}, {name: _, type: u4}, {type: skip, length: 1}, {type: skip, length: 1}]}",
		"a name of its own value":  "{fields: [{name: t, type: u8}, {name: t, use: t, values: {1: on}}]}",
		"names that are filled in": "{format: json, fields: [{name: \"{1}.t\", path: \"*.Temp\"}, {name: \"{1}.t\", path: \"*.Temperature\"}]}",
	} {
		if err := Check([]byte("castor: 1\nuplink: " + messages)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, document := range []string{
		"downlink: {command: color temperature, fields: [{name: to what, type: u16, unit: K}]}",
		"downlink: {fields: [{name: a, type: u8}, {name: a, type: u8}]}",
		"normalize: {fields: [{path: temp_f, name: t, from: \"[degF]\", unit: Cel}, {path: temp_c, name: t, unit: Cel}]}",
	} {
		if err := Check([]byte("castor: 1\n" + document)); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
}
