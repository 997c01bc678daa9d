package http

import (
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/telemetry"
)

// Limits bound what requests can cost; those of connections are the gateway's. A zero field has the default given, where two are
// given the first is of an operational gateway.
type Limits struct {
	Requests int // under way at a time, polls too: 12,000; 500
	Each     int // of them of one device: 8
	Webhooks int // of them of one integration of a network server, beside: 128
	Header   int // bytes of a request's headers: 16 KiB
	Body     int // bytes of its body: telemetry.MaxPayload

	HeaderTime time.Duration // until the headers are there: 10 s
	BodyTime   time.Duration // and again until the body is: 20 s
	StoreTime  time.Duration // until a message is stored, before the device is told to send it again: 30 s
	Wait       time.Duration // the longest poll: 60 s
	Idle       time.Duration // how long a connection may be silent between requests: 2 min
	Grace      time.Duration // when stopping, for answers under way: 2 s
}

func (l Limits) withDefaults(p gateway.Phase) Limits {
	if p == gateway.Operational {
		or(&l.Requests, 12_000)
	}
	or(&l.Requests, 500)
	or(&l.Each, 8)
	or(&l.Webhooks, 128)
	or(&l.Header, 16<<10)
	or(&l.Body, telemetry.MaxPayload)
	or(&l.HeaderTime, 10*time.Second)
	or(&l.BodyTime, 20*time.Second)
	or(&l.StoreTime, 30*time.Second)
	or(&l.Wait, 60*time.Second)
	or(&l.Idle, 2*time.Minute)
	or(&l.Grace, 2*time.Second)
	return l
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}
