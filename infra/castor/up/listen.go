package up

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/castor-iot/castor/shared/platform"
)

// listen opens an address; a taken port is one clear sentence that names the setting.
func listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, inUse(err, setting, address)
	}
	return l, nil
}

// inUse says a taken port so that somebody knows what to do.
func inUse(err error, setting, address string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken by another program: stop that one, or choose another address with --%s", address, setting)
	}
	return err
}

// reachable is the host to dial for one that is listened on.
func reachable(host string) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}

// loopback tells whether only this machine reaches the address. Anybody who reaches the user gateway can name a callback;
// where that is anybody on a network, a callback must not lead into it.
func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// userTLS is the user gateway's configuration; nil = plain HTTP.
func (c *Castor) userTLS() (*tls.Config, error) {
	if !c.config.TLS {
		return nil, nil
	}
	if c.config.Certificate != "" {
		cert, err := tls.LoadX509KeyPair(c.config.Certificate, c.config.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s and key %s: %w", c.config.Certificate, c.config.Key, err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
	}
	cert, err := c.ca.Server(c.config.Now(), c.config.Hosts...)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// trust is what this process believes of its own user gateway: the platform's CA and the very certificate that it shows.
func (c *Castor) trust(config *tls.Config) *x509.CertPool {
	pool := c.ca.Pool()
	for _, der := range config.Certificates[0].Certificate {
		if cert, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(cert)
		}
	}
	return pool
}

// serverName is a name that the user gateway's certificate is good for.
func (c *Castor) serverName(config *tls.Config) string {
	cert, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	switch {
	case err != nil:
		return c.config.Hosts[0]
	case len(cert.DNSNames) > 0:
		return strings.Replace(cert.DNSNames[0], "*", "castor", 1)
	case len(cert.IPAddresses) > 0:
		return cert.IPAddresses[0].String()
	}
	return c.config.Hosts[0]
}

// LoginFlags are what `castor login` needs besides the URL: the CA, where the platform's own certificate is served.
func (c *Castor) LoginFlags() string {
	if c.config.TLS && c.config.Certificate == "" {
		return " --ca " + c.dir.sub(keysDir, platform.SecretCACert)
	}
	return ""
}
