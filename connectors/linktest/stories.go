package linktest

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

func storedBeforeAck(t *testing.T, s *stage) {
	hold, calling := make(chan struct{}), make(chan struct{}, 100)
	s.w.Platform.OnIngest(func(_ int, b telemetry.Batch) ([]telemetry.Outcome, int) {
		if b.Messages[0].Kind == telemetry.Telemetry {
			calling <- struct{}{}
			<-hold
		}
		return nil, 0
	})
	s.start("operational")
	d := s.device("p-1")
	Eventually(t, "the device is present", func() bool { return len(s.w.Platform.Presence("")) == 1 })
	stored := d.Publish(telemetry.Telemetry, reading(1, 1))
	<-calling
	s.notYet("acknowledged before it is stored", stored)
	close(hold)
	s.wait("the acknowledgement", stored)
	got := s.w.Platform.Stored(TwinOf("p-1"))
	if len(got) != 1 {
		t.Fatalf("acknowledged, and %d messages are stored", len(got))
	}
	m := got[0]
	if m.Order != (twin.Order{Epoch: 1, Seq: 1}) || m.Generation != 1 || m.Gateway != s.w.Gateway || m.Session == "" || m.Received.IsZero() ||
		m.Time.Format(time.RFC3339Nano) != "2026-03-21T10:00:00.001Z" || len(m.Samples) != 1 || m.Samples[0] != (telemetry.Sample{Property: "rpm", Value: 1.0}) {
		t.Errorf("stored %+v", m)
	}
	s.told(d, twin.Order{Epoch: 1, Seq: 1})
}

func ingestFails(t *testing.T, s *stage) {
	s.start("operational")
	d := s.device("p-1")
	Eventually(t, "the device is present", func() bool { return len(s.w.Platform.Presence("")) == 1 })
	s.w.Platform.Fail("twin-ingest", http.StatusServiceUnavailable)
	before := s.w.Platform.Calls("POST twin-ingest/batches")
	var last <-chan struct{}
	for i := range 20 {
		c := d.Publish(telemetry.Telemetry, reading(1, i+1))
		defer s.wait("the acknowledgement", c)
		last = c
	}
	Eventually(t, "it is tried again", func() bool { return s.w.Platform.Calls("POST twin-ingest/batches") > before+3 })
	s.notYet("acknowledged while ingest fails", last)
	s.w.Platform.Fail("twin-ingest", 0)
	s.wait("the last acknowledgement", last)
	s.inOrder(s.w.Platform.Stored(TwinOf("p-1")), 20)
	s.told(d, twin.Order{Epoch: 1, Seq: 20})
}

func retryKeepsOrder(t *testing.T, s *stage) {
	var refused atomic.Int32
	s.w.Platform.OnIngest(func(_ int, b telemetry.Batch) ([]telemetry.Outcome, int) {
		out := make([]telemetry.Outcome, len(b.Messages))
		bad := false
		for i, m := range b.Messages { // from the first odd one on, a few times: what was stored of a twin is always a beginning
			bad = bad || m.Order.Seq%2 == 1 && refused.Load() < 6
			if out[i] = telemetry.Stored; bad {
				out[i] = telemetry.Retry
			}
		}
		if bad {
			refused.Add(1)
		}
		return out, 0
	})
	s.start("operational")
	d := s.device("p-1")
	var last <-chan struct{}
	for i := range 50 {
		last = d.Publish(telemetry.Telemetry, reading(1, i+1))
	}
	s.wait("the last acknowledgement", last)
	s.inOrder(s.w.Platform.Stored(TwinOf("p-1")), 50)
	if s.w.Platform.Overlaps() != 0 {
		t.Error("two batches of one twin were under way together")
	}
	s.told(d, twin.Order{Epoch: 1, Seq: 50})
}

func sentAgain(t *testing.T, s *stage) {
	s.start("operational")
	id := s.w.AdmitDevice("p-1")
	d := s.connect(id)
	d.Publish(telemetry.Telemetry, reading(1, 1))
	s.told(d, twin.Order{Epoch: 1, Seq: 1})
	d.Publish(telemetry.Telemetry, reading(1, 1))
	s.told(d, twin.Order{Epoch: 1, Seq: 1})
	d.Cut()
	d = s.connect(id)
	d.Publish(telemetry.Telemetry, reading(1, 1))
	s.told(d, twin.Order{Epoch: 1, Seq: 1})
	got := s.w.Platform.Stored(TwinOf("p-1"))
	if len(got) != 3 || got[0].Session != got[1].Session || got[2].Session <= got[1].Session {
		t.Errorf("ingest saw %+v; it is for ingest to know them as one", got)
	}
}

func backlog(t *testing.T, s *stage) {
	s.start("operational")
	d := s.device("p-1")
	const packets, each = 50, 20
	var last <-chan struct{}
	for i := range packets {
		var array bytes.Buffer
		for k := range each {
			fmt.Fprintf(&array, "%s%s", map[bool]string{true: "[", false: ","}[k == 0], reading(1, i*each+k+1))
		}
		array.WriteByte(']')
		last = d.Publish(telemetry.Telemetry, array.Bytes())
	}
	s.wait("the last acknowledgement", last)
	s.told(d, twin.Order{Epoch: 1, Seq: packets * each})
	s.inOrder(s.w.Platform.Stored(TwinOf("p-1")), packets*each)
	if n := s.w.Platform.Calls("POST twin-ingest/batches"); n > packets && !s.p.OneByOne {
		t.Errorf("%d calls for %d messages, want batches", n, packets*each)
	}
}

func undecodable(t *testing.T, s *stage) {
	s.start("operational")
	d := s.device("p-1")
	for _, payload := range []string{`{"rpm":`, `not json`, `{"epoch":1,"seq":"two","data":{"rpm":1}}`, `{"data":5}`, `{"time":"yesterday","data":{}}`, ``} {
		s.wait("the acknowledgement of "+payload, d.Publish(telemetry.Telemetry, []byte(payload)))
		parked := s.w.Platform.Parked()
		m := parked[len(parked)-1]
		if string(m.Raw) != payload || m.Reason == "" || m.Twin != TwinOf("p-1") || !strings.Contains(m.Topic, "p-1") {
			t.Errorf("%q was parked as %+v", payload, m)
		}
	}
	mixed := fmt.Sprintf(`[%s,{"epoch":1,"seq":2,"data":{"rpm":[null,{"x":"y"}],"":1}},%s]`, reading(1, 1), reading(1, 3))
	s.wait("the acknowledgement of an array", d.Publish(telemetry.Telemetry, []byte(mixed)))
	if got := seqs(s.w.Platform.Stored("")); len(got) != 2 || got[0] != 1 || got[1] != 3 {
		t.Errorf("of an array with one bad element %v are stored, want 1 and 3", got)
	}
	d.Publish(telemetry.Telemetry, []byte(`{"epoch":1,"seq":4,"data":5}`))
	s.told(d, twin.Order{Epoch: 1, Seq: 4}) // else it would be sent for ever
	if n := len(s.w.Platform.Parked()); n != 8 {
		t.Errorf("%d messages are parked, want 8", n)
	}
}

func unreadable(t *testing.T, s *stage) {
	s.w.Platform.OnIngest(func(_ int, b telemetry.Batch) ([]telemetry.Outcome, int) {
		for _, m := range b.Messages {
			if m.Kind == telemetry.Telemetry && m.Order.Seq == 7 {
				return nil, http.StatusBadRequest
			}
		}
		return nil, 0
	})
	s.start("operational")
	d := s.device("p-1")
	var last <-chan struct{}
	for i := range 20 {
		last = d.Publish(telemetry.Telemetry, reading(1, i+1))
	}
	s.wait("the last acknowledgement", last)
	if n, parked := len(s.w.Platform.Stored("")), s.w.Platform.Parked(); n != 19 || len(parked) != 1 || !bytes.Equal(parked[0].Raw, reading(1, 7)) {
		t.Errorf("%d messages are stored and %+v parked, want 19 and the seventh", n, parked)
	}
}

func nobody(t *testing.T, s *stage) {
	s.w.Platform.Unknown("p-1", true)
	s.start("operational")
	d := s.device("p-1")
	s.wait("the acknowledgement", d.Publish(telemetry.Telemetry, reading(1, 1)))
	parked := s.w.Platform.Parked()
	if len(parked) != 1 || parked[0].Twin != "" || !bytes.Equal(parked[0].Raw, reading(1, 1)) || !strings.Contains(parked[0].Reason, "p-1") {
		t.Errorf("parked %+v, want the message of nobody", parked)
	}
	s.w.Platform.Unknown("p-1", false)
	Eventually(t, "the device is somebody's", func() bool {
		s.wait("an acknowledgement", d.Publish(telemetry.Telemetry, reading(1, 2)))
		return len(s.w.Platform.Stored(TwinOf("p-1"))) > 0
	})
	if n := len(s.w.Platform.Presence(TwinOf("p-1"))); n != 1 {
		t.Errorf("announced %d times, want once it is somebody's", n)
	}
}
