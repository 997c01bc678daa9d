package join

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
)

// secretForeignCA is the CA that a foreign gateway's contract is trusted by.
const secretForeignCA = "castor-foreign-ca"

// Protocols are what devices speak that come in, and so what they may be led to.
var Protocols = []string{"mqtt", "grpc", "http"}

// checkForeign tells what is wrong with the plan of somebody else's gateway, and which port its relay listens on, "" if it has none.
func (p *Plan) checkForeign() (port string, err error) {
	contract, contractErr := url.Parse(p.Contract)
	relay, relayErr := url.Parse(p.Relay)
	switch {
	case p.Contract == "":
		return "", errors.New("--contract is missing: where the gateway implements the contract of docs/gateways.md, like https://gateway.example/castor")
	case contractErr != nil || contract.Scheme != "https" && contract.Scheme != "http" || contract.Hostname() == "" || contract.User != nil:
		return "", fmt.Errorf("--contract %.200q must be where the gateway implements the contract of docs/gateways.md, like https://gateway.example/castor", p.Contract)
	case p.Protocol != "" && !slices.Contains(Protocols, p.Protocol):
		return "", fmt.Errorf("--protocol %.40q must be what devices ask for that have their place there: %s", p.Protocol, strings.Join(Protocols, ", "))
	case p.Relay == "" && p.Account == "":
		return "", nil
	case p.Relay == "":
		return "", errors.New("--relay is missing: with --account it is where the gateway brings what its devices say, like https://relay.example:8889")
	case relayErr != nil || relay.Scheme != "https" || relay.Hostname() == "" || relay.Port() == "" || relay.Path != "" || relay.User != nil:
		return "", fmt.Errorf("--relay %.200q must be https://, a host and a port, like https://relay.example:8889", p.Relay)
	case p.Account == "":
		return "", errors.New("--account is missing: the service account that the gateway shows at --relay; castor account create makes one")
	case strings.ContainsFunc(p.Account, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("--account %.80q must be the id of a service account: castor account list shows them", p.Account)
	}
	return relay.Port(), nil
}

// foreign are the settings of somebody else's gateway.
func (p *Plan) foreign(set func(name, value string), port string) {
	set("CASTOR_KINDS", p.Kind)
	set("CASTOR_PROTOCOL", p.Protocol)
	set("CASTOR_FOREIGN_URL", p.Contract)
	set("CASTOR_FOREIGN_KEY", p.Key)
	if p.Relay != "" {
		set("CASTOR_RELAY_LISTEN", or(p.Listen, net.JoinHostPort("", port)))
		set("CASTOR_RELAY_ACCOUNT", p.Account)
	}
}

// readCA reads the certificates of a CA.
func readCA(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--contract-ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("--contract-ca %s holds no certificate: it must be PEM, beginning with -----BEGIN CERTIFICATE-----", file)
	}
	return []byte(strings.TrimSpace(string(b))), nil
}
