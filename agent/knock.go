package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A Knock is how a device without a claim makes itself known: it says at a provisioning gateway who it is, again and again, until
// people let it in. It is known again by its key.
type Knock struct {
	Gateway string // a provisioning gateway's address: tls://host:8884 (MQTT) or grpcs://host:8885 (gRPC)
	CA      string // PEM: who signed the gateway's certificate
	Maker   string // may be ""

	// Capabilities are what the device can do or measure, in its own words, like "cpu.percent": by them the platform guesses its
	// type. nil = what the Source measures.
	Capabilities []string

	// Retry is the pause between knocks: from Min (0 = 10s) to Max (0 = 5m). A gateway hears five knocks of an address, then one
	// a minute.
	Retry Retry
}

// errWaits tells that nobody has let the device in yet.
var errWaits = errors.New("nobody has let the device in yet")

// knocking is the way of a device without a claim.
func (a *Agent) knocking(ctx context.Context) (*way, error) {
	k := *a.cfg.Knock
	if _, _, err := parseAddress(k.Gateway); err != nil {
		return nil, fmt.Errorf("knock: gateway: %w", err)
	}
	if k.CA == "" {
		return nil, api.Invalid("knock: ca is missing: without it nobody knows whom the device would talk to")
	}
	if k.Capabilities == nil && a.cfg.Source != nil {
		if data, err := a.cfg.Source(ctx); err == nil {
			k.Capabilities = capabilities(data)
		} // else it knocks without: people see its model and facts
	}
	k.Retry.Min, k.Retry.Max = cmp.Or(k.Retry.Min, 10*time.Second), cmp.Or(k.Retry.Max, 5*time.Minute)
	return &way{
		login: login{gateway: k.Gateway, ca: k.CA}, request: request{Maker: k.Maker, Capabilities: k.Capabilities}, retry: k.Retry,
		phase: Knocking, detail: "knocking as " + a.cfg.Serial,
		ask:    func(ctx context.Context, s session, payload []byte) error { return s.knock(ctx, payload) },
		remedy: func(err error) error { return knockRemedy(err, k.Gateway, a.cfg.Now()) },
	}, nil
}

// knockRemedy adds to what keeps the device from knocking what is to be done about it.
func knockRemedy(err error, gateway string, now time.Time) error {
	switch {
	case errors.Is(err, ErrRejected):
		return fmt.Errorf("%w; the platform's administrators see it (castor waiting list --state \"\"), and can let a banned device wait again (castor waiting unban)", err)
	case errors.Is(err, errAnswer), errors.Is(err, errThrottled):
		return fmt.Errorf("%w: the knock was not heard: %s hears one a minute of an address, which others may share; it is tried again", err, gateway)
	case errors.Is(err, errRefused):
		return fmt.Errorf("%w: %s takes no knocks, or is no provisioning gateway; check the address, or come with a claim (castor claim create TYPE)", err, gateway)
	}
	return troubled(err, gateway, now, "the CA given", "get the CA anew: GET /function/credentials/ca of the platform")
}

// The bounds of what a knock may say.
const mostCapabilities = 64

var capability = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

// capabilities are the names of what was measured, dotted: as many as the platform takes.
func capabilities(data map[string]any) []string {
	var all []string
	var walk func(prefix string, data map[string]any)
	walk = func(prefix string, data map[string]any) {
		for name, v := range data {
			if inner, ok := v.(map[string]any); ok {
				walk(prefix+name+".", inner)
			} else if capability.MatchString(prefix + name) {
				all = append(all, prefix+name)
			}
		}
	}
	walk("", data)
	slices.Sort(all)
	return all[:min(len(all), mostCapabilities)]
}
