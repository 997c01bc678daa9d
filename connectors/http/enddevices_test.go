package http

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Of more devices than may have sessions the one that was silent longest gives way, unless a message of it is at hand.
func TestEndDevicesGiveWay(t *testing.T) {
	r := newEndDevices(&Connector{}, "tts-1")
	r.max = 3
	get := func(name string) *endDevice {
		t.Helper()
		one, p := r.of(name)
		if p != nil {
			t.Fatal(p)
		}
		return one
	}
	a, b := get("a"), get("b")
	get("c")
	if get("a") != a {
		t.Error("it is another one the second time")
	}
	a.serial <- struct{}{}
	if get("d"); !b.gone || a.gone || len(r.by) != 3 || r.used.Len() != 3 {
		t.Errorf("b gone %t, a gone %t, %d known", b.gone, a.gone, len(r.by))
	}
	for _, name := range []string{"c", "d"} {
		get(name).serial <- struct{}{}
	}
	if _, p := r.of("e"); p == nil || p.Status != 503 {
		t.Errorf("while all are at hand, one more is answered %v", p)
	}
	<-a.serial
	if get("e"); !a.gone {
		t.Error("what is not at hand any more stays")
	}
	if get("b") == b {
		t.Error("what has given way comes back as it was")
	}
}

// Each session of a device is younger than all before it, whatever clock and integration say.
func TestEndDevicesAreNumbered(t *testing.T) {
	r, now := newEndDevices(&Connector{}, "tts-1"), time.UnixMilli(1000)
	var got []int64
	for _, of := range []int64{1500, 1500, 1400, 0} {
		got = append(got, r.next(of, now))
	}
	if fmt.Sprint(got) != "[1500 1501 1502 1503]" {
		t.Error(got)
	}
}

// A request that tells no way down leaves the one that was told lately, good or bad, and ends one that was told long ago.
func TestAWayThatIsNotToldAgain(t *testing.T) {
	r := newEndDevices(&Connector{}, "tts-1")
	one, _ := r.of("a")
	told := func(key string) *way {
		return theThingsStack.wayOf(http.Header{"X-Downlink-Push": {"https://eu1.example.com/as/down/push"}, "X-Downlink-Apikey": {key}}, "a")
	}
	now := time.UnixMilli(0)
	for step, tt := range []struct {
		w     *way
		after time.Duration
		has   bool
		key   string
	}{
		{nil, 0, false, ""},
		{told("k1"), 0, true, "k1"},
		{nil, time.Minute, true, "k1"},
		{told("k2"), time.Minute, true, "k2"},
		{nil, wayFor - time.Second, true, "k2"},
		{nil, time.Second, false, ""},
		{told(""), 0, true, ""},
		{nil, time.Minute, true, ""},
		{told("k3"), 12 * time.Hour, true, "k3"},
		{nil, time.Minute, true, "k3"},
	} {
		now = now.Add(tt.after)
		r.lead(one, tt.w, false, now)
		if got := one.way.Load(); (got != nil) != tt.has || got != nil && (got.key != tt.key || (got.fault == "") != (tt.key != "")) {
			t.Errorf("step %d: %+v", step, got)
		}
	}
}
