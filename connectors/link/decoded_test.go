package link_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/telemetry"
)

// What cannot be read is parked with the time that whoever brought it could tell, for when it is read again.
func TestAParkedPayloadKeepsItsTime(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "broken", "1.0.0", `function decodeUplink(i) { throw new Error('no'); }`))
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	var got acks
	l.Open("s-1", "p-1", 1, nil).ReportAs(link.Incoming{Kind: telemetry.Telemetry, Payload: []byte{1}, Received: time.Now(), Time: at}, func(r link.Receipt) { got.of("a")(r.Stored) })
	linktest.Eventually(t, "it is acknowledged", func() bool { return len(got.list()) == 1 })
	if parked := w.Platform.Parked(); len(parked) != 1 || !parked[0].Time.Equal(at) || parked[0].Was != telemetry.Telemetry {
		t.Errorf("parked: %+v", parked)
	}
}

func TestAPayloadWithoutValuesIsAcknowledgedAndNotStored(t *testing.T) {
	w := linktest.NewWorld(t)
	l := decoding(t, w, &far{}, nil)
	w.Platform.Use("twin-p-1", script(w, "idle", "1.0.0", `function decodeUplink(i) { return {data: i.bytes[0] ? {n: i.bytes[0]} : {}, warnings: ['battery']}; }`))
	s := l.Open("s-1", "p-1", 1, nil)
	var got acks
	say(s, []byte{0}, got.of("nothing"))
	say(s, []byte{1}, got.of("one"))
	linktest.Eventually(t, "both are acknowledged", func() bool { return len(got.list()) == 2 })
	stored := slices.DeleteFunc(w.Platform.Stored("twin-p-1"), func(m telemetry.Message) bool { return m.Kind == telemetry.Log })
	if len(stored) != 1 {
		t.Errorf("stored: %+v", stored)
	}
	if n, parked := readings(w, "p-1"), w.Platform.Parked(); !slices.Equal(n, []float64{1}) || len(parked) != 0 {
		t.Errorf("readings %v, parked %+v", n, parked)
	}
	if all := lines(w, "p-1"); len(all) != 1 || all[0] != "driver warn driver idle@1.0.0 warns: battery" {
		t.Errorf("its log: %q", all)
	}
}

// What a codec says nothing of is not lost in silence: the twin's log tells. Where it says that there is nothing, that is its word.
func TestAnAnswerWithoutDataIsTold(t *testing.T) {
	for code, want := range map[string]int{
		`function decodeUplink() { return {temperature: 21}; }`:            1,
		`async function decodeUplink() { return {data: {a: 1}}; }`:         1,
		`function decodeUplink() { return {data: {}}; }`:                   0,
		`function decodeUplink() { return {warnings: ["no such port"]}; }`: 1, // its own words
	} {
		w := linktest.NewWorld(t)
		l := decoding(t, w, &far{}, nil)
		w.Platform.Use("twin-p-1", script(w, "acme", "1.0.0", code))
		s := l.Open("s-1", "p-1", 1, nil)
		var got acks
		for i := range 2 {
			say(s, []byte{7}, got.of(fmt.Sprint(i)))
		}
		linktest.Eventually(t, "both are acknowledged", func() bool { return len(got.list()) == 2 })
		said := lines(w, "p-1")
		if len(said) != want || len(w.Platform.Parked()) != 0 {
			t.Errorf("%s: the log has %q, want %d; parked %+v", code, said, want, w.Platform.Parked())
		}
		for _, line := range said {
			if !strings.Contains(line, "driver warn driver acme@1.0.0 answered without data, so nothing is kept of a payload of 1 byte:") && !strings.Contains(line, "no such port") {
				t.Errorf("%s: the log says %q", code, line)
			}
		}
		s.Close()
	}
}
