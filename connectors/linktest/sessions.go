package linktest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

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
	applied := s.w.Applied()
	for i := range ids {
		ids[i] = s.w.AdmitDevice(device.Ref(fmt.Sprintf("p-%d", i)))
	}
	Eventually(t, "the gateway lets all of them in", func() bool { return applied() == n }) // one that is told of many at a time has no last one
	s.connect(ids[n-1]).Close()
	for round := range 2 {
		devices := make([]Device, n)
		var all sync.WaitGroup
		for i, id := range ids {
			all.Go(func() {
				d, err := s.p.Dial(s.w, s.address, id)
				for end := time.Now().Add(Patience); err != nil && time.Now().Before(end); d, err = s.p.Dial(s.w, s.address, id) {
					<-time.After(50 * time.Millisecond) // a gateway that so many come to may turn some away
				}
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
	Eventually(t, "all have gone", func() bool {
		told := s.w.Platform.Presence("")
		if s.p.OneByOne { // a device that is slow to ask again has gone meanwhile
			return len(told) >= 2*n && balanced(told)
		}
		return len(told) == 2*(2*n+1)
	})
	if got := len(s.w.Platform.Stored("")); got != 2*n {
		t.Errorf("%d messages are stored, want %d", got, 2*n)
	}
	if got := s.w.Platform.Calls("POST credentials/resolve"); got > n/2 {
		t.Errorf("%d calls resolved %d references, want batches", got, n)
	}
}

// balanced tells whether as many have gone as have come.
func balanced(told []telemetry.Message) bool {
	open := 0
	for _, m := range told {
		if m.Samples[0].Value == true {
			open++
		} else {
			open--
		}
	}
	return open == 0
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
