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

// certificate makes the gateways' certificate if there is none, or renews it, and checks the one that is there. hosts may be
// empty where there is one: a renewed one is for the same.
func (d Dir) certificate(p Plan) (made []string, notes []string, err error) {
	haveCert, haveKey := d.Has(GatewayCert), d.Has(GatewayKey)
	var old *x509.Certificate
	if haveCert {
		if old, err = d.leaf(); err != nil {
			return nil, nil, err
		}
	}
	ours := old != nil && d.signed(old)
	switch {
	case haveCert && !ours && (p.Renew || !haveKey):
		return nil, nil, fmt.Errorf("%s is not signed by the platform's CA: get a new one with its key where it comes from, or take both files away", d.Path(GatewayCert))
	case haveKey && !haveCert:
		return nil, nil, fmt.Errorf("%s is there without %s: put the certificate beside it, or take the key away for new ones", d.Path(GatewayKey), GatewayCert)
	case haveCert && haveKey && !p.Renew:
		return nil, d.checkCertificate(p, old, ours, &err), err
	}
	hosts := p.Hosts
	if len(hosts) == 0 && old != nil {
		hosts = hostsOf(old)
	}
	if len(hosts) == 0 {
		return nil, nil, errors.New("name what devices dial, for the gateways' certificate: --host pump.example.com (several are allowed)")
	}
	ca, err := d.ca()
	if err != nil {
		return nil, nil, err
	}
	pair, err := ca.Server(p.Now, hosts...)
	if err != nil {
		return nil, nil, err
	}
	var chain bytes.Buffer
	for _, der := range pair.Certificate {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return nil, nil, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	// One that is interrupted between the two is found by its not fitting, and made again by --renew.
	if err := errors.Join(d.Replace(GatewayCert, chain.Bytes()), d.Replace(GatewayKey, key)); err != nil {
		return nil, nil, err
	}
	return []string{GatewayCert, GatewayKey}, []string{fmt.Sprintf("the gateways' certificate is for %s, until %s", strings.Join(hosts, ", "), p.Now.Add(renewalOf(pair)).UTC().Format(time.DateOnly))}, nil
}

func renewalOf(pair tls.Certificate) time.Duration {
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return 0
	}
	return c.NotAfter.Sub(c.NotBefore)
}

// checkCertificate tells what is wrong with a certificate that stays: as notes what will be, as err what is.
func (d Dir) checkCertificate(p Plan, c *x509.Certificate, ours bool, err *error) (notes []string) {
	renew := "run castor init " + string(d) + " --renew"
	if !ours {
		renew = "put a new one in its place"
	}
	cert, certErr := d.Read(GatewayCert)
	key, keyErr := d.Read(GatewayKey)
	if *err = errors.Join(certErr, keyErr); *err != nil {
		return nil
	}
	if _, pairErr := tls.X509KeyPair(cert, key); pairErr != nil {
		*err = fmt.Errorf("%s and %s in %s do not belong together: %s", GatewayCert, GatewayKey, d, renew)
		return nil
	}
	for _, h := range p.Hosts {
		if c.VerifyHostname(h) != nil {
			*err = fmt.Errorf("%s is for %s, not for %s: %s with every --host", d.Path(GatewayCert), strings.Join(hostsOf(c), ", "), h, renew)
			return nil
		}
	}
	if left := c.NotAfter.Sub(p.Now); left < 0 {
		*err = fmt.Errorf("%s is expired since %s: %s", d.Path(GatewayCert), c.NotAfter.UTC().Format(time.DateOnly), renew)
	} else if left < renewBefore {
		notes = append(notes, fmt.Sprintf("the gateways' certificate ends on %s: %s", c.NotAfter.UTC().Format(time.DateOnly), renew))
	}
	return notes
}

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
	// The first host is the subject; the order of kinds is lost otherwise.
	hosts := []string{}
	if isHost(c.Subject.CommonName) {
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
