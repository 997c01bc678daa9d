package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// maxGateways is how many addresses the agent takes from the platform.
const maxGateways = 8

// errMoved ends a session because the device has its place at another gateway.
var errMoved = errors.New("the device has its place at another gateway")

// gateway is the address for the next attempt. Attempts go in rounds: the device's own gateway, and after it, once each, those where it
// may have its place by now. A gateway that only restarts is not left, and one that is gone is not waited for.
func (a *Agent) gateway() string {
	if n := a.tries % a.round(); n > 0 {
		return a.id.others()[n-1]
	}
	return a.id.bundle.Gateway
}

// round is how many attempts a round has.
func (a *Agent) round() int { return 1 + len(a.id.others()) }

// pause is how long to wait before the next attempt: short within a round, and growing from round to round. A device that has other
// gateways waits half as long: it has a place at one of them soon after its own has died, and no gateway hears it more often than once a round.
func (a *Agent) pause(b *backoff) time.Duration {
	switch n := a.round(); {
	case a.tries%n > 0:
		return a.cfg.Retry.start().next()
	case a.tries > 0 && n > 1:
		return b.next() / 2
	}
	return b.next()
}

// others are the gateways that the device knows beside its own.
func (id *identity) others() []string {
	return slices.DeleteFunc(slices.Clone(id.bundle.Gateways), func(g string) bool { return g == id.bundle.Gateway })
}

// checkGateways returns ErrInvalid if own and others cannot be dialled.
func checkGateways(own string, others []string) error {
	if len(others) > maxGateways {
		return api.Invalid("gateways: %d addresses, at most %d are taken", len(others), maxGateways)
	}
	for _, g := range append([]string{own}, others...) {
		if _, _, err := parseAddress(g); err != nil {
			return err
		}
	}
	return nil
}

// heardMove takes the platform's word that the device has its place elsewhere. It must not block: send ends the session.
func (a *Agent) heardMove(payload []byte) {
	var m api.GatewayMove
	err := json.Unmarshal(payload, &m)
	if err == nil {
		err = checkGateways(m.URL, m.Alternatives)
	}
	if err != nil {
		a.cfg.Log.Warn("move to another gateway ignored", "error", err)
		return
	}
	select {
	case a.moves <- m:
	default: // it is told again
	}
}

// move goes over to another gateway. It is kept before the session ends, and what was is kept as an alternative, so that a crash
// at any time leaves the device with an address that lets it in.
func (a *Agent) move(m api.GatewayMove) error {
	if m.URL == a.id.bundle.Gateway {
		return nil
	}
	others := []string{m.URL}
	for _, g := range append(m.Alternatives, a.id.bundle.Gateway) {
		if len(others) < maxGateways && !slices.Contains(others, g) {
			others = append(others, g)
		}
	}
	return a.settleAt(m.URL, others)
}

// letIn notes that a gateway has let the device in: it is its own from now on.
func (a *Agent) letIn(gateway string) {
	if gateway == a.id.bundle.Gateway {
		return
	}
	others := []string{gateway}
	for _, g := range append([]string{a.id.bundle.Gateway}, a.id.bundle.Gateways...) {
		if len(others) < maxGateways && !slices.Contains(others, g) {
			others = append(others, g)
		}
	}
	if err := a.settleAt(gateway, others); err != nil {
		a.cfg.Log.Error("gateway not noted, it is found again after a restart", "error", err)
	}
}

// settleAt makes gateway the device's own.
func (a *Agent) settleAt(gateway string, all []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.id.bundle
	bundle := *before
	bundle.Gateway, bundle.Gateways = gateway, all
	a.id.bundle = &bundle
	if err := a.id.keep(&a.vault); err != nil {
		a.id.bundle = before
		return fmt.Errorf("keeping the gateway: %w", err)
	}
	return nil
}
