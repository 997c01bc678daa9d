package format

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What no value can be is refused or left out, in words; nothing of it is made up.
func TestBadInput(t *testing.T) {
	for name, tt := range map[string]struct {
		format        Name
		payload, want string
	}{
		"json, no UTF-8":              {JSON, "{\"a\":\"\xff\"}", "must be JSON in UTF-8"},
		"json, NaN":                   {JSON, `{"a":NaN}`, "must be JSON: invalid character 'N'"},
		"json, beyond float64":        {JSON, `{"a":1e400}`, "must be JSON: number 1e400 is out of range"},
		"json, beyond 2^53":           {JSON, `{"a":9007199254740993}`, "map[a:9.007199254740992e+15]"},
		"json, 10 MB":                 {JSON, `{"a":"` + strings.Repeat("x", 10<<20) + `"}`, "at most 262144 are read"},
		"json, deep":                  {JSON, strings.Repeat(`{"a":`, 50_000), "must be JSON: "},
		"cbor, no UTF-8":              {CBOR, "\xa1\x61a\x61\xff", "must be CBOR: "},
		"cbor, NaN and infinities":    {CBOR, "\xa2\x61a\xf9\x7e\x00\x61b\xf9\x7c\x00", "map[a:<nil> b:<nil>]"},
		"cbor, beyond 2^53":           {CBOR, "\xa1\x61a\x1b\x00\x20\x00\x00\x00\x00\x00\x01", "map[a:9.007199254740992e+15]"},
		"cbor, deep":                  {CBOR, strings.Repeat("\x81", 10_000) + "\x01", "must be CBOR: "},
		"cbor, a length that lies":    {CBOR, "\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", "must be CBOR: "},
		"compact, NaN":                {Compact, "\xa1\x01\xf9\x7e\x00", "record 1: 1: must be a finite number"},
		"compact, beyond 2^53":        {Compact, "\xa1\x01\x1b\x00\x20\x00\x00\x00\x00\x00\x01", "map[temperature:9.007199254740992e+15]"},
		"compact, a time far off":     {Compact, "\xa2\x00\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c\x01\x01", "record 1: 0 must be a time in seconds"},
		"compact, an age far off":     {Compact, "\xa2\x00\x3b\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x01", "record 1: 0 must be a time in seconds"},
		"compact, a time no number":   {Compact, "\xa2\x00\xf9\x7e\x00\x01\x01", "record 1: 0 must be a time in seconds"},
		"senml, a time far off":       {SenMLJSON, `[{"n":"a","v":1,"t":1e300}]`, "time"},
		"senml, a sum far off":        {SenMLJSON, `[{"bn":"a","bt":2e11,"v":1,"t":2e11}]`, "time"},
		"senml, beyond float64":       {SenMLJSON, `[{"n":"a","v":1e999}]`, "must be JSON: number 1e999 is out of range"},
		"senml, a sum that is none":   {SenMLJSON, `[{"bn":"a","bv":1.7e308,"v":1.7e308}]`, "finite"},
		"senml, a total that is none": {SenMLJSON, `[{"n":"a","bs":1.7e308,"s":1.7e308}]`, "bs and s together must be a finite number"},
		"senml cbor, NaN":             {SenMLCBOR, "\x81\xa2\x00\x61a\x02\xf9\x7e\x00", "number"},
		"plain, no UTF-8":             {Plain, "\xff\xfe", "must be text in UTF-8"},
		"plain, beyond 2^53":          {Plain, "9007199254740993", "map[value:9.007199254740992e+15]"},
		"plain, beyond float64":       {Plain, "1e400", "map[value:1e400]"}, // text, as it was sent
	} {
		r, err := Decode(tt.format, []byte(tt.payload), Options{IDs: ids, Received: now})
		got := fmt.Sprint(r.Data)
		if err != nil {
			got = err.Error()
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v is not ErrInvalid", name, err)
			}
			if r.Data != nil || r.Records != nil {
				t.Errorf("%s: data beside an error: %+v", name, r)
			}
		}
		if !strings.Contains(got, tt.want) || len(got) > 500 {
			t.Errorf("%s: %.500s, want %s", name, got, tt.want)
		}
	}
}
