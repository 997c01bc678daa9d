package format

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// What a pack may say, and what is said of one that says something else; each at its bound.
func TestSenMLAtItsBounds(t *testing.T) {
	const at = " 2026-03-01T12:00:00Z"
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`{"n":"a","v":1},`, n), ",") + "]" }
	long := strings.Repeat("a", 256)
	name := func(s string) string {
		return fmt.Sprintf("record 1: the name %q must be letters, digits and - : . / _ and begin with a letter or digit", s)
	}
	for what, tt := range map[string]struct{ pack, want string }{
		"no records":                  {`[]`, ""},
		"as many as there may be":     {list(2000), strings.TrimSuffix(strings.Repeat("a  1"+at+"\n", 2000), "\n")},
		"one more":                    {list(2001), "SenML must be a list of at most 2000 records"},
		"the base's unit":             {`[{"bn":"d:","bu":"Cel","n":"a","u":"","v":1}]`, "d:a Cel 1" + at},
		"a time alone":                {`[{"bn":"d"},{"t":5}]`, "record 2: has no value: v, vs, vb, vd or s"},
		"a name alone":                {`[{"n":"a"}]`, "record 1: has no value: v, vs, vb, vd or s"},
		"a promise alone":             {`[{"bn":"d"},{"ut":5}]`, "record 2: has no value: v, vs, vb, vd or s"},
		"a base sum and a text":       {`[{"bn":"d:","bs":1,"n":"a","vs":"x"}]`, "d:a  x" + at},
		"a base sum and both":         {`[{"bn":"d:","bs":1,"n":"a","v":2,"s":3}]`, "d:a  2" + at + " sum 4"},
		"values beyond all numbers":   {`[{"bn":"d:","bv":1.7e308,"n":"a","v":1.7e308}]`, "record 1: bv and v together must be a finite number"},
		"sums beyond all numbers":     {`[{"bn":"d:","bs":1.7e308,"n":"a","s":1.7e308}]`, "record 1: bs and s together must be a finite number"},
		"half a second ago":           {`[{"n":"a","t":-0.5,"v":1}]`, "a  1 2026-03-01T11:59:59.5Z"},
		"in half a second":            {`[{"n":"a","t":0.5,"v":1}]`, "a  1 2026-03-01T12:00:00.5Z"},
		"the last time":               {`[{"n":"a","t":253402300799,"v":1}]`, "a  1 9999-12-31T23:59:59Z"},
		"a time after it":             {`[{"n":"a","t":253402300800,"v":1}]`, "record 1: t is no time: 2.534023008e+11"},
		"the first time":              {`[{"n":"a","t":-1e10,"v":1}]`, "a  1 1709-04-11T18:13:20Z"},
		"a time before it":            {`[{"n":"a","t":-1.1e10,"v":1}]`, "record 1: t is no time: -1.1e+10"},
		"an update that was":          {`[{"n":"a","ut":-1,"v":1}]`, "record 1: ut must be seconds from 0"},
		"an update that nobody sees":  {`[{"n":"a","ut":1000000001,"v":1}]`, "record 1: ut must be seconds from 0"},
		"the longest names":           {`[{"bn":"` + long + `","n":"` + long + `","v":1}]`, long + long + "  1" + at},
		"a name that is longer":       {`[{"n":"` + long + `a","v":1}]`, "record 1: n must be a text of at most 256 bytes"},
		"a name that is a number":     {`[{"n":7,"v":1}]`, "record 1: n must be a text of at most 256 bytes"},
		"two faults, the first told":  {`[{"bn":1,"n":2,"v":1}]`, "record 1: bn must be a text of at most 256 bytes"},
		"a text that is none":         {`[{"n":"a","vs":1}]`, "record 1: vs must be a text"},
		"truth that is none":          {`[{"n":"a","vb":1}]`, "record 1: vb must be true or false"},
		"bytes that are a number":     {`[{"n":"a","vd":1}]`, "record 1: vd must be bytes, in JSON as base64 for URLs"},
		"bytes that are no base64":    {`[{"n":"a","vd":"?"}]`, "record 1: vd must be bytes, in JSON as base64 for URLs"},
		"all that a name may have":    {`[{"n":"azAZ09-:./_","v":1}]`, "azAZ09-:./_  1" + at},
		"a first character of none":   {`[{"n":"-a","v":1}]`, name("-a")},
		"characters beside letters":   {`[{"n":"a{","v":1}]`, name("a{")},
		"characters beside capitals":  {`[{"n":"a[","v":1}]`, name("a[")},
		"characters before capitals":  {`[{"n":"a@","v":1}]`, name("a@")},
		"characters beside digits":    {`[{"n":"a;","v":1}]`, name("a;")},
		"other letters":               {`[{"n":"aé","v":1}]`, name("aé")},
		"a base name that ends in it": {`[{"bn":"a ","n":"b","v":1}]`, name("a b")},
	} {
		pack, err := DecodeSenML([]byte(tt.pack), SenMLJSON, now)
		got := show(pack)
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "invalid payload: ")
		}
		if got != tt.want {
			t.Errorf("%s: %.600s\nwant %.600s", what, got, tt.want)
		}
	}
	for update, want := range map[string]time.Duration{"0": 0, "2.5": 2500 * time.Millisecond, "1000000000": 1e9 * time.Second} {
		pack, err := DecodeSenML([]byte(`[{"n":"a","ut":`+update+`,"v":1}]`), SenMLJSON, now)
		if err != nil || pack[0].Update != want {
			t.Errorf("an update every %s s is %+v, %v", update, pack, err)
		}
	}
}

// In CBOR labels are numbers; those of JSON may be there, too, but not for the same.
func TestLabelsOfSenMLInCBOR(t *testing.T) {
	for what, tt := range map[string]struct {
		record map[any]any
		want   string
	}{
		"numbers and texts":        {map[any]any{0: "a", "v": 1, "": 2, "more": 3}, ""},
		"a number that is none":    {map[any]any{0: "a", 2: 1, 9: 1}, "has the label 9, which SenML does not know"},
		"one of a later time":      {map[any]any{0: "a", 2: 1, -7: 1}, "has the label -7, which SenML does not know"},
		"the largest":              {map[any]any{0: "a", 2: 1, uint64(1<<64 - 1): 5}, "has the label 18446744073709551615, which SenML does not know"},
		"truth":                    {map[any]any{0: "a", 2: 1, true: 1}, "has the label true, which SenML does not know"},
		"a value by both its ways": {map[any]any{0: "a", 2: 1, "v": 1}, "has v twice, as text and as number"},
	} {
		b, err := cbor.Marshal([]any{tt.record})
		if err != nil {
			t.Fatal(err)
		}
		pack, err := DecodeSenML(b, SenMLCBOR, now)
		if tt.want == "" && (err != nil || len(pack) != 1 || pack[0].Value != 1.0) || tt.want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %+v, %v, want %q", what, pack, err, tt.want)
		}
	}
}

// What the platform makes of a pack: properties with what their names leave out, sums beside values, and nothing lost where two are alike.
func TestWhatBecomesOfAPack(t *testing.T) {
	const at = "2026-03-01 12:00:00 +0000 UTC"
	for what, tt := range map[string]struct{ pack, want string }{
		"neither name nor unit":       {`[{"bn":"d","v":1}]`, "[{" + at + " map[value:1] map[]}]"},
		"a sum beside its value":      {`[{"bn":"d:","n":"a","u":"W","v":1,"s":2}]`, "[{" + at + " map[a:1 a.sum:2] map[a:W]}]"},
		"a sum alone has no unit":     {`[{"bn":"d:","n":"a","u":"W","s":2}]`, "[{" + at + " map[a.sum:2] map[]}]"},
		"two of one name":             {`[{"bn":"d:","n":"a","v":1},{"n":"a","v":2},{"n":"b","v":3}]`, "[{" + at + " map[a:1] map[]} {" + at + " map[a:2 b:3] map[]}]"},
		"units by other codes":        {`[{"bn":"d:","n":"a","u":"%RH","v":1},{"n":"b","u":"Cel","v":2},{"n":"c","v":3}]`, "[{" + at + " map[a:1 b:2 c:3] map[a:% b:Cel]}]"},
		"the longer name comes first": {`[{"n":"d/room2/temp","v":21},{"n":"d/temp","v":40}]`, "[{" + at + " map[room2.temp:21 temp:40] map[]}]"},
		"nothing":                     {`[]`, "[]"},
	} {
		pack, err := DecodeSenML([]byte(tt.pack), SenMLJSON, now)
		if got := fmt.Sprint(Records(pack)); err != nil || got != tt.want {
			t.Errorf("%s: %s, %v, want %s", what, got, err, tt.want)
		}
	}
	if pack, err := DecodeSenML([]byte(`[{"bn":"d","v":1}]`), SenMLJSON, now); err != nil || Records(pack)[0].Units != nil {
		t.Errorf("units of what has none: %+v, %v", Records(pack), err)
	}
}
