package http

import (
	"context"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/device"
)

// A relayed is a device of somebody else's gateway, from its first sign to its last.
type relayed struct {
	ref     device.Ref
	turn    chan struct{} // holds the place of who calls the link
	done    chan struct{} // closed when the device has gone for good
	gone    bool          // who has the turn looks
	session *link.Session // set by the first who has the turn; changed under Relay.mu
}

// attend has do call the link for the device when it is its turn. It is false if ctx ended before.
func (r *Relay) attend(ctx context.Context, ref device.Ref, do func(d *relayed)) bool {
	for {
		r.mu.Lock()
		d := r.devices[ref]
		if d == nil {
			d = &relayed{ref: ref, turn: make(chan struct{}, 1), done: make(chan struct{})}
			r.devices[ref] = d
		}
		r.mu.Unlock()
		select {
		case d.turn <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		if !d.gone {
			if d.session == nil {
				id, number := r.numbers.Next(r.config.Now())
				s := r.link.Open(id, ref, number, d.done)
				r.mu.Lock()
				if d.session = s; r.listens {
					s.Listen()
				}
				r.mu.Unlock()
			}
			do(d)
			<-d.turn
			return true
		}
		<-d.turn
	}
}

// lingerFor is how long what a device has said may take to be stored after it has gone.
const lingerFor = time.Minute

// leave ends the device's session. Whoever calls it has the turn.
func (r *Relay) leave(d *relayed) {
	r.mu.Lock()
	if r.devices[d.ref] == d {
		delete(r.devices, d.ref)
	}
	r.mu.Unlock()
	if d.gone = true; d.session != nil {
		d.session.Close()
	}
	time.AfterFunc(lingerFor, func() { close(d.done) })
}

// sweep ends the sessions of devices that have no place at the gateway any more; of all, when nothing is heard of the gateway.
func (r *Relay) sweep(all bool) {
	r.mu.Lock()
	all = all || r.config.Now().Sub(r.heard) > r.config.Silence && !r.listens
	var away []*relayed
	for ref, d := range r.devices {
		if all || !r.config.Admitted(string(ref)) {
			away = append(away, d)
		}
	}
	r.mu.Unlock()
	for _, d := range away {
		select {
		case d.turn <- struct{}{}:
			if !d.gone {
				r.leave(d)
			}
			<-d.turn
		default: // it is being spoken for: next time
		}
	}
}
