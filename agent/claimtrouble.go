package agent

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// reachable has a claim name a gateway whose protocol the agent speaks: its first, else another that it names. One that names none
// is of no use however often it is tried.
func reachable(c *api.ClaimFile) error {
	_, _, err := parseAddress(c.Gateway)
	if err == nil {
		return nil
	}
	for _, protocol := range []string{"mqtt", "grpc"} {
		if _, _, err := parseAddress(c.Gateways[protocol]); err == nil {
			c.Gateway = c.Gateways[protocol]
			return nil
		}
	}
	if strings.HasPrefix(c.Gateway, "https://") {
		return api.Invalid("gateway: claim %s names %.200s, which speaks HTTP, and this agent speaks MQTT and gRPC; "+
			"ask for a claim of a platform with a gateway for one of these, or have another program speak HTTP", c.Claim.ID, c.Gateway)
	}
	return fmt.Errorf("claim file: gateway: %w; ask for a new one", err)
}

// remedy adds to what keeps the device from asking with a claim what is to be done about it.
func remedy(err error, c *api.ClaimFile, now time.Time) error {
	a := fmt.Sprintf("ask for a new claim: castor claim create %s", cmp.Or(string(c.Claim.Type), "TYPE"))
	switch {
	case errors.Is(err, errRefused) && !c.Claim.Expires.IsZero() && now.After(c.Claim.Expires):
		return fmt.Errorf("%w: claim %s expired at %s; %s", err, c.Claim.ID, c.Claim.Expires.UTC().Format(time.RFC3339), a)
	case errors.Is(err, errRefused):
		return fmt.Errorf("%w: claim %s may be expired, revoked or used up, or %s is no provisioning gateway; %s", err, c.Claim.ID, c.Gateway, a)
	}
	return troubled(err, c.Gateway, now, "the claim's CA", a)
}

// troubled adds to what keeps the device from a provisioning gateway what is to be done about it: ca is whose CA it believes, otherwise
// what helps if the address is right.
func troubled(err error, gateway string, now time.Time, ca, otherwise string) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: the certificate of %s is not of %s: the address is another platform's, or its CA has changed; %s", err, gateway, ca, otherwise)
	case errors.As(err, &host):
		return fmt.Errorf("%w: %s is not a name of that gateway; use the address that its certificate names, or %s", err, gateway, otherwise)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: the device's clock says %s; set it, or have the gateway's certificate renewed", err, now.UTC().Format(time.RFC3339))
	case errors.As(err, &record):
		return fmt.Errorf("%w: what listens at %s speaks no TLS; check the port, or %s", err, gateway, otherwise)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens at %s; check the address and the port, and that the platform runs", err, gateway)
	}
	return err
}
