package format

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// show is a pack in one line for each measurement.
func show(pack []Measurement) string {
	var lines []string
	for _, m := range pack {
		line := fmt.Sprintf("%s %s %v %s", m.Name, m.Unit, m.Value, m.Time.Format(time.RFC3339Nano))
		if m.Sum != nil {
			line += fmt.Sprintf(" sum %v", *m.Sum)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// The examples of RFC 8428, section 5.1, in their order.
var rfc8428 = []struct{ section, pack, want string }{
	{"5.1.1", `[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]`,
		`urn:dev:ow:10e2073a01080063 Cel 23.1 2026-03-01T12:00:00Z`},
	{"5.1.2, now", `[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]`,
		`urn:dev:ow:10e2073a01080063:voltage V 120.1 2026-03-01T12:00:00Z
urn:dev:ow:10e2073a01080063:current A 1.2 2026-03-01T12:00:00Z`},
	{"5.1.2, five seconds", `[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","t":-3,"v":1.4},{"n":"current","t":-2,"v":1.5},{"n":"current","t":-1,"v":1.6},{"n":"current","v":1.7}]`,
		`urn:dev:ow:10e2073a0108006:current A 1.2 2010-06-08T18:01:11.001Z
urn:dev:ow:10e2073a0108006:current A 1.3 2010-06-08T18:01:12.001Z
urn:dev:ow:10e2073a0108006:current A 1.4 2010-06-08T18:01:13.001Z
urn:dev:ow:10e2073a0108006:current A 1.5 2010-06-08T18:01:14.001Z
urn:dev:ow:10e2073a0108006:current A 1.6 2010-06-08T18:01:15.001Z
urn:dev:ow:10e2073a0108006:voltage V 120.1 2010-06-08T18:01:16.001Z
urn:dev:ow:10e2073a0108006:current A 1.7 2010-06-08T18:01:16.001Z`},
	{"5.1.2, stream", `[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":21.2},{"t":10,"v":21.3},{"t":20,"v":21.4},{"t":30,"v":21.4},
{"t":40,"v":21.5},{"t":50,"v":21.5},{"t":60,"v":21.5},{"t":70,"v":21.6},{"t":80,"v":21.7}]`,
		`urn:dev:ow:10e2073a01080063 %RH 21.2 2011-10-31T13:24:24Z
urn:dev:ow:10e2073a01080063 %RH 21.3 2011-10-31T13:24:34Z
urn:dev:ow:10e2073a01080063 %RH 21.4 2011-10-31T13:24:44Z
urn:dev:ow:10e2073a01080063 %RH 21.4 2011-10-31T13:24:54Z
urn:dev:ow:10e2073a01080063 %RH 21.5 2011-10-31T13:25:04Z
urn:dev:ow:10e2073a01080063 %RH 21.5 2011-10-31T13:25:14Z
urn:dev:ow:10e2073a01080063 %RH 21.5 2011-10-31T13:25:24Z
urn:dev:ow:10e2073a01080063 %RH 21.6 2011-10-31T13:25:34Z
urn:dev:ow:10e2073a01080063 %RH 21.7 2011-10-31T13:25:44Z`},
	{"5.1.3", `[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},{"u":"lon","v":24.30621},{"u":"lat","v":60.07965},
{"t":60,"v":20.3},{"u":"lon","t":60,"v":24.30622},{"u":"lat","t":60,"v":60.07965},{"t":120,"v":20.7},{"u":"lon","t":120,"v":24.30623},{"u":"lat","t":120,"v":60.07966},
{"u":"%EL","t":150,"v":98},{"t":180,"v":21.2},{"u":"lon","t":180,"v":24.30628},{"u":"lat","t":180,"v":60.07967}]`, resolved},
	{"5.1.4", `[{"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067464e+09,"v":20},{"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067464e+09,"v":24.30621},
{"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067464e+09,"v":60.07965},{"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067524e+09,"v":20.3},
{"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067524e+09,"v":24.30622},{"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067524e+09,"v":60.07965},
{"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067584e+09,"v":20.7},{"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067584e+09,"v":24.30623},
{"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067584e+09,"v":60.07966},{"n":"urn:dev:ow:10e2073a01080063","u":"%EL","t":1.320067614e+09,"v":98},
{"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067644e+09,"v":21.2},{"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067644e+09,"v":24.30628},
{"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067644e+09,"v":60.07967}]`, resolved},
	{"5.1.5", `[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},{"n":"open","vb":false},{"n":"nfv-reader","vd":"aGkgCg"}]`,
		`urn:dev:ow:10e2073a01080063:temp Cel 23.1 2026-03-01T12:00:00Z
urn:dev:ow:10e2073a01080063:label  Machine Room 2026-03-01T12:00:00Z
urn:dev:ow:10e2073a01080063:open  false 2026-03-01T12:00:00Z
urn:dev:ow:10e2073a01080063:nfv-reader  [104 105 32 10] 2026-03-01T12:00:00Z`},
	{"5.1.6", `[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},{"n":"humidity","u":"%RH","v":30},
{"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},{"n":"humidity","u":"%RH","v":67}]`,
		`2001:db8::2/temperature Cel 25.2 2011-10-31T16:27:09Z
2001:db8::2/humidity %RH 30 2011-10-31T16:27:09Z
2001:db8::1/temperature Cel 12.3 2011-10-31T16:27:09Z
2001:db8::1/humidity %RH 67 2011-10-31T16:27:09Z`},
	{"5.1.7, thermostat", `[{"bn":"urn:dev:ow:10e2073a01080063:"},{"n":"temp","u":"Cel","v":23.1},{"n":"heat","u":"/","v":1},{"n":"fan","u":"/","v":0}]`,
		`urn:dev:ow:10e2073a01080063:temp Cel 23.1 2026-03-01T12:00:00Z
urn:dev:ow:10e2073a01080063:heat / 1 2026-03-01T12:00:00Z
urn:dev:ow:10e2073a01080063:fan / 0 2026-03-01T12:00:00Z`},
	{"5.1.7, lights on", `[{"bt":1.320078429e+09,"bu":"/","n":"2001:db8::3","v":1},{"n":"2001:db8::4","v":1}]`,
		`2001:db8::3 / 1 2011-10-31T16:27:09Z
2001:db8::4 / 1 2011-10-31T16:27:09Z`},
	{"5.1.7, lights off", `[{"bt":1.320078429e+09,"bu":"/","n":"2001:db8::3","v":0.5},{"n":"2001:db8::4","v":0.5},{"n":"2001:db8::3","t":0.1,"v":0},{"n":"2001:db8::4","t":0.1,"v":0}]`,
		`2001:db8::3 / 0.5 2011-10-31T16:27:09Z
2001:db8::4 / 0.5 2011-10-31T16:27:09Z
2001:db8::3 / 0 2011-10-31T16:27:09.1Z
2001:db8::4 / 0 2011-10-31T16:27:09.1Z`},
}

const resolved = `urn:dev:ow:10e2073a01080063 %RH 20 2011-10-31T13:24:24Z
urn:dev:ow:10e2073a01080063 lon 24.30621 2011-10-31T13:24:24Z
urn:dev:ow:10e2073a01080063 lat 60.07965 2011-10-31T13:24:24Z
urn:dev:ow:10e2073a01080063 %RH 20.3 2011-10-31T13:25:24Z
urn:dev:ow:10e2073a01080063 lon 24.30622 2011-10-31T13:25:24Z
urn:dev:ow:10e2073a01080063 lat 60.07965 2011-10-31T13:25:24Z
urn:dev:ow:10e2073a01080063 %RH 20.7 2011-10-31T13:26:24Z
urn:dev:ow:10e2073a01080063 lon 24.30623 2011-10-31T13:26:24Z
urn:dev:ow:10e2073a01080063 lat 60.07966 2011-10-31T13:26:24Z
urn:dev:ow:10e2073a01080063 %EL 98 2011-10-31T13:26:54Z
urn:dev:ow:10e2073a01080063 %RH 21.2 2011-10-31T13:27:24Z
urn:dev:ow:10e2073a01080063 lon 24.30628 2011-10-31T13:27:24Z
urn:dev:ow:10e2073a01080063 lat 60.07967 2011-10-31T13:27:24Z`

// numbered is a pack in CBOR: labels as numbers, data as bytes, times whole where they are.
func numbered(t *testing.T, pack string) []byte {
	t.Helper()
	var records []map[string]any
	if err := json.Unmarshal([]byte(pack), &records); err != nil {
		t.Fatal(err)
	}
	out := make([]map[int64]any, len(records))
	for i, r := range records {
		out[i] = map[int64]any{}
		for n, label := range labels {
			v, ok := r[label]
			if f, isNumber := v.(float64); isNumber {
				v = short(f)
			}
			if label == "vd" && ok {
				v = []byte("hi \n")
			}
			if ok {
				out[i][n] = v
			}
		}
	}
	b, err := cbor.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExamplesOfRFC8428(t *testing.T) {
	for _, e := range rfc8428 {
		for encoding, b := range map[Name][]byte{SenMLJSON: []byte(e.pack), SenMLCBOR: numbered(t, e.pack)} {
			pack, err := DecodeSenML(b, encoding, now)
			if got := show(pack); err != nil || got != e.want {
				t.Errorf("%s in %s: %v\n%s\nwant\n%s", e.section, encoding, err, got, e.want)
			}
		}
	}
	// Section 6: the third example in CBOR, byte for byte.
	b, _ := hex.DecodeString("87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a" +
		"22fb41d303a15b00106223614120050067766f6c7461676501615602fb405e066666666666" +
		"a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccd" +
		"a3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00" +
		"a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333")
	pack, err := DecodeSenML(b, SenMLCBOR, now)
	if len(b) != 0xc3 || err != nil || show(pack) != rfc8428[2].want {
		t.Errorf("section 6: %d bytes, %v\n%s", len(b), err, show(pack))
	}
}

func TestSenMLRules(t *testing.T) {
	for name, tt := range map[string]struct{ pack, want string }{
		"base values add as on paper":         {`[{"bn":"d:","bv":20,"n":"a","v":0.3},{"n":"b","v":-20}]`, "d:a  20.3 2026-03-01T12:00:00Z\nd:b  0 2026-03-01T12:00:00Z"},
		"sums":                                {`[{"bn":"d:","bs":100,"n":"a","s":5},{"n":"b","v":1}]`, "d:a  <nil> 2026-03-01T12:00:00Z sum 105\nd:b  1 2026-03-01T12:00:00Z sum 100"},
		"times below 2**28 are relative":      {`[{"n":"a","t":268435455,"v":1},{"n":"a","t":268435456,"v":2}]`, "a  2 1978-07-04T21:24:16Z\na  1 2034-09-02T09:24:15Z"},
		"what is not known is left out":       {`[{"n":"a","v":1,"x":{"y":1},"bz":3}]`, "a  1 2026-03-01T12:00:00Z"},
		"what must be known":                  {`[{"n":"a","v":1,"new_":1}]`, `record 1: "new_" must be understood (RFC 8428, 4.4), and is not`},
		"a later version":                     {`[{"n":"a","v":1,"bver":11}]`, "record 1: bver must be a version up to 10, the same in all records"},
		"two versions":                        {`[{"n":"a","v":1,"bver":5},{"n":"b","bver":10,"v":1}]`, "record 2: bver must be a version up to 10, the same in all records"},
		"two values":                          {`[{"n":"a","v":1,"vb":true}]`, "record 1: must have one of v, vs, vb and vd"},
		"no value":                            {`[{"n":"a","u":"Cel"}]`, "record 1: has no value: v, vs, vb, vd or s"},
		"no name":                             {`[{"v":1}]`, `record 1: the name "" must be letters, digits and - : . / _ and begin with a letter or digit`},
		"a name that is none":                 {`[{"n":"a b","v":1}]`, `record 1: the name "a b" must be letters, digits and - : . / _ and begin with a letter or digit`},
		"a text where there must be a number": {`[{"n":"a","v":"1"}]`, "record 1: v must be a finite number"},
		"no list":                             {`{"n":"a","v":1}`, "SenML must be a list of at most 2000 records"},
		"a time that is none":                 {`[{"n":"a","v":1,"t":1e300}]`, "record 1: t is no time: 1e+300"},
		"no objects":                          {`[1]`, "record 1: must be an object"},
	} {
		pack, err := DecodeSenML([]byte(tt.pack), SenMLJSON, now)
		got := show(pack)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v is not ErrInvalid", name, err)
			}
			got = strings.TrimPrefix(err.Error(), "invalid payload: ")
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
	}
}

// SenML as the platform has it: records by time, units where the name does not tell values apart.
func TestSenMLRecords(t *testing.T) {
	r, err := Decode(SenMLJSON, []byte(rfc8428[4].pack), Options{Received: now})
	if err != nil || len(r.Records) != 5 || r.Data != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := fmt.Sprint(r.Records[1].Data, r.Records[3]); got != "map[%RH:20.3 lat:60.07965 lon:24.30622] {2011-10-31 13:26:54 +0000 UTC map[%EL:98] map[%EL:%]}" {
		t.Error(got)
	}
	r, err = Decode(SenMLJSON, []byte(rfc8428[6].pack), Options{Received: now})
	if got := fmt.Sprint(r.Data, err); got != "map[label:Machine Room nfv-reader:6869200a open:false temp:23.1] <nil>" {
		t.Error(got)
	}
}

// Values of one thing are never taken for values of another: the property says whose it is where a pack has several.
func TestSenMLOfSeveralThings(t *testing.T) {
	for name, tt := range map[string]struct{ pack, want string }{
		"two devices (RFC 8428, 5.1.6)": {rfc8428[7].pack, "map[1.humidity:67 1.temperature:12.3 2.humidity:30 2.temperature:25.2]"},
		"two rooms":                     {`[{"bn":"urn:dev:mac:0024:","n":"room1/temp","v":20},{"n":"room2/temp","v":21}]`, "map[room1.temp:20 room2.temp:21]"},
		"the gateway and what is at it": {`[{"bn":"urn:dev:mac:0024/","n":"temp","v":40},{"n":"room2/temp","v":21}]`, "map[room2.temp:21 temp:40]"},
		"units tell apart":              {`[{"bn":"urn:a","u":"lat","v":1},{"bn":"urn:b","u":"lat","v":2}]`, "map[a.lat:1 b.lat:2]"},
		"one, by base name and unit":    {`[{"bn":"urn:a:","u":"Cel","v":1},{"n":"hum","v":2}]`, "map[Cel:1 hum:2]"},
	} {
		r, err := Decode(SenMLJSON, []byte(tt.pack), Options{Received: now})
		if got := fmt.Sprint(r.Data); err != nil || got != tt.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, tt.want)
		}
	}
}
