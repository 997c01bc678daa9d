package link_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// BenchmarkAfterAChange is a message of each of 20,000 devices, of 20 types with a driver each, when nothing has changed, when one driver
// has, and when all may have: how often the registry is asked, and how long it takes until all messages are stored.
func BenchmarkAfterAChange(b *testing.B) {
	const devices, types = 20_000, 20
	w := linktest.NewWorld(b)
	l := decoding(b, w, &far{}, func(c *link.Config) { c.Limits.Cache = time.Hour })
	document := []byte("castor: 1\nuplink:\n  fields:\n    - {name: n, type: u8}\n")
	sessions := make([]*link.Session, devices)
	for i := range sessions {
		ref, kind := device.Ref(fmt.Sprint("p-", i)), i%types
		u := w.Platform.Driver(fmt.Sprint("driver-", kind), "1.0.0", driver.Declarative, document)
		u.Type = twin.TypeID(fmt.Sprint("type-", kind))
		w.Platform.Use(linktest.TwinOf(ref), u)
		sessions[i] = l.Open(fmt.Sprint("s-", i), ref, 1, nil)
	}
	all := func() {
		var said sync.WaitGroup
		said.Add(devices)
		for _, s := range sessions {
			go say(s, []byte{7}, func(bool) { said.Done() })
		}
		said.Wait()
	}
	all()
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"nothing", func() {}},
		{"a driver of 1,000", func() { tell(b, w, event.DriverChanged, api.DriverChanged{Name: "driver-3"}) }},
		{"all", func() { tell(b, w, event.DriverChanged, api.DriverChanged{}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			before := w.Platform.Calls("POST drivers/resolve")
			for b.Loop() {
				c.change()
				all()
			}
			b.ReportMetric(float64(w.Platform.Calls("POST drivers/resolve")-before)/float64(b.N), "calls/op")
		})
	}
}
