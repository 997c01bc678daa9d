package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// When certificates are told of before they end. The CA's end ends all of them, and new ones must reach every device.
const (
	day        = 24 * time.Hour
	soon, now  = 30 * day, 7 * day
	soonCA     = 365 * day
	nowCA      = 90 * day
	renewCA    = "every device must trust the new CA before this one ends: enrol them anew in time"
	renewCert  = "castor init SECRETS --renew, then start the gateways again"
	newHosts   = "make one for the name that devices dial: castor init SECRETS --renew --host %s"
	wrongCA    = "the gateway must show a certificate by the platform's CA: castor init SECRETS --renew, then start the gateway again"
	restart    = "start castor up again: it makes new certificates at every start" // these three for --data
	upHosts    = "castor up makes one for the names that it is given: --hosts %s"
	otherOne   = "another process has this port, or castor up runs on another data directory: sudo ss -ltnp"
	closedPort = "start the gateway's process, and let the port through the firewall: sudo ss -ltnp | grep %s"
)

// ports dials what devices dial, and looks at the certificates they are shown.
func (c *Config) ports(ctx context.Context, f *findings) {
	targets := slices.Clone(c.Gateways)
	if c.API != nil {
		page, err := c.API.ListGateways(ctx, "")
		for _, g := range page.Items {
			if !slices.Contains(targets, g.URL) {
				targets = append(targets, g.URL)
			}
			if silent := c.Now().Sub(g.Seen); silent > time.Minute {
				f.bad(fmt.Sprintf("%s gateway %s has not been heard of for %s", g.Phase, g.ID, silent.Round(time.Second)), "start it again, and look at its log")
			}
		}
		if err != nil {
			f.warn(fmt.Sprintf("the gateways are not known: %v", err), "castor login as a maintainer")
		}
	}
	if u, err := url.Parse(c.URL); err == nil && u.Scheme == "https" {
		targets = append(targets, c.URL)
	}
	for _, t := range targets {
		c.port(ctx, f, t)
	}
}

func (c *Config) port(ctx context.Context, f *findings, target string) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		f.bad(fmt.Sprintf("%.100q is not an address like tls://host:8883", target), "")
		return
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		f.bad(fmt.Sprintf("%s cannot be reached: %v", target, rootOf(err)), fmt.Sprintf(closedPort, port))
		return
	}
	defer raw.Close()
	var shown []*x509.Certificate
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // verified below, to say what is wrong
		VerifyConnection: func(s tls.ConnectionState) error { shown = s.PeerCertificates; return nil }}
	if err := tls.Client(raw, config).HandshakeContext(ctx); len(shown) == 0 { // one that wants a certificate of ours shows its own first
		f.bad(fmt.Sprintf("%s does not speak TLS: %v", target, err), "look at the process on this port: sudo ss -ltnp | grep "+port)
		return
	}
	c.judge(f, target, host, shown, target == c.URL) // people's browsers believe more than devices
}

// remedy is the one for what is examined: castor up, which makes its certificates itself, or a platform of many processes.
func (c *Config) remedy(many, one string) string {
	if c.Data != "" {
		return one
	}
	return many
}

// judge says what is wrong with a server's certificate.
func (c *Config) judge(f *findings, target, host string, chain []*x509.Certificate, system bool) {
	roots := x509.NewCertPool()
	if system {
		if s, err := x509.SystemCertPool(); err == nil {
			roots = s
		}
	}
	trusts := roots.AppendCertsFromPEM(c.CA) || system
	between := x509.NewCertPool()
	for _, i := range chain[1:] {
		between.AddCert(i)
	}
	left := chain[0].NotAfter.Sub(c.Now())
	at := c.Now()
	if left <= 0 {
		at = chain[0].NotAfter.Add(-time.Second) // what else may be wrong
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host, CurrentTime: at})
	var name x509.HostnameError
	switch {
	case errors.As(err, &name):
		f.bad(fmt.Sprintf("the certificate of %s is for %s, not for %s", target, strings.Join(names(chain[0]), ", "), host), fmt.Sprintf(c.remedy(newHosts, upHosts), host))
	case err != nil && trusts:
		f.bad(fmt.Sprintf("the certificate of %s is not by the platform's CA: %v", target, err), c.remedy(wrongCA, otherOne))
	}
	switch {
	case left <= 0:
		f.bad(fmt.Sprintf("the certificate of %s ended on %s", target, chain[0].NotAfter.UTC().Format(time.DateOnly)), c.remedy(renewCert, restart))
	case left < now:
		f.bad(fmt.Sprintf("the certificate of %s ends in %s", target, days(left)), c.remedy(renewCert, restart))
	case left < soon:
		f.warn(fmt.Sprintf("the certificate of %s ends in %s", target, days(left)), c.remedy(renewCert, restart))
	case err == nil || !trusts:
		f.ok(fmt.Sprintf("%s is reached; its certificate is good for %s", target, days(left)))
	}
}

// authority looks at the platform's CA.
func (c *Config) authority(_ context.Context, f *findings) {
	block, _ := pem.Decode(c.CA)
	if block == nil {
		f.bad("the platform's CA is not a PEM certificate", "put castor-ca back from your backup")
		return
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !ca.IsCA {
		f.bad("the platform's CA is not the certificate of a CA", "put castor-ca back from your backup")
		return
	}
	left := ca.NotAfter.Sub(c.Now())
	switch {
	case left <= 0:
		f.bad("the platform's CA ended on "+ca.NotAfter.UTC().Format(time.DateOnly), renewCA)
	case left < nowCA:
		f.bad("the platform's CA ends in "+days(left), renewCA)
	case left < soonCA:
		f.warn("the platform's CA ends in "+days(left), renewCA)
	default:
		f.ok("the platform's CA is good for " + days(left))
	}
}

func names(cert *x509.Certificate) []string {
	all := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

func days(d time.Duration) string {
	if d < 2*day {
		return d.Round(time.Hour).String()
	}
	return fmt.Sprintf("%d days", d/day)
}

// rootOf is what an error of a dial is at heart.
func rootOf(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
