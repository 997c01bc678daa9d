package driver_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
)

// Whatever a driver makes of a payload: what becomes a message has samples, a time that can be kept and the kind that was asked for, and
// the notes are bounded text.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"data":{"t":21.5,"a":{"b":[1,"x",null]}},"units":{"t":"Cel"}}`), "K", int64(0))
	f.Add([]byte(`{"data":{"":1},"errors":["\ud800"]}`), "Cel", int64(1)<<62)
	f.Add([]byte(`{"records":[{"data":{"t":1},"units":{"t":"km"}},{}],"warnings":["a","b"]}`), "m", int64(-1)<<62)
	f.Add([]byte(`{"data":[1],"failure":"timeout","reason":"x"}`), "", int64(-62135596800))
	f.Fuzz(func(t *testing.T, said []byte, wanted string, seconds int64) {
		var r driver.Result
		if json.Unmarshal(said, &r) != nil {
			return
		}
		r.Time = time.Unix(seconds, 0)
		for i := range r.Records {
			r.Records[i].Time = r.Time
		}
		messages, err := r.Messages(telemetry.Telemetry, map[string]string{"t": wanted, "a.b": wanted})
		if err != nil && len(messages) > 0 || len(messages) > driver.MaxMessages {
			t.Fatalf("%d messages, and %v", len(messages), err)
		}
		for _, m := range messages {
			if year := m.Time.Year(); len(m.Samples) == 0 || m.Kind != telemetry.Telemetry || year < 1 || year > 9999 {
				t.Errorf("%+v", m)
			}
			for _, s := range m.Samples {
				if s.Property == "" || !utf8.ValidString(s.Property) {
					t.Errorf("a sample of %q", s.Property)
				}
			}
		}
		for _, notes := range [][]string{driver.Notes(r.Warnings), driver.Notes(r.Errors)} {
			if len(notes) > driver.MaxNotes || slices.ContainsFunc(notes, func(s string) bool { return len(s) > 503 || !utf8.ValidString(s) }) {
				t.Errorf("notes: %q", notes)
			}
		}
	})
}

// Whatever a folder or an upload says of a driver: it is refused in words, or it stays what it is, and its firmware range and version can
// be read.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"name":"th","version":"1.0.0","kind":"javascript","code":"ZnVuY3Rpb24gZGVjb2RlVXBsaW5rKCkge30=","firmware":">=1.2 <2"}`))
	f.Add([]byte(`{"name":"th","version":"1.0.0","kind":"declarative","code":"cGF5bG9hZDoganNvbg==","limit":1,"tests":[{"call":{"op":"decodeUplink","bytes":"AA=="},"want":{"data":{"a":1}}}]}`))
	f.Add([]byte(`{"name":"..","version":"01.0.0+x","kind":"wasm","code":"AGFzbQ==","firmware":"<1.4 || >=2 || ^x"}`))
	f.Fuzz(func(t *testing.T, said []byte) {
		var d driver.Driver
		if json.Unmarshal(said, &d) != nil || driver.Check(&d) != nil {
			return
		}
		if err := driver.CheckVersion(d.Version); err != nil {
			t.Errorf("taken: %v", err)
		}
		if _, err := driver.Range(d.Firmware); err != nil {
			t.Errorf("taken: %v", err)
		}
		before := d
		if err := driver.Check(&d); err != nil || !reflect.DeepEqual(before, d) {
			t.Errorf("%+v is taken once, and then %+v, %v", before, d, err)
		}
	})
}
