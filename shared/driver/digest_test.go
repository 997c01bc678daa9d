package driver_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/fxamacker/cbor/v2"
)

func signed() driver.Driver {
	return driver.Driver{Name: "acme-th1", Version: "1.0.0", Kind: driver.JavaScript, Firmware: ">=1", Code: []byte("function decodeUplink() {}"), Tests: []driver.Test{
		{Name: "cold", Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2}, Port: 2, Time: time.Date(2026, 3, 21, 12, 0, 0, 0, time.FixedZone("", 3600))},
			Want: driver.Want{Data: map[string]any{"t": 21, "list": []any{1, 2.5, nil, true}, "at": time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)},
				Records: []driver.Record{{Data: map[string]any{"t": uint64(3)}}}}}}}
}

// The digest is the same whatever a driver was sent in, and is of all that a maker answers for.
func TestDigest(t *testing.T) {
	d := signed()
	sum := func(d driver.Driver) string {
		t.Helper()
		b, err := driver.Digest(&d)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	want := sum(d)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var byJSON, byCBOR driver.Driver
	if err := json.Unmarshal(text, &byJSON); err != nil {
		t.Fatal(err)
	}
	mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = mode.Marshal(d); err == nil {
		err = cbor.Unmarshal(text, &byCBOR)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a, b := sum(byJSON), sum(byCBOR); a != want || b != want {
		t.Errorf("as it was made %s, of JSON %s, of CBOR %s", want, a, b)
	}
	if fixed := "a9931f775a36b54a3136c46da3cb4e467462d325f0f2cce01b24df6486ccfeb3"; want != fixed {
		t.Errorf("%s: signatures of before are good no longer", want)
	}
	for what, change := range map[string]func(*driver.Driver){
		"name":     func(d *driver.Driver) { d.Name = "acme-th2" },
		"version":  func(d *driver.Driver) { d.Version = "1.0.1" },
		"kind":     func(d *driver.Driver) { d.Kind = driver.Declarative },
		"firmware": func(d *driver.Driver) { d.Firmware = ">=2" },
		"title":    func(d *driver.Driver) { d.Title = "x" },
		"maker":    func(d *driver.Driver) { d.Maker = "x" },
		"license":  func(d *driver.Driver) { d.License = "x" },
		"note":     func(d *driver.Driver) { d.Note = "x" },
		"limit":    func(d *driver.Driver) { d.Limit = time.Second },
		"port":     func(d *driver.Driver) { d.Port = 10 },
		"code":     func(d *driver.Driver) { d.Code = bytes.ToUpper(d.Code) },
		"a test":   func(d *driver.Driver) { d.Tests[0].Want.Data = map[string]any{"t": 22} },
		"tests":    func(d *driver.Driver) { d.Tests = nil },
	} {
		other := signed()
		if change(&other); sum(other) == want {
			t.Errorf("%s is not in it", what)
		}
	}
	for what, v := range map[string]any{"NaN": math.NaN(), "bytes": []byte{1}, "[1]: +Inf": []any{1, math.Inf(1)}, "5": map[any]any{5: 1}} {
		other := signed()
		other.Tests[0].Want.Data = v
		if _, err := driver.Digest(&other); err == nil || !strings.Contains(err.Error(), `tests[0] "cold": `) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A time that YAML knows for one is the same as its text, on the way to the platform too.
func TestTimesInTests(t *testing.T) {
	at := time.Date(2026, 3, 21, 13, 0, 0, 0, time.FixedZone("", 3600))
	for _, tt := range []struct {
		want any
		got  any
		same bool
	}{
		{at, "2026-03-21T12:00:00.000Z", true}, {"2026-03-21T13:00:00+01:00", "2026-03-21T12:00:00.000Z", true},
		{at, "2026-03-21T12:00:01Z", false}, {at, "noon", false}, {at, 5.0, false}, {"2026-03-21", "2026-03-21T00:00:00Z", false},
	} {
		test := driver.Test{Want: driver.Want{Data: map[string]any{"at": tt.want}}}
		if told := test.Check(driver.Result{Data: map[string]any{"at": tt.got}}); (len(told) == 0) != tt.same {
			t.Errorf("%v and %v: %v", tt.want, tt.got, told)
		}
	}
}
