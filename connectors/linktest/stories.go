package linktest

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
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
	if n := s.w.Platform.Calls("POST twin-ingest/batches"); n > packets {
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

func lateDisconnect(t *testing.T, s *stage) {
	s.start("operational")
	id := s.w.AdmitDevice("p-1")
	for range 3 {
		d := s.connect(id)
		s.wait("the acknowledgement", d.Publish(telemetry.Telemetry, reading(1, 1)))
		d.Cut()
	}
	last := s.connect(id)
	s.wait("the acknowledgement", last.Publish(telemetry.Telemetry, reading(1, 1)))
	Eventually(t, "all comings and goings are told", func() bool { return len(s.w.Platform.Presence("")) == 7 })
	open := make(map[string]bool)
	for _, m := range s.w.Platform.Presence("") {
		if m.Samples[0].Value == true {
			open[m.Session] = true
		} else if !open[m.Session] {
			t.Error("a session ended that had not begun")
		} else {
			delete(open, m.Session)
		}
	}
	newest := s.w.Platform.Stored("")
	if len(open) != 1 || !open[newest[len(newest)-1].Session] {
		t.Errorf("left open are %v, want the last session alone", open)
	}
}

func secondSession(t *testing.T, s *stage) {
	s.start("operational")
	id := s.w.AdmitDevice("p-1")
	first := s.connect(id)
	s.wait("the acknowledgement", first.Publish(telemetry.Telemetry, reading(1, 1)))
	second := s.connect(id)
	s.wait("the end of the first", first.Gone())
	s.wait("the acknowledgement", second.Publish(telemetry.Telemetry, reading(1, 2)))
	s.told(second, twin.Order{Epoch: 1, Seq: 2})
	s.notYet("the end of the second", second.Gone())
	s.inOrder(s.w.Platform.Stored(""), 2)
}

func reconnectStorm(t *testing.T, s *stage) {
	const n = 200
	s.start("operational")
	ids := make([]Identity, n)
	for i := range ids {
		ids[i] = s.w.AdmitDevice(device.Ref(fmt.Sprintf("p-%d", i)))
	}
	s.connect(ids[n-1]).Close() // it was admitted last
	for round := range 2 {
		devices := make([]Device, n)
		var all sync.WaitGroup
		for i, id := range ids {
			all.Go(func() {
				d, err := s.p.Dial(s.w, s.address, id)
				if err != nil {
					t.Errorf("%s is refused: %v", id.Client, err)
					return
				}
				devices[i] = d
				s.wait("the acknowledgement", d.Publish(telemetry.Telemetry, reading(round, 1)))
			})
		}
		all.Wait()
		for _, d := range devices {
			if d != nil {
				d.Cut()
			}
		}
	}
	Eventually(t, "all have gone", func() bool { return len(s.w.Platform.Presence("")) == 2*(2*n+1) })
	if got := len(s.w.Platform.Stored("")); got != 2*n {
		t.Errorf("%d messages are stored, want %d", got, 2*n)
	}
	if got := s.w.Platform.Calls("POST credentials/resolve"); got > n/2 {
		t.Errorf("%d calls resolved %d references, want batches", got, n)
	}
}

func oversized(t *testing.T, s *stage) {
	s.start("operational")
	d, other := s.device("p-1"), s.device("p-2")
	d.Publish(telemetry.Telemetry, fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", s.p.MaxPayload)))
	s.wait("the end of the connection", d.Gone())
	s.wait("another's acknowledgement", other.Publish(telemetry.Telemetry, reading(1, 1)))
	if n := len(s.w.Platform.Stored(TwinOf("p-1"))) + len(s.w.Platform.Parked()); n != 0 {
		t.Errorf("%d oversized messages were taken", n)
	}
}

func foreign(t *testing.T, s *stage) {
	s.start("operational")
	d, other := s.device("p-1"), s.device("p-2")
	d.Foreign("p-2", reading(1, 1))
	s.wait("another's acknowledgement", other.Publish(telemetry.Telemetry, reading(1, 2)))
	for _, m := range s.w.Platform.Stored("") {
		if m.Order.Seq == 1 {
			t.Errorf("stored %+v, which another device said", m)
		}
	}
}

func removed(t *testing.T, s *stage) {
	s.start("operational")
	id := s.w.AdmitDevice("p-1")
	d, other := s.connect(id), s.device("p-2")
	s.w.Dismiss("p-1")
	s.wait("the end of the connection", d.Gone())
	if again, err := s.p.Dial(s.w, s.address, id); err == nil {
		again.Cut()
		t.Error("a removed device was let in")
	}
	s.wait("another's acknowledgement", other.Publish(telemetry.Telemetry, reading(1, 1)))
}

func confirm(t *testing.T, s *stage) {
	s.w.Platform.Fail("twin-provision", http.StatusServiceUnavailable)
	s.start("operational")
	d := s.device("p-1")
	taken := d.Confirm()
	Eventually(t, "it is tried again", func() bool { return s.w.Platform.Calls("POST twin-provision/confirmations") > 1 })
	s.notYet("acknowledged before it is taken", taken)
	s.w.Platform.Fail("twin-provision", 0)
	s.wait("the acknowledgement", taken)
	got := s.w.Platform.Confirmed()
	if len(got) != 1 || got[0].Ref != "p-1" || got[0].Twin != TwinOf("p-1") || got[0].Gateway != s.w.Gateway {
		t.Errorf("confirmed %+v", got)
	}
}

func downlink(t *testing.T, s *stage) {
	s.start("operational")
	d, other := s.device("p-1"), s.device("p-2")
	send := func(topic string) {
		t.Helper()
		Eventually(t, "a connector listens", func() bool {
			return s.w.Bus.Send(t.Context(), bus.Downlink{Gateway: s.w.Gateway, Device: "p-1", Topic: topic, Payload: []byte(topic), ID: "1"}) == nil
		})
	}
	send("castor/p-2/command/c-1") // a mistake of the platform's must not reach the other one
	send("castor/p-1/command/c-2")
	if got := s.message(d, "command"); string(got) != "castor/p-1/command/c-2" {
		t.Errorf("the device got %s", got)
	}
	other.Publish(telemetry.Telemetry, reading(1, 1))
	if m := <-other.Messages(); m.Name != "ack" {
		t.Errorf("the other device got %s %s", m.Name, m.Payload)
	}
}

func stops(t *testing.T, s *stage) {
	calling, hold := make(chan struct{}, 10), make(chan struct{})
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
	stopped := make(chan struct{})
	go func() {
		s.stop()
		close(stopped)
	}()
	close(hold)
	s.wait("the acknowledgement", stored)
	s.wait("the end of the connection", d.Gone())
	s.wait("the end of the gateway", stopped)
	if got := s.w.Platform.Presence(""); len(got) != 2 || got[1].Samples[0].Value != false {
		t.Errorf("presence %+v, want the device gone", got)
	}
}

func alive(t *testing.T, s *stage) {
	s.start("operational")
	Eventually(t, "both are told", func() bool { return len(s.w.Platform.Gateways()) > 0 && len(s.w.Platform.Advertised()) > 0 })
	g, a := s.w.Platform.Gateways()[0], s.w.Platform.Advertised()[0]
	if g.ID != s.w.Gateway || g.Phase != "operational" || !strings.Contains(g.URL, s.address) {
		t.Errorf("gateway %+v", g)
	}
	if a.Kind != "connector" || a.TTL != 60 || len(a.Capabilities) != 2 || a.Capabilities[1] != "operational" {
		t.Errorf("advertisement %+v", a)
	}
	s.stop()
	if s.w.Platform.Calls("DELETE directory/services") != 1 {
		t.Error("the advertisement was left behind")
	}
}
