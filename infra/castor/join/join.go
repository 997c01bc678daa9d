// Package join makes the folder by which a gateway in a process of its own joins a platform that runs as `castor up`: the settings
// of castor-connector and exactly the secrets that it needs. On the bus it is a guest with a scope of its own; of the platform's
// keys it gets none but, where devices show secrets, the one by which these are verified.
package join

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/castor-iot/castor/infra/castor/secrets"
	"github.com/castor-iot/castor/shared/platform"
)

// The connectors that a gateway may be, and how the addresses begin that their devices dial; "" = any.
var schemes = map[string]string{"mqtt": "tls", "grpc": "grpcs", "http": "https", "mosquitto": "tls", "foreign": ""}

// Connectors are what a gateway may be, in the order of documentation.
var Connectors = []string{"mqtt", "grpc", "http", "mosquitto", "foreign"}

// A Plan says which gateway joins, and how.
type Plan struct {
	// Keys is the folder of the platform's keys, in castor up's data directory.
	Keys secrets.Dir

	// Platform is the user gateway's URL and NATS the bus', as the gateway's machine reaches them.
	Platform, NATS string

	// ID is the gateway's; Connector one of Connectors; Phase provisioning or operational.
	ID, Connector, Phase string

	// URL is what devices dial. Hosts are further names that the certificate is for. Listen is the address that is listened on;
	// "" = the port of URL, on all interfaces.
	URL, Listen string
	Hosts       []string

	// Region and Location ("latitude,longitude") are where it stands; Capacity is how many devices have room, 0 = 10,000.
	Region, Location string
	Capacity         int64

	// Kind is what devices show at a mosquitto or at a foreign gateway: certificate or password.
	Kind string

	// Contract is where a foreign gateway implements the contract, ContractCA the file with the CA of its certificate, PEM ("" = one
	// that every machine trusts); Key the public key that secrets are sealed to for it, Protocol what its devices speak.
	Contract, ContractCA, Key, Protocol string

	// Relay is where a foreign gateway brings what its devices say, https://, and Account the service account that it shows there;
	// "" = their messages come by other means.
	Relay, Account string

	Now time.Time
}

// own tells whether the gateway's door is the platform's.
func (p *Plan) own() bool { return p.Connector != "mosquitto" && p.Connector != "foreign" }

func (p *Plan) check() (port string, err error) {
	scheme, known := schemes[p.Connector]
	u, urlErr := url.Parse(p.URL)
	switch {
	case !known:
		return "", fmt.Errorf("%q is no connector: give --as one of %s", p.Connector, strings.Join(Connectors, ", "))
	case !secrets.ValidGateway(p.ID):
		return "", fmt.Errorf("the gateway's id %.80q must have lower case letters, digits and '-' only, 63 at most", p.ID)
	case p.Phase != "operational" && p.Phase != "provisioning":
		return "", fmt.Errorf("--phase %.40q must be operational or provisioning", p.Phase)
	case !p.own() && p.Phase != "operational":
		return "", fmt.Errorf("%s takes devices that have come in already: --phase must be operational", p.Connector)
	case p.URL == "" || urlErr != nil || u.Hostname() == "" || u.Port() == "" || scheme != "" && u.Scheme != scheme || u.Path != "" || u.User != nil:
		return "", fmt.Errorf("--dial %.200q must be what devices dial: %s://, a host and a port, like %[2]s://plant.example:8983", p.URL, or(scheme, "tls"))
	case p.NATS == "":
		return "", errors.New("the bus of this platform is in its process only, and no gateway can enter it: start it as castor up --nats 127.0.0.1:4222 (an address that the gateway reaches; or nats: in castor.yaml)")
	case p.Platform == "":
		return "", errors.New("the user gateway's URL is missing: give it with --platform")
	case p.broken() != "":
		return "", fmt.Errorf("%.80q has a line break or another control character, which settings.env cannot hold", p.broken())
	case p.Kind != "certificate" && p.Kind != "password":
		return "", fmt.Errorf("--kind %.40q must be certificate or password", p.Kind)
	}
	if port = u.Port(); p.Connector == "foreign" {
		if port, err = p.checkForeign(); err != nil {
			return "", err
		}
	}
	return port, secrets.CheckHosts(p.hosts())
}

// broken is the first text of those that become settings which would not stay on its line.
func (p *Plan) broken() string {
	for _, s := range []string{p.Platform, p.NATS, p.URL, p.Listen, p.Region, p.Location, p.Key} {
		if strings.ContainsFunc(s, unicode.IsControl) {
			return s
		}
	}
	return ""
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Write makes the folder. One that has something in it is refused unless anew is true: then what is in it is written again, with a
// new certificate; what the gateway itself keeps there stays. It returns what is to be done with it, in order.
func (p Plan) Write(dir string, anew bool) (steps []string, err error) {
	port, err := p.check()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 && !anew {
		return nil, fmt.Errorf("%s is there, and not empty: name another folder by --out, or write this one anew with --renew", dir)
	}
	files, err := p.secrets(dir, anew)
	if err != nil {
		return nil, err
	}
	files = append(files, file{name: "settings.env", content: p.settings(port)})
	if p.Connector == "mosquitto" {
		m, err := p.mosquitto(dir, port, valueOf(files, secretMosquitto))
		if err != nil {
			return nil, err
		}
		files = append(files, m...)
	}
	for _, f := range files {
		if err := f.write(dir); err != nil {
			return nil, err
		}
	}
	steps = []string{fmt.Sprintf("castor-connector %s --settings %s", p.Connector, dir)}
	if p.Connector == "mosquitto" {
		if err := giveToMosquitto(dir); err != nil {
			return nil, err
		}
		steps = append(steps, fmt.Sprintf("mosquitto -c %s", filepath.Join(dir, mosquittoDir, "mosquitto.conf")))
	}
	return steps, nil
}

// secrets are those that the process needs, and no others. A random one that is in the folder stays.
func (p *Plan) secrets(dir string, anew bool) ([]file, error) {
	parts, err := p.Keys.Read(platform.SecretParts)
	if err != nil {
		return nil, err
	}
	ca, err := p.Keys.Read(platform.SecretCACert)
	if err != nil {
		return nil, err
	}
	out := []file{}
	add := func(name string, value []byte) {
		out = append(out, file{filepath.Join("secrets", name), append(value, '\n'), true})
	}
	random := func(name string, value []byte) {
		if old, err := secrets.Dir(filepath.Join(dir, "secrets")).Read(name); err == nil && anew {
			value = old
		}
		add(name, value)
	}
	add(platform.PartSecret("connector", p.ID), []byte(platform.DeriveJoin(parts, p.ID, platform.Bond{Phase: p.Phase, Made: p.Now})))
	add(platform.SecretNATSToken, []byte(platform.DeriveBus(parts, p.ID)))
	add(platform.SecretCACert, ca)
	switch {
	case p.Connector == "foreign":
		random("castor-foreign-token", secrets.Random(32))
		if p.ContractCA != "" {
			trusted, err := readCA(p.ContractCA)
			if err != nil {
				return nil, err
			}
			add(secretForeignCA, trusted)
		}
		if p.Relay == "" {
			return out, nil
		}
		return out, p.server(add)
	case p.Connector == "mosquitto":
		random(secretMosquitto, secrets.Random(24))
		if p.Kind == "password" {
			random("castor-foreign-key", secrets.Random(24)) // 32 characters
		}
	default:
		if err := p.server(add); err != nil {
			return nil, err
		}
		if p.Phase == "operational" {
			verify, err := p.Keys.Read(platform.SecretVerify)
			if err != nil {
				return nil, err
			}
			add(platform.SecretVerify, verify)
		}
	}
	return out, nil
}

// server adds a certificate for what this process listens on, and its key.
func (p *Plan) server(add func(name string, value []byte)) error {
	chain, key, _, err := p.Keys.Server(p.Now, p.hosts())
	if err == nil {
		add(secrets.GatewayCert, chain)
		add(secrets.GatewayKey, key)
	}
	return err
}

// secretMosquitto is the password of mosquitto's administrator.
const secretMosquitto = "castor-mosquitto-password"

// hosts are the names that the folder's certificate is for, first the one that devices dial; of a foreign gateway, which has a
// certificate of its own, the one where it finds the relay.
func (p *Plan) hosts() []string {
	dialled := p.URL
	if p.Relay != "" {
		dialled = p.Relay
	}
	u, _ := url.Parse(dialled) // which was checked
	hosts := []string{u.Hostname()}
	for _, h := range p.Hosts {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}
