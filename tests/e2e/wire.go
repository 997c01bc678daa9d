package e2e

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// A wire is how devices with firmware of their own speak one protocol: one call per thing they say, as docs/devices*.md has it.
type wire interface {
	// ask asks to be provisioned, and returns the answer once it is final, or the last one when patience is over.
	ask(ctx context.Context, to way, claim api.ClaimFile, as twin.TypeID, body any) (api.ProvisionAnswer, error)
	knock(ctx context.Context, to way, body any) (api.ProvisionAnswer, error)
	confirm(ctx context.Context, to way, p proof) error
	// report says something of the device ref, and returns when that is stored.
	report(ctx context.Context, to way, p proof, ref device.Ref, body any) error
}

// wires are all there are, by the name of the protocol.
var wires = map[string]wire{"mqtt": mqttWire{}, "grpc": grpcWire{}, "http": httpWire{}}

// A way is where a device dials, from which address, and whom it believes.
type way struct {
	url, ca string
	from    string // "" = the system's choice
}

func (y way) dial(ctx context.Context, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	if y.from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(y.from)}
	}
	return d.DialContext(ctx, "tcp", address)
}

// secure is dial with TLS.
func (y way) secure(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	c, err := y.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName, _, _ = net.SplitHostPort(address)
	t := tls.Client(c, config)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// tls is the device's side, with the certificate that it shows, if any.
func (y way) tls(p proof) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AppendCertsFromPEM([]byte(y.ca))
	if p.certificate != nil {
		c.Certificates = []tls.Certificate{*p.certificate}
	}
	return c
}

// A proof is what a device shows of itself at its operational gateway.
type proof struct {
	ref         device.Ref
	kind        device.Kind
	certificate *tls.Certificate
	user        string // of kind password
	secret      string
}

// A maker's device has its own keys, and what the platform gave it.
type made struct {
	key     *ecdsa.PrivateKey // of its certificate
	public  string            // X25519
	private []byte
	bundle  api.Bundle
}

func (w *World) made() *made {
	w.Helper()
	m := &made{}
	var err error
	m.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err, "key")
	m.public, m.private, err = seal.NewKey()
	w.must(err, "key")
	return m
}

// request is what the device asks, with a CSR if kind is certificate, else with its public key.
func (m *made) request(serial string, kind device.Kind) map[string]any {
	in := map[string]any{"serial": serial, "model": "Pump 3000", "kind": kind}
	if kind.Secret() {
		in["publicKey"] = m.public
	} else {
		in["csr"] = csrOf(m.key, serial)
	}
	return in
}

func csrOf(key any, name string) string {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		panic(err) // of our own making
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// proof opens what the bundle has for the device.
func (m *made) proof() (p proof, err error) {
	p = proof{ref: m.bundle.Ref, kind: device.Kind(m.bundle.Kind)}
	if m.bundle.Sealed == "" {
		der, err := x509.MarshalPKCS8PrivateKey(m.key)
		if err != nil {
			return p, err
		}
		c, err := tls.X509KeyPair([]byte(m.bundle.Certificate), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		p.certificate = &c
		return p, err
	}
	plain, err := seal.Open(m.private, api.SealInfo(m.bundle.Ref), m.bundle.Sealed)
	if err != nil {
		return p, err
	}
	var s api.Secret
	if err := json.Unmarshal(plain, &s); err != nil {
		return p, err
	}
	p.secret = s.Secret
	if p.kind == device.Password {
		if p.user = s.Username; p.user == "" {
			p.user = string(p.ref)
		}
	}
	return p, nil
}

// operational is the way to the device's gateway.
func (m *made) operational() way { return way{url: m.bundle.Gateway, ca: m.bundle.CA} }

// comesIn brings a device in by a claim over a protocol, has it confirm and returns it with what it shows.
func (w *World) comesIn(protocol, serial string, kind device.Kind, claim api.ClaimFile) (*made, proof) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	m, door := w.made(), way{url: cmp.Or(claim.Gateways[protocol], claim.Gateway), ca: claim.CA}
	a, err := wires[protocol].ask(ctx, door, claim, claim.Claim.Type, m.request(serial, kind))
	for err == nil && a.Status == "pending" { // a busy machine: it asks again, as the guides say
		a, err = wires[protocol].ask(ctx, door, claim, claim.Claim.Type, m.request(serial, kind))
	}
	w.must(err, serial+" asks")
	if a.Bundle == nil {
		w.Fatalf("%s is told %+v", serial, a)
	}
	m.bundle = *a.Bundle
	p, err := m.proof()
	w.must(err, "what "+serial+" got")
	w.must(wires[protocol].confirm(ctx, m.operational(), p), serial+" confirms")
	return m, p
}

// door is the way to the provisioning gateway of a protocol.
func (w *World) door(protocol, ca string) way {
	id := "provisioning-1"
	if protocol != "mqtt" {
		id = "provisioning-" + protocol + "-1"
	}
	return way{url: w.Castor.Devices[id], ca: ca}
}

// inside is the way to the operational gateway of a protocol.
func (w *World) inside(protocol, ca string) way {
	id := "operational-1"
	if protocol != "mqtt" {
		id = "operational-" + protocol + "-1"
	}
	return way{url: w.Castor.Devices[id], ca: ca}
}

// refused tells whether a gateway has turned a device away, and not whether anything else went wrong.
func refused(err error) bool { return errors.Is(err, errTurnedAway) }

var errTurnedAway = errors.New("turned away")

func turnedAway(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errTurnedAway, fmt.Sprintf(format, args...))
}
