package http

import (
	"fmt"
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
