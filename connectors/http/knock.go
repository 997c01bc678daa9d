package http

import (
	"context"
	"errors"
	"net/http"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/api"
)

// knock brings what a device that has nothing says of itself to the waiting list. Its session lasts as long as the request: it
// knocks again to hear more.
func (h *Connector) knock(ctx context.Context, w http.ResponseWriter, r *http.Request, c call) {
	if p := h.knocked(ctx, w, r, c); p != nil {
		p.write(w, r)
	}
}

func (h *Connector) knocked(ctx context.Context, w http.ResponseWriter, r *http.Request, c call) *problem {
	if c.secret != "" {
		return bad("Authorization", "a device that knocks shows nothing", "leave it out; with a claim, POST /v1/provision/{type}")
	}
	ctx, cancel := context.WithTimeout(ctx, h.limits.StoreTime)
	defer cancel()
	s, err := h.door.Enter(ctx, connOf(r).Shown(), func(error) { cancel() })
	if err != nil {
		return unheard(err)
	}
	defer s.Leave()
	if err := s.Knock(); err != nil {
		return unheard(err)
	}
	payload, p := h.limits.body(w, r)
	if p != nil {
		return p
	}
	settle, ok := s.Take(ctx)
	if !ok {
		return problemOf(gateway.ErrStopping, h.phase)
	}
	answers, taken := make(chan api.ProvisionAnswer, 1), make(chan bool, 1)
	k := h.link.OpenKnock(s.ID, s.Client, s.Address.String(), s.Done())
	go k.Knock(payload, func(a api.ProvisionAnswer) { answers <- a }, func(ok bool) {
		settle(ok)
		taken <- ok
	})
	select {
	case ok := <-taken:
		if ok {
			reply(w, <-answers)
			return nil
		}
	case <-ctx.Done():
	}
	return later(http.StatusServiceUnavailable, 60, "nobody has taken the knock")
}

// unheard is why a knock was not listened to. An address may knock once a minute, so it is told to come back no sooner.
func unheard(err error) *problem {
	if errors.Is(err, gateway.ErrThrottled) {
		return later(http.StatusTooManyRequests, 60, "too many knocks")
	}
	return problemOf(err, gateway.Provisioning)
}
