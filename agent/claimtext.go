package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// ClaimOf is the claim that a person names: the path of a claim file, or the text of its QR code.
func ClaimOf(named string) ClaimSource {
	if !strings.HasPrefix(strings.TrimSpace(named), api.ClaimScheme) {
		return ClaimAt(named)
	}
	return func(ctx context.Context) (api.ClaimFile, error) {
		c, ca, err := api.ParseClaimText(named)
		if err != nil {
			return c, err
		}
		c.CA, err = fetchCA(ctx, c.Gateway, ca)
		return c, err
	}
}

// fetchCA gets the platform's CA from the gateway's TLS handshake. Nothing is sent, and nothing believed but the certificate
// whose fingerprint the claim has: the session that follows trusts that one alone.
func fetchCA(ctx context.Context, gateway, fingerprint string) (string, error) {
	_, address, err := parseAddress(gateway)
	if err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	var chain []*x509.Certificate
	done := errors.New("that was all")
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // verified by what follows
		VerifyConnection: func(s tls.ConnectionState) error {
			chain = s.PeerCertificates
			return done
		}}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if conn != nil {
		conn.Close()
	}
	if !errors.Is(err, done) {
		return "", fmt.Errorf("gateway %s, for its CA: %w", address, err)
	}
	pem, ok := api.FindCA(chain, fingerprint)
	if !ok {
		return "", fmt.Errorf("gateway %s is not the claim's, or does not show its CA: check the address, or use the claim file, which has the CA", address)
	}
	return pem, nil
}
