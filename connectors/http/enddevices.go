package http

import (
	"container/list"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
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

	host   string        // whom frames for them are handed to; the first that was named
	pushes chan struct{} // of those under way there
}

// An endDevice is one of them. Who has its serial may use what is in it.
type endDevice struct {
	name   string
	via    string
	way    atomic.Pointer[way] // down to it; nil = not told
	pushes chan struct{}       // its integration's
	serial chan struct{}       // holds a place for the one that hands a message to the link
	link   *link.Session       // nil until the first message
	gone   bool                // it gave way to another
}

func newEndDevices(h *Connector, via string) *endDevices {
	return &endDevices{h: h, via: device.Ref(via), max: maxEndDevices, by: map[string]*list.Element{}, used: list.New(), pushes: make(chan struct{}, pushOfOne)}
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
	one := &endDevice{name: name, via: string(r.via), pushes: r.pushes, serial: make(chan struct{}, 1)}
	r.by[name] = r.used.PushFront(one)
	return one, nil
}

// lead notes the way down to a device, as a request has told it; nil = it told nothing, which counts once the last word is old. All of an integration's lead to one host, so that who can have it tell another
// address cannot have the platform call around; where they may lead at all is looked at when they are called.
func (r *endDevices) lead(one *endDevice, w *way, private bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := one.way.Load(); w == nil && last != nil && now.Sub(last.told) < wayFor {
		return
	}
	if w != nil && w.fault == "" {
		switch {
		case w.push.Scheme == "http" && !private:
			w = &way{fault: fmt.Sprintf("header %s of the network server's requests must be an https URL", w.of.downHeader)}
		case r.host == "":
			r.host = w.host()
		case w.host() != r.host:
			w = &way{fault: fmt.Sprintf("header %s of the network server's requests names another host than before; suspend and resume the integration if it has moved", w.of.downHeader)}
		}
	}
	if w != nil {
		w.told = now
	}
	one.way.Store(w)
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
	s.Via = r.via
	r.mu.Lock()
	ended := r.ended
	if !ended {
		one.link = s
		h.behind.Store(s, one)
	}
	r.mu.Unlock()
	if ended {
		s.Close()
		return nil
	}
	s.Listen() // a command that cannot reach it is told so at once
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
