// Package gatewaytest plays the platform for the agent's tests: a provisioning and an operational gateway that speak real MQTT or
// gRPC on TLS, a CA, and answers by the wire contract, which a test can script. It checks what a real gateway checks (claim token,
// certificate, topics) and keeps every message; it is no twin and stores nothing.
package gatewaytest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Protocols are what the gateways can speak, by the scheme of their addresses: MQTT and gRPC.
var Protocols = []string{"tls", "grpcs"}

// A Message is one thing a device said.
type Message struct {
	Ref   device.Ref
	Topic string // below castor/{ref}/
	Order twin.Order
	Time  time.Time
	Data  map[string]any
	Level string
	Text  string

	// Of answers to commands; Output is JSON.
	Status, Output, Reason string
}

// Platform is two gateways and what stands behind them. Script fields are set before devices connect, or through Do.
type Platform struct {
	CA    *CA
	Claim api.ClaimFile

	// Answer decides about a request; nil accepts it. Returning nil answers nothing.
	Answer func(req api.ProvisionRequest) *api.ProvisionAnswer

	// Knocked answers who knocks; nil lets nobody knock. Returning nil hears nothing.
	Knocked func(k api.Knock) *api.ProvisionAnswer

	// Hold leaves telemetry unstored: neither PUBACK nor acknowledgement.
	Hold bool

	// Mute stores telemetry and sends PUBACK, but no acknowledgement.
	Mute bool

	// DenyConfirm leaves so many confirmations without PUBACK.
	DenyConfirm int

	// DenyRenew leaves so many requests for the next certificate without an answer. Confirming is called when a renewed one was
	// confirmed and the one before has ended, before the device hears that. Refuse keeps certificates out, by their serial.
	DenyRenew  int
	Confirming func()
	Refuse     func(serial string) bool

	answering    sync.Mutex // one request at a time
	mu           sync.Mutex
	gateway      string // address of the operational gateway
	requests     []api.ProvisionRequest
	knocks       []api.Knock
	confirms     []device.Ref
	messages     []Message
	publications int
	sessions     int
	good         map[device.Ref][]string // fingerprints of certificates
	renewals     int
	csrs         []string
	connected    map[device.Ref]line
}

// A line is the connection of a device.
type line interface {
	kick()
	ack(o twin.Order)
	command(id, payload string) bool // false if the device does not listen
}

// New starts a platform on MQTT that is closed with the test.
func New(t testing.TB) *Platform { return Speaking(t, "tls") }

// Speaking is New for one of Protocols.
func Speaking(t testing.TB, protocol string) *Platform {
	p := &Platform{CA: NewCA(t), connected: map[device.Ref]line{}, good: map[device.Ref][]string{}}
	cert := p.CA.Server(t)
	var provisioning, operational string
	if protocol == "grpcs" {
		provisioning, operational = p.startGRPC(t, cert)
	} else {
		provisioning, operational = p.startMQTT(t, cert)
	}
	p.gateway = protocol + "://" + operational
	p.Claim = api.ClaimFile{Claim: device.Claim{ID: "claim-1", Type: "pump"}, Token: "secret", Gateway: protocol + "://" + provisioning, CA: p.CA.PEM()}
	return p
}

// Another starts a platform with another CA, on the same protocol.
func (p *Platform) Another(t testing.TB) *Platform {
	protocol, _, _ := strings.Cut(p.gateway, "://")
	return Speaking(t, protocol)
}

// Gateway is the operational gateway's address.
func (p *Platform) Gateway() string { return p.gateway }

// Do changes the script while devices are connected.
func (p *Platform) Do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Requests are the provisioning requests so far.
func (p *Platform) Requests() []api.ProvisionRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Knocks are those so far.
func (p *Platform) Knocks() []api.Knock {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.knocks)
}

// Confirms are the devices that have confirmed, once for each time.
func (p *Platform) Confirms() []device.Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.confirms)
}

// Messages are those stored so far, in the order in which they came, repetitions included.
func (p *Platform) Messages() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.messages)
}

// Publications is how many messages of the protocol with telemetry were stored.
func (p *Platform) Publications() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.publications
}

// Sessions is how often a device has logged in at the operational gateway.
func (p *Platform) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions
}

func (p *Platform) line(ref device.Ref) line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connected[ref]
}

// Kick breaks a device's connection.
func (p *Platform) Kick(ref device.Ref) {
	if l := p.line(ref); l != nil {
		l.kick()
	}
}

// Ack sends an acknowledgement.
func (p *Platform) Ack(ref device.Ref, o twin.Order) {
	if l := p.line(ref); l != nil {
		l.ack(o)
	}
}

// Command has a device do something, if it is connected and listens.
func (p *Platform) Command(ref device.Ref, id, payload string) bool {
	l := p.line(ref)
	return l != nil && l.command(id, payload)
}

// Accept is the usual answer: a certificate for the request's key, in the name of its serial.
func (p *Platform) Accept(req api.ProvisionRequest) *api.ProvisionAnswer {
	ref := device.Ref("dev-" + strings.ToLower(req.Serial))
	cert, err := p.issue(ref, req.CSR)
	if err != nil {
		return &api.ProvisionAnswer{Status: "rejected", Reason: err.Error()}
	}
	return &api.ProvisionAnswer{Status: "accepted", Run: "run-1", Bundle: &api.Bundle{
		Ref: ref, Twin: twin.ID(strings.ToLower(req.Serial)), Gateway: p.Gateway(), CA: p.CA.PEM(), Certificate: cert,
	}}
}
