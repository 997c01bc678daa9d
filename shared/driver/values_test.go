package driver_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// A number is one number in whatever kind the way of a value leaves it: JSON's, YAML's, CBOR's or BSON's. It is no text of itself.
func TestNumbersAreComparedByValue(t *testing.T) {
	kinds := []any{7.0, 7, int64(7), uint64(7), json.Number("7"), json.Number("7.0")}
	for _, want := range kinds {
		for _, got := range kinds {
			c := driver.Test{Want: driver.Want{Data: map[string]any{"n": want}}}
			if d := c.Check(driver.Result{Data: map[string]any{"n": got}}); len(d) != 0 {
				t.Errorf("%T wanted, %T got: %v", want, got, d)
			}
			if d := c.Check(driver.Result{Data: map[string]any{"n": 7.5}}); len(d) != 1 || d[0].Path != "data.n" || d[0].Got != "7.5" {
				t.Errorf("%T wanted, 7.5 got: %v", want, d)
			}
		}
		for _, other := range []any{"7", true, nil, json.Number("seven"), []any{7.0}} {
			c := driver.Test{Want: driver.Want{Data: map[string]any{"n": want}}}
			if d := c.Check(driver.Result{Data: map[string]any{"n": other}}); len(d) != 1 {
				t.Errorf("%T wanted, %#v got: %v", want, other, d)
			}
		}
	}
	none := driver.Test{Want: driver.Want{Data: map[string]any{"n": math.NaN()}}}
	if d := none.Check(driver.Result{Data: map[string]any{"n": math.NaN()}}); len(d) != 0 {
		t.Errorf("no number wanted, no number got: %v", d)
	}
}

// What a driver says is bounded in number and length, and text, cut between characters.
func TestNotesAreBounded(t *testing.T) {
	many := make([]string, 0, 100)
	for i := range 100 {
		many = append(many, fmt.Sprint("note ", i))
	}
	got := driver.Notes(many)
	if len(got) != driver.MaxNotes || got[0] != "note 0" || got[driver.MaxNotes-1] != "and 81 more" || many[driver.MaxNotes-1] != "note 19" {
		t.Errorf("%d notes: %q", len(got), got)
	}
	if got := driver.Notes(many[:driver.MaxNotes:driver.MaxNotes]); len(got) != driver.MaxNotes || got[driver.MaxNotes-1] != "note 19" {
		t.Errorf("as many as may be: %q", got)
	}
	for said, want := range map[string]string{
		"\xff bad":                      "\uFFFD bad",
		strings.Repeat("x", 500):        strings.Repeat("x", 500),
		strings.Repeat("x", 501):        strings.Repeat("x", 500) + "…",
		"x" + strings.Repeat("é", 300):  "x" + strings.Repeat("é", 249) + "…",
		"xx" + strings.Repeat("é", 249): "xx" + strings.Repeat("é", 249),
	} {
		if got := driver.Notes([]string{said}); len(got) != 1 || got[0] != want {
			t.Errorf("%.20q is %q, want %q", said, got, want)
		}
	}
}

// What bytes a test wants and gets is told as people write them.
func TestBytesAreTold(t *testing.T) {
	c := driver.Test{Want: driver.Want{Bytes: []byte{1, 0xab}}}
	for _, r := range []struct {
		got  []byte
		says string
	}{{nil, "nothing"}, {[]byte{}, "nothing"}, {[]byte{2}, "02"}, {make([]byte, 400), strings.Repeat("0", 300) + "…"}} {
		if d := c.Check(driver.Result{Bytes: r.got}); len(d) != 1 || d[0].Path != "bytes" || d[0].Want != "01ab" || d[0].Got != r.says {
			t.Errorf("%v", d)
		}
	}
}
