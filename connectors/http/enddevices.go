package http

import (
	"container/list"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/device"
)

// maxEndDevices bounds for how many devices one device may have sessions at a time. One more ends that which was silent longest.
const maxEndDevices = 5000

// endDevices are the sessions of the devices that a device speaks for. They end with its own.
type endDevices struct {
	h   *Connector
	via device.Ref
	max int

	mu     sync.Mutex
	by     map[string]*list.Element
	used   *list.List // of *endDevice, the last used first
	ended  bool
	number int64 // of the newest session
}

// An endDevice is one of them. Who has its serial may use what is in it.
type endDevice struct {
	name   string
	serial chan struct{} // holds a place for the one that hands a message to the link
	link   *link.Session // nil until the first message
	gone   bool          // it gave way to another
}

func newEndDevices(h *Connector, via string) *endDevices {
	return &endDevices{h: h, via: device.Ref(via), max: maxEndDevices, by: map[string]*list.Element{}, used: list.New()}
}

// of is the one that via calls so.
func (r *endDevices) of(name string) (*endDevice, *problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.by[name]; ok {
		r.used.MoveToFront(e)
		return e.Value.(*endDevice), nil
	}
	if len(r.by) >= r.max && !r.makeRoom() {
		return nil, tooMany()
	}
	one := &endDevice{name: name, serial: make(chan struct{}, 1)}
	r.by[name] = r.used.PushFront(one)
	return one, nil
}

// makeRoom ends the session that was silent longest of those that nobody has at hand.
func (r *endDevices) makeRoom() bool {
	for e := r.used.Back(); e != nil; e = e.Prev() {
		one := e.Value.(*endDevice)
		select {
		case one.serial <- struct{}{}:
		default:
			continue
		}
		r.used.Remove(e)
		delete(r.by, one.name)
		one.gone = true
		r.close(one.link)
		one.link = nil
		<-one.serial
		return true
	}
	return false
}

// close ends a session; nil = there is none.
func (r *endDevices) close(s *link.Session) {
	if s != nil {
		r.h.behind.Delete(s)
		s.Close()
	}
}

// next numbers a session of one of them: it is younger than all before it, also if one was ended to make room and has come back.
func (r *endDevices) next(of int64, now time.Time) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number = max(r.number+1, of, now.UnixMilli())
	return r.number
}

// openEnd is the session of one of them, begun if need be; nil if it is over. The caller has its serial.
func (v *visit) openEnd(one *endDevice) *link.Session {
	r, h := v.device.behind, v.h
	if one.gone || one.link != nil {
		return one.link
	}
	number := r.next(v.session.Number, h.now())
	s := h.link.Open(fmt.Sprintf("%012x-%s", number, rand.Text()[:8]), device.RelayedRef(r.via, one.name), number, v.session.Done())
	r.mu.Lock()
	ended := r.ended
	if !ended {
		one.link = s
		h.behind.Store(s, nil)
	}
	r.mu.Unlock()
	if ended {
		s.Close()
		return nil
	}
	s.Listen() // it is told at once that commands do not reach it
	return s
}

// end ends all sessions.
func (r *endDevices) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for e := r.used.Front(); e != nil; e = e.Next() {
		r.close(e.Value.(*endDevice).link)
	}
}
