package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/trace"
)

// A Knocker is one connection of a device that has shown nothing to its provisioning gateway. It may say who it is, and is told
// to wait, to go, or what its run says once people have let it in.
type Knocker struct {
	ID      string // of the session
	Client  string // where answers go
	Address string // that the connection comes from

	link *Link
	done <-chan struct{}
	busy chan struct{} // holds a place for the one knock under way
}

const (
	maxKnock = 16 << 10 // bytes
	knockFor = 20 * time.Second

	// knocking is how many knocks are under way at a time: few, so that they take nothing from devices that have a claim.
	knocking = 2
)

// OpenKnock begins a session of a device that shows nothing. The gateway limits how often those come before it calls.
func (l *Link) OpenKnock(id, client, address string, done <-chan struct{}) *Knocker {
	return &Knocker{ID: id, Client: client, Address: address, link: l, done: done, busy: make(chan struct{}, 1)}
}

// Knock brings what the device says of itself to the waiting list, and answer what it is told. ack is called with true when
// that was possible. A knock is not repeated here when it fails: the device knocks again.
func (k *Knocker) Knock(payload []byte, answer func(api.ProvisionAnswer), ack func(taken bool)) {
	in, err := k.read(payload)
	tell := answer
	answer = func(a api.ProvisionAnswer) {
		metrics.Answered(k.link.config.Gateway.ID, a.Status)
		tell(a)
	}
	if err != nil {
		answer(api.ProvisionAnswer{Status: "rejected", Reason: err.Error()})
		ack(true)
		return
	}
	traced := trace.With(k.link.work, trace.New())
	k.link.begin(k.busy, k.done, ack, func() bool {
		select {
		case k.link.knocks <- struct{}{}:
			defer func() { <-k.link.knocks }()
		case <-k.done:
			return false
		case <-k.link.work.Done():
			return false
		}
		ctx, cancel := context.WithTimeout(traced, knockFor)
		defer cancel()
		out, err := k.link.api.Knock(ctx, in)
		var p *api.Problem
		switch {
		case errors.As(err, &p) && final(p.Status):
			out = api.ProvisionAnswer{Status: "rejected", Reason: p.Error()}
		case err != nil:
			k.link.log.WarnContext(traced, "knock was not taken", "client", k.Client, "error", err)
			return false
		}
		answer(out)
		return true
	})
}

// read takes a knock apart. What is wrong with single fields, the function says: it counts it, too.
func (k *Knocker) read(payload []byte) (in api.Knock, err error) {
	if len(payload) > maxKnock {
		return in, fmt.Errorf("the knock has %d bytes, at most %d are taken", len(payload), maxKnock)
	}
	var r struct {
		Serial       string            `json:"serial"`
		MAC          string            `json:"mac"`
		Model        string            `json:"model"`
		Maker        string            `json:"maker"`
		Facts        map[string]string `json:"facts"`
		Capabilities []string          `json:"capabilities"`
		CSR          string            `json:"csr"`
		PublicKey    string            `json:"publicKey"`
		Protocol     string            `json:"protocol"`
		Kind         string            `json:"kind"`
	}
	if err := decodeObject(payload, &r); err != nil {
		return in, fmt.Errorf("the knock must be an object with serial, model, facts, capabilities and csr or publicKey: %w", err)
	}
	return api.Knock{Gateway: k.link.config.Gateway.ID, Client: k.Client, Address: k.Address, Serial: r.Serial, MAC: r.MAC, Model: r.Model, Maker: r.Maker,
		Facts: r.Facts, Capabilities: r.Capabilities, CSR: r.CSR, PublicKey: r.PublicKey, Kind: r.Kind,
		Protocol: cmp.Or(r.Protocol, k.link.config.Gateway.Protocol)}, nil
}
