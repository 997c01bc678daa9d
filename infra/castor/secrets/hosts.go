package secrets

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

const maxHosts = 64

var (
	label  = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	digits = regexp.MustCompile(`^[0-9]+$`)
)

// CheckHosts returns an error, naming it, for the first that is neither a host name nor an IP address: a certificate for it
// would be good for nobody.
func CheckHosts(hosts []string) error {
	if len(hosts) > maxHosts {
		return fmt.Errorf("%d hosts are too many: a certificate may be for %d", len(hosts), maxHosts)
	}
	for _, h := range hosts {
		if !isHost(h) {
			return fmt.Errorf("%q is neither a host name nor an IP address: give what devices dial, without scheme, port and brackets, like pump.example.com or 10.0.0.5", h)
		}
	}
	return nil
}

func isHost(h string) bool {
	if a, err := netip.ParseAddr(h); err == nil {
		return a.Zone() == "" && !a.IsUnspecified()
	}
	if h == "" || len(h) > 253 {
		return false
	}
	labels := strings.Split(h, ".")
	for _, l := range labels {
		if !label.MatchString(l) {
			return false
		}
	}
	return !digits.MatchString(labels[len(labels)-1]) // an IP address with a mistake in it
}
