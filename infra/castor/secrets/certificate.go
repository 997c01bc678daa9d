package secrets

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Secrets that the MQTT gateways show to devices: certificate chain and key, PEM.
const (
	GatewayCert = "castor-gateway-cert"
	GatewayKey  = "castor-gateway-key"
)

// renewBefore is how long before its end a certificate should be renewed.
const renewBefore = 30 * 24 * time.Hour

// certificate makes the gateways' certificate if there is none, or renews it, and checks the one that is there. The plan's
// hosts may be none where there is one: a renewed one is for the same.
func (d Dir) certificate(p Plan) (made, notes []string, err error) {
	haveCert, haveKey := d.Has(GatewayCert), d.Has(GatewayKey)
	var old *x509.Certificate
	if haveCert {
		if old, err = d.leaf(); err != nil {
			return nil, nil, err
		}
	}
	ours := old != nil && d.signed(old)
	switch {
	case haveCert && haveKey && !p.Renew:
		notes, err = d.checkCertificate(p, old, ours)
		return nil, notes, err
	case haveCert && !ours:
		return nil, nil, fmt.Errorf("%s is not signed by the platform's CA: get a new one with its key where it comes from, or take both files away", d.Path(GatewayCert))
	case haveKey && !haveCert:
		return nil, nil, fmt.Errorf("%s is there without %s: put the certificate beside it, or take the key away for new ones", d.Path(GatewayKey), GatewayCert)
	}
	hosts := p.Hosts
	if len(hosts) == 0 && old != nil {
		hosts = hostsOf(old)
	}
	if len(hosts) == 0 {
		return nil, nil, errors.New("name what devices dial, for the gateways' certificate: --host pump.example.com (several are allowed)")
	}
	return d.makeCertificate(p, hosts)
}

// makeCertificate writes a new certificate and key. When it is interrupted between the two, they are found not to fit, and
// --renew makes them again.
func (d Dir) makeCertificate(p Plan, hosts []string) (made, notes []string, err error) {
	chain, key, until, err := d.Server(p.Now, hosts)
	if err != nil {
		return nil, nil, err
	}
	if err = d.Replace(GatewayCert, chain); err == nil {
		err = d.Replace(GatewayKey, key)
	}
	return []string{GatewayCert, GatewayKey}, []string{fmt.Sprintf("the gateways' certificate is for %s, until %s", strings.Join(hosts, ", "), day(until))}, err
}

// Server makes a certificate for hosts by the platform's CA: the chain and the key, both PEM, and until when it is good.
func (d Dir) Server(now time.Time, hosts []string) (chain, key []byte, until time.Time, err error) {
	ca, err := d.ca()
	if err != nil {
		return nil, nil, until, err
	}
	pair, err := ca.Server(now, hosts...)
	if err != nil {
		return nil, nil, until, err
	}
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, nil, until, err
	}
	var text bytes.Buffer
	for _, der := range pair.Certificate {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, nil, until, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil, until, err
	}
	return text.Bytes(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), c.NotAfter, nil
}

// checkCertificate tells what is wrong with a certificate that stays: as notes what will be, as an error what is.
func (d Dir) checkCertificate(p Plan, c *x509.Certificate, ours bool) (notes []string, err error) {
	renew := "run castor init " + string(d) + " --renew"
	if !ours {
		renew = "put a new one in its place"
	}
	cert, err := d.Read(GatewayCert)
	if err != nil {
		return nil, err
	}
	key, err := d.Read(GatewayKey)
	if err != nil {
		return nil, err
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		return nil, fmt.Errorf("%s and %s in %s do not belong together: %s", GatewayCert, GatewayKey, d, renew)
	}
	for _, h := range p.Hosts {
		if c.VerifyHostname(h) != nil {
			return nil, fmt.Errorf("%s is for %s, not for %s: %s with every --host", d.Path(GatewayCert), strings.Join(hostsOf(c), ", "), h, renew)
		}
	}
	switch left := c.NotAfter.Sub(p.Now); {
	case left < 0:
		return nil, fmt.Errorf("%s is expired since %s: %s", d.Path(GatewayCert), day(c.NotAfter), renew)
	case left < renewBefore:
		notes = append(notes, fmt.Sprintf("the gateways' certificate ends on %s: %s", day(c.NotAfter), renew))
	}
	return notes, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func (d Dir) leaf() (*x509.Certificate, error) {
	b, err := d.Read(GatewayCert)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM certificate: take it and %s away for new ones", d.Path(GatewayCert), GatewayKey)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s is no certificate: take it and %s away for new ones", d.Path(GatewayCert), GatewayKey)
	}
	return c, nil
}

// signed tells whether the platform's CA made the certificate.
func (d Dir) signed(c *x509.Certificate) bool {
	ca, err := d.ca()
	if err != nil {
		return false
	}
	_, err = c.Verify(x509.VerifyOptions{Roots: ca.Pool(), CurrentTime: c.NotBefore.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

func hostsOf(c *x509.Certificate) []string {
	var hosts []string
	if isHost(c.Subject.CommonName) { // the first one: it is what devices are told to dial
		hosts = append(hosts, c.Subject.CommonName)
	}
	add := func(h string) {
		if len(hosts) == 0 || hosts[0] != h {
			hosts = append(hosts, h)
		}
	}
	for _, h := range c.DNSNames {
		add(h)
	}
	for _, ip := range c.IPAddresses {
		add(ip.String())
	}
	return hosts
}
