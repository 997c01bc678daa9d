package linktest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A stage is where one story plays.
type stage struct {
	t *testing.T
	w *World
	p Protocol

	address string
	stop    func()
}

// start runs the gateway.
func (s *stage) start(phase string) {
	s.t.Helper()
	s.address, s.stop = s.p.Start(s.t, s.w, phase)
}

// device makes a device that is let in, and connects it.
func (s *stage) device(ref device.Ref) Device {
	s.t.Helper()
	return s.connect(s.w.AdmitDevice(ref))
}

// connect connects a device, as soon as the gateway lets it in.
func (s *stage) connect(id Identity) Device {
	s.t.Helper()
	var d Device
	Eventually(s.t, id.Client+" is let in", func() (ok bool) {
		var err error
		d, err = s.p.Dial(s.w, s.address, id)
		return err == nil
	})
	s.t.Cleanup(d.Cut)
	return d
}

// wait waits until c is closed.
func (s *stage) wait(what string, c <-chan struct{}) {
	s.t.Helper()
	select {
	case <-c:
	case <-time.After(Patience):
		s.t.Fatalf("not in time: %s", what)
	}
}

// notYet fails if c is closed.
func (s *stage) notYet(what string, c <-chan struct{}) {
	s.t.Helper()
	select {
	case <-c:
		s.t.Fatalf("too early: %s", what)
	default:
	}
}

// message waits for a message of that name.
func (s *stage) message(d Device, name string) []byte {
	s.t.Helper()
	timeout := time.After(Patience)
	for {
		select {
		case m := <-d.Messages():
			if m.Name == name {
				return m.Payload
			}
		case <-timeout:
			s.t.Fatalf("not in time: message %s", name)
		}
	}
}

// told waits until the device is told that everything up to o is stored.
func (s *stage) told(d Device, o twin.Order) {
	s.t.Helper()
	for {
		var got twin.Order
		if err := json.Unmarshal(s.message(d, "ack"), &got); err != nil {
			s.t.Fatal(err)
		}
		if got == o {
			return
		}
		if got.After(o) {
			s.t.Fatalf("told that %+v is stored, %+v is the last sent", got, o)
		}
	}
}

// reading is a telemetry payload.
func reading(epoch, seq int) []byte {
	return fmt.Appendf(nil, `{"time":"2026-03-21T10:00:00.%03dZ","epoch":%d,"seq":%d,"data":{"rpm":%d}}`, seq%1000, epoch, seq, seq)
}

// seqs are the sequence numbers of messages.
func seqs(messages []telemetry.Message) (out []int64) {
	for _, m := range messages {
		out = append(out, m.Order.Seq)
	}
	return out
}

func (s *stage) inOrder(messages []telemetry.Message, n int) {
	s.t.Helper()
	if len(messages) != n {
		s.t.Errorf("%d messages are stored, want %d", len(messages), n)
	}
	for i, m := range messages {
		if m.Order.Seq != int64(i+1) {
			s.t.Fatalf("stored in the order %v", seqs(messages))
		}
	}
}
