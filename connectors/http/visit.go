package http

import (
	"context"
	"net/http"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/device"
)

// A visit is one request of who has a session.
type visit struct {
	call
	h       *Connector
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	session *gateway.Session
	shown   gateway.Shown

	device   *deviceState // on an operational gateway
	claimant *claimantState
}

// ServeHTTP answers one request. Nothing of its body is read before it is known whose it is.
func (h *Connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	c, p := read(r, h.phase, h.limits.Wait)
	if p != nil {
		p.write(w, r)
		return
	}
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		later(http.StatusServiceUnavailable, 5, "the gateway has no room for more requests").write(w, r)
		return
	}
	if c.op.open != nil {
		c.op.open(h, r.Context(), w, r, c)
		return
	}
	if p := h.visit(w, r, c); p != nil {
		p.write(w, r)
	}
}

// visit lets the device in and carries the operation out.
func (h *Connector) visit(w http.ResponseWriter, r *http.Request, c call) *problem {
	shown := connOf(r).Shown()
	switch {
	case shown.Certificate != nil && c.secret != "":
		return unauthorized("a certificate and another credential are shown", "show one")
	case shown.Certificate == nil && c.secret == "":
		return nothingShown(h.phase)
	}
	if ref, _, joined := device.Split(c.secret); joined && c.user != "" && c.user != string(ref) {
		return unauthorized("user name and secret are of different devices", "leave the user name out, or give the one that the secret begins with")
	}
	shown.User, shown.Secret = c.user, c.secret
	if h.phase == gateway.Provisioning {
		shown.Client = c.client
	}
	s, done, err := h.door.Visit(r.Context(), shown, h.open)
	if err != nil {
		return problemOf(err, h.phase)
	}
	defer done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	v := &visit{call: c, h: h, w: w, r: r, ctx: ctx, session: s, shown: shown}
	var places chan struct{}
	switch state := s.Attached().(type) {
	case *deviceState:
		if v.device, places = state, state.places; c.op.hook {
			places = state.hooks // a network server calls for all its devices
		}
	case *claimantState:
		v.claimant, places = state, state.places
	default:
		return problemOf(gateway.ErrStopping, h.phase)
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	default:
		return later(http.StatusTooManyRequests, 1, "too many requests of this device are under way")
	}
	return c.op.visit(v)
}

// open begins a session: its part of the link.
func (h *Connector) open(s *gateway.Session) (closed func()) {
	if h.phase == gateway.Provisioning {
		s.Attach(newClaimant(h.link.OpenClaim(s.ID, s.Name, s.Client, s.Done()), h.limits))
		return func() {}
	}
	d := newDevice(h, h.link.Open(s.ID, device.Ref(s.Client), s.Number, s.Done()))
	s.Attach(d)
	return func() {
		d.behind.end()
		d.link.Close()
		for range d.down.Left() {
			s.Dropped()
		}
	}
}

// settle has the link do something and waits until it is acknowledged. serial makes the device's own order of what it sends:
// one after the other, also while the platform is behind.
func (v *visit) settle(serial chan struct{}, do func(ack func(bool))) *problem {
	ctx, cancel := context.WithTimeout(v.ctx, v.h.limits.StoreTime)
	defer cancel()
	took, ok := v.session.Take(ctx)
	if !ok {
		return v.ended()
	}
	select {
	case serial <- struct{}{}:
	case <-ctx.Done():
		took(false)
		return v.ended()
	case <-v.session.Done():
		took(false)
		return v.ended()
	}
	stored := make(chan bool, 1)
	go func() { // it may be held back, for longer than the device waits
		do(func(ok bool) {
			stored <- ok // first: a gateway that ends does so once nothing is under way
			took(ok)
		})
		<-serial
	}()
	select {
	case ok = <-stored:
	case <-ctx.Done():
		ok = answered(stored)
	case <-v.session.Done():
		ok = answered(stored)
	}
	if !ok {
		return v.ended()
	}
	return nil
}

// answered tells whether it was stored just as the wait for that ended.
func answered(stored <-chan bool) bool {
	select {
	case ok := <-stored:
		return ok
	default:
		return false
	}
}

// ended is why something was not done.
func (v *visit) ended() *problem {
	if why := v.session.Why(); why != nil {
		return problemOf(why, v.h.phase)
	}
	return later(http.StatusServiceUnavailable, 2, "it is not stored yet; sent again with the same epoch and seq it is stored once")
}
