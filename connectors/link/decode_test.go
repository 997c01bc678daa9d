package link_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/fxamacker/cbor/v2"
)

// asCBOR is the payload of v.
func asCBOR(t testing.TB, v any) string {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// show is a message in one line, for comparing.
func show(m telemetry.Message) string {
	s := string(m.Kind)
	if m.Kind == telemetry.Undecoded {
		return s + ": " + m.Reason
	}
	if !m.Time.IsZero() {
		s += " at " + m.Time.Format(time.RFC3339Nano)
	}
	if !m.Order.Assigned {
		s += fmt.Sprintf(" %d/%d", m.Order.Epoch, m.Order.Seq)
	}
	for _, v := range m.Samples {
		s += fmt.Sprintf(" %s=%v", v.Property, v.Value)
	}
	return s
}

func TestDecode(t *testing.T) {
	at := time.Date(2026, 3, 21, 10, 0, 0, 123_456_789, time.UTC)
	big := strings.Repeat(`{"a":1},`, telemetry.MaxBatch) + `{"a":1}`
	for name, c := range map[string]struct {
		kind    telemetry.Kind
		payload string
		want    string // of all messages, "; " between them; of reasons the beginning
	}{
		"an object with data":                   {telemetry.Telemetry, `{"time":"2026-03-21T11:00:00.5+01:00","epoch":3,"seq":9,"data":{"cpu":{"percent":5},"up":true}}`, "telemetry at 2026-03-21T10:00:00.5Z 3/9 cpu.percent=5 up=true"},
		"an object that is the data":            {telemetry.State, ` {"seq":9,"epoch":0,"time":1774087200123,"mode":"eco","gone":null}`, "state at 2026-03-21T10:00:00.123Z 0/9 gone=<nil> mode=eco"},
		"neither time nor order":                {telemetry.Telemetry, `{"rpm":1.5}`, "telemetry rpm=1.5"},
		"half an order is none":                 {telemetry.Telemetry, `{"seq":9,"rpm":1}`, "telemetry rpm=1"},
		"a time of 2099 and one of 1970":        {telemetry.Telemetry, `[{"time":"2099-01-01T00:00:00Z","a":1},{"time":0,"a":2}]`, "telemetry at 2099-01-01T00:00:00Z a=1; telemetry at 1970-01-01T00:00:00Z a=2"},
		"a large sequence number":               {telemetry.Telemetry, `{"epoch":1,"seq":9007199254740993,"data":{}}`, "telemetry 1/9007199254740993"},
		"a sequence number in another notation": {telemetry.Telemetry, `{"epoch":1e0,"seq":2.0,"data":{}}`, "telemetry 1/2"},
		"no data at all":                        {telemetry.Telemetry, `{}`, "telemetry"},
		"an array with one bad element":         {telemetry.Telemetry, `[{"a":1},5,{"a":3}]`, "telemetry a=1; undecoded: the payload is not a JSON object; telemetry a=3"},
		"CBOR":                                  {telemetry.Telemetry, asCBOR(t, map[string]any{"time": at.UnixMilli(), "epoch": 1, "seq": 2, "data": map[string]any{"t": 20.5, "n": -3}}), "telemetry at 2026-03-21T10:00:00.123Z 1/2 n=-3 t=20.5"},
		"CBOR without data":                     {telemetry.Telemetry, asCBOR(t, map[string]any{"t": float32(20.5), "in": map[any]any{1: "x"}}), "telemetry in.1=x t=20.5"},
		"CBOR with a tagged time":               {telemetry.Telemetry, asCBOR(t, map[string]any{"time": cbor.Tag{Number: 1, Content: at.Unix()}, "data": map[string]any{}}), "telemetry at 2026-03-21T10:00:00Z"},
		"a CBOR array":                          {telemetry.Telemetry, asCBOR(t, []any{map[string]any{"a": 1}, "x"}), "telemetry a=1; undecoded: the payload is not a CBOR map"},
		"an event":                              {telemetry.Event, `{"epoch":1,"seq":1,"data":{"event":"door opened","by":"key"}}`, "event 1/1 by=key event=door opened"},
		"an event without a name":               {telemetry.Event, `{"by":"key"}`, "undecoded: an event needs its name"},
		"a log line":                            {telemetry.Log, `{"epoch":1,"seq":1,"level":"warn","text":"low"}`, "log 1/1 app=pumpd level=warn text=low"},
		"a log line without a level":            {telemetry.Log, `{"text":"low"}`, "log app=pumpd level=info text=low"},
		"plain text":                            {telemetry.Log, "valve stuck", "log app=pumpd level=info text=valve stuck"},
		"plain text that looks like JSON":       {telemetry.Log, "[warn] valve stuck", "log app=pumpd level=info text=[warn] valve stuck"},
		"plain text in another language":        {telemetry.Log, "Ventil klemmt: größer", "log app=pumpd level=info text=Ventil klemmt: größer"},
		"plain text where data is expected":     {telemetry.Telemetry, "rpm=5", "undecoded: the payload is neither JSON nor CBOR"},
		"nothing":                               {telemetry.Telemetry, " ", "undecoded: the payload is empty"},
		"JSON cut short":                        {telemetry.Telemetry, `{"a":1`, "undecoded: the payload is not JSON"},
		"JSON with something behind":            {telemetry.Telemetry, `{"a":1}{}`, "undecoded: the payload is not JSON"},
		"a negative order":                      {telemetry.Telemetry, `{"epoch":-1,"seq":1}`, "undecoded: epoch and seq must be"},
		"an order that is no number":            {telemetry.Telemetry, `{"epoch":1,"seq":1.5}`, "undecoded: epoch and seq must be"},
		"a time that is none":                   {telemetry.Telemetry, `{"time":"yesterday"}`, "undecoded: time \"yesterday\" must be like"},
		"a time beyond all years":               {telemetry.Telemetry, `{"time":1e15}`, "undecoded: time must be in the years"},
		"data that is no object":                {telemetry.Telemetry, `{"data":[1]}`, "undecoded: data must be an object"},
		"a number beyond float64":               {telemetry.Telemetry, `{"a":1e999}`, "undecoded: number 1e999 is out of range"},
		"an empty array":                        {telemetry.Telemetry, `[]`, "undecoded: the payload is an array of 0"},
		"too long an array":                     {telemetry.Telemetry, "[" + big + "]", "undecoded: the payload is an array of 1001"},
		"too deep":                              {telemetry.Telemetry, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "undecoded: invalid: property"},
		"numbers for properties":                {telemetry.Telemetry, "\xa1\x01\x02", "undecoded: the payload is not a CBOR map with text keys: numbers for properties are read where the type's format is compact"},
		"a key twice in CBOR":                   {telemetry.Telemetry, "\xa2\x61a\x01\x61a\x02", "undecoded: the payload is not a CBOR map"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range link.Decode(c.kind, "castor/p-1/log/pumpd", []byte(c.payload)) {
				if m.Raw == nil && c.payload != "" {
					t.Error("the raw bytes are not kept")
				}
				got = append(got, show(m))
			}
			parts := strings.Split(c.want, "; ")
			if len(got) != len(parts) {
				t.Fatalf("got %q, want %q", got, parts)
			}
			for i := range parts {
				if exact := !strings.HasPrefix(parts[i], "undecoded"); exact && got[i] != parts[i] || !strings.HasPrefix(got[i], parts[i]) {
					t.Errorf("got %q, want %q", got[i], parts[i])
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("telemetry", []byte(`[{"time":"2026-03-21T11:00:00Z","epoch":3,"seq":9,"data":{"cpu":{"percent":5}}},1]`))
	f.Add("log", []byte("text"))
	f.Add("telemetry", []byte(asCBOR(f, map[string]any{"time": 1, "data": map[any]any{1: []any{true}}})))
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		messages := link.Decode(telemetry.Kind(kind), "castor/p-1/log/app", payload)
		if len(messages) == 0 || len(messages) > telemetry.MaxBatch {
			t.Fatalf("%d messages", len(messages))
		}
		for _, m := range messages {
			if m.Kind == telemetry.Undecoded && m.Reason == "" {
				t.Error("undecoded without a reason")
			}
			if err := telemetry.Normalise(m.Samples); err != nil {
				t.Error(err)
			}
			if m.Order.Epoch < 0 || m.Order.Seq < 0 || m.Order.Assigned && m.Order != (twin.Order{Assigned: true}) {
				t.Errorf("order %+v", m.Order)
			}
			if _, err := cbor.Marshal(m); err != nil {
				t.Error(err)
			}
		}
	})
}

// What came with an event is handed on as it came, too: samples do not tell a list from an object.
func TestEventsAreHandedOnAsTheyCame(t *testing.T) {
	for payload, want := range map[string]string{
		`{"event":"e","a":[1,{},3],"b":{"0":true},"c.d":null,"n":9007199254740993}`:                                    `{"a":[1,{},3],"b":{"0":true},"c.d":null,"event":"e","n":9007199254740992}`,
		`{"seq":1,"epoch":1,"data":{"event":"e","empty":[]}}`:                                                          `{"empty":[],"event":"e"}`,
		asCBOR(t, map[string]any{"event": "e", "rows": map[string]any{"0": 1}, "list": []any{map[string]any{"v": 2}}}): `{"event":"e","list":[{"v":2}],"rows":{"0":1}}`,
	} {
		got := link.Decode(telemetry.Event, "castor/p-1/event", []byte(payload))
		if len(got) != 1 || string(got[0].Data) != want {
			t.Errorf("%q: %s, want %s", payload, got[0].Data, want)
		}
		if m := link.Decode(telemetry.Telemetry, "castor/p-1/telemetry", []byte(payload)); m[0].Data != nil {
			t.Errorf("telemetry has data: %s", m[0].Data)
		}
	}
}
