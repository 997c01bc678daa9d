package declarative

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A document that is refused says where, what, and what would be right.
func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct{ document, want string }{
		"nothing":                              {"", "line 1: document is neither YAML nor JSON: EOF"},
		"no YAML":                              {"castor: [1", "line 1: document is neither YAML nor JSON: did not find expected ',' or ']'"},
		"no object":                            {"- 1", "line 1:  must be an object with keys and values\nline 1: castor must be 1, the version of this language\nline 1: uplink is missing: a document has uplink, downlink or normalize"},
		"two documents":                        {"castor: 1\n---\ncastor: 1", "line 1: document must be one object"},
		"an unknown key":                       {"castor: 1\nuplink:\n  fields:\n    - {name: a, type: u8, scal: 2}", "line 4: uplink[0].fields[0].scal is not known here; there are absent, as, at, bits, decimals, default, else, endian, epoch, from, length, max, min, name, offset, optional, outside, required, scale, time, type, unit, use, value, values, when, zone"},
		"a path among bytes":                   {"castor: 1\nuplink:\n  fields: [{path: t, type: u8, name: a}]", "line 3: uplink[0].fields[0].path is not known here, it goes with format: json or cbor at the message; there are absent, as, at, bits, decimals, default, else, endian, epoch, from, length, max, min, name, offset, optional, outside, required, scale, time, type, unit, use, value, values, when, zone"},
		"a key twice":                          {"castor: 1\nuplink:\n  fields:\n    - name: a\n      name: b\n      type: u8", "line 5: uplink[0].fields[0].name is given twice; keep one"},
		"no such type":                         {"castor: 1\nuplink:\n  fields: [{name: a, type: u65}]", `line 3: uplink[0].fields[0].type "u65" is no type; there are u1 to u64, i2 to i64, f16, f32, f64, bcd4 to bcd64, bool, text, hex and skip`},
		"no such unit":                         {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, from: furlong, unit: m}]", `line 3: uplink[0].fields[0].from cannot be converted: nothing is known of the unit "furlong"; known are [ft_i], [in_i], [mi_i], [nmi_i], [yd_i], cm, dm, km, m, mm, um`},
		"units of two things":                  {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, from: hPa, unit: m}]", `line 3: uplink[0].fields[0].from cannot be converted: hPa is a pressure and m a length; from hPa one may convert to MPa, Pa, [psi], atm, bar, cm[H2O], hPa, kPa, m[H2O], m[Hg], mbar, mm[Hg]`},
		"a scale of a universe":                {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, scale: 1e300}]", "line 3: uplink[0].fields[0].scale has more digits than anybody measures"},
		"an expression of many states":         {"castor: 1\nuplink:\n  format: text\n  pattern: '(.{900}x)(.{900}y)(.{900}z)'\n  fields: [{name: a}]", "line 4: uplink[0].pattern has too many states, all patterns together at most 2000: repeat less"},
		"a scale of nothing":                   {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, scale: 0}]", "line 3: uplink[0].fields[0].scale must not be 0"},
		"no number":                            {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, scale: ten, min: 1/0}]", "line 3: uplink[0].fields[0].scale must be a number like 0.1 or a fraction like 1/3\nline 3: uplink[0].fields[0].min must be a number like 0.1 or a fraction like 1/3"},
		"bits that are little endian":          {"castor: 1\nuplink:\n  endian: little\n  fields: [{name: a, type: u12}]", "line 4: uplink[0].fields[0].type of 12 bits cannot be little endian: read whole bytes and take them apart by bits"},
		"a text without a length":              {"castor: 1\nuplink:\n  fields: [{name: a, type: text}]", "line 3: uplink[0].fields[0].length must be a number of bytes, a field that has it, or rest"},
		"a bit outside":                        {"castor: 1\nuplink:\n  fields: [{type: u8, bits: [{name: a, bit: 5, type: u4}]}]", "line 3: uplink[0].fields[0].bits[0].bit must be the lowest bit of it, from 0 (the least significant), and within the 8 bits"},
		"a position where fields follow":       {"castor: 1\nuplink:\n  fields: [{repeat: 2, fields: [{name: a, type: u8, at: 1}]}]", "line 3: uplink[0].fields[0].fields[0].at cannot stand in repeat or tlv, where fields follow each other"},
		"no path":                              {"castor: 1\nuplink:\n  format: json\n  fields: [{name: a, path: 'a..b'}]", `line 4: uplink[0].fields[0].path "a..b" must be a path like $.readings[0].value, a.b or *['two words']`},
		"no topic":                             {"castor: 1\nuplink:\n  topic: a/#/b\n  ignore: true", "line 3: uplink[0].topic # must be the last level"},
		"a topic with half a name":             {"castor: 1\nuplink:\n  topic: a/{b\n  ignore: true", `line 3: uplink[0].topic level "{b" must hold one {name} of its own, like {device}, POWER{n} or {device...}`},
		"no expression":                        {"castor: 1\nuplink:\n  format: text\n  pattern: '('\n  fields: [{name: a}]", "line 4: uplink[0].pattern must be a regular expression (RE2) of at most 50 groups: error parsing regexp: missing closing ): `(`"},
		"a group that is not there":            {"castor: 1\nuplink:\n  format: text\n  pattern: 'x'\n  fields: [{name: a, group: t}]", `line 4: uplink[0].pattern has no group "t"`},
		"a condition of nothing":               {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, when: {is: 1}}]", "line 3: uplink[0].fields[0].when must say what is compared (field, path or byte) and with what (is, not or exists)"},
		"replaced and scaled":                  {"castor: 1\nuplink:\n  fields: [{name: a, type: u8, scale: 2, values: {1: x}}]", "line 3: uplink[0].fields[0].values replaces the value: it cannot stand beside scale, offset, from, decimals, min or max"},
		"a name with half a brace":             {"castor: 1\nuplink:\n  fields: [{name: 'a{b', type: u8}]", "line 3: uplink[0].fields[0].name must have names of fields in braces, like temperature_{_channel}, or {1} for what the first * stands for"},
		"no case":                              {"castor: 1\nuplink:\n  fields: [{switch: port}]", "line 3: uplink[0].fields[0].cases is missing: what there is for each value"},
		"a case twice":                         {"castor: 1\nuplink:\n  fields: [{switch: port, cases: {1: [], 0x1: []}}]", "line 3: uplink[0].fields[0].cases.0x1 must be 1 values with a blank between, each case once"},
		"a downlink whose length is a mystery": {"castor: 1\ndownlink:\n  fields: [{name: a, type: text, length: n}]", `line 3: downlink[0].fields has a length in "n", which must be a field of the message and measure a text`},
		"a downlink of json without one":       {"castor: 1\ndownlink:\n  format: json\n  fields: [{name: a}]", "line 3: downlink[0].payload is missing: what is sent in the format json is told by a payload"},
		"a time of nowhere":                    {"castor: 1\nuplink:\n  fields: [{type: u32, time: unix, zone: Mars}]", `line 3: uplink[0].fields[0].zone must be like "Z" or "+01:00", and stand beside time: digits or text`},
		"names of nothing": {"castor: 1\nuplink:\n  fields: [{name: 'a{x}', type: u8, when: {field: y, is: 1}}, {switch: z, cases: {}}, {repeat: q, fields: [{name: b, type: u8}]}]", `line 3: uplink[0].fields asks for "y" in when, which is neither a field of the message nor a part of its topic
line 3: uplink[0].fields asks for "x" in the name a{x}, which is neither a field of the message nor a part of its topic
line 3: uplink[0].fields asks for "z" in switch, which is neither a field of the message nor a part of its topic
line 3: uplink[0].fields asks for "q" in repeat, which is neither a field of the message nor a part of its topic`},
		"a constant of no width":  {"castor: 1\ndownlink:\n  fields: [{name: a, value: 1}]", "line 3: downlink[0].fields[0].type must tell how the value lies in the bytes, like u16, i16, f32, bool, text, hex or skip"},
		"groups beside a payload": {"castor: 1\ndownlink:\n  format: json\n  payload: x\n  fields: [{fields: []}]", "line 5: downlink[0].fields beside a payload must be fields that say what its names are, not groups of them"},
		"a star of nothing":       {"castor: 1\nuplink:\n  format: json\n  fields: [{name: 'a{2}', path: '*.x'}]", "line 4: uplink[0].fields has {2} in the name a{2}, but no path with so many stars"},
		"too deep":                {"castor: 1\nuplink: {fields: " + strings.Repeat("[{fields: ", 9) + "[]" + strings.Repeat("}]", 9) + "}", "line 2: uplink[0]" + strings.Repeat(".fields[0]", 8) + ".fields is nested deeper than 8 groups"},
	} {
		_, err := Parse([]byte(tt.document))
		var faults Faults
		if !errors.As(err, &faults) || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, tt.want)
		}
	}
}

// A document in JSON is as good as one in YAML, tabs and all.
func TestJSONDocuments(t *testing.T) {
	parse(t, "{\n\t\"castor\": 1,\n\t\"uplink\": [{\"fields\": [{\"name\": \"a\", \"type\": \"u8\", \"values\": {\"0\": \"off\"}}]}]\n}")
}

// Whatever the document, reading it ends soon: aliases multiply nothing.
func TestDocumentsAreBounded(t *testing.T) {
	if _, err := Parse(make([]byte, MaxDocument+1)); err == nil || !strings.Contains(err.Error(), "at most 262144") {
		t.Error(err)
	}
	var bomb strings.Builder
	bomb.WriteString("castor: 1\nnote: x\nuplink:\n- fields: &a0\n  - {name: a, type: u8}\n")
	for i := 1; i < 8; i++ {
		fmt.Fprintf(&bomb, "- fields: &a%d\n", i)
		for range 20 {
			fmt.Fprintf(&bomb, "  - fields: *a%d\n", i-1)
		}
	}
	if _, err := Parse([]byte(bomb.String())); err == nil || !strings.Contains(err.Error(), "more than 2000 fields") {
		t.Error(err)
	}
	many := "castor: 1\nuplink:\n  fields:\n" + strings.Repeat("  - {nam: a}\n", 100)
	if _, err := Parse([]byte(many)); len(err.(Faults)) != maxFaults {
		t.Errorf("%d faults are told", len(err.(Faults)))
	}
	if _, err := Parse([]byte("castor: 1\nuplink: &a\n  fields:\n  - fields: [*a]\n  - *a")); err == nil {
		t.Error("a document that holds itself was taken")
	}
}
