package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/foreign"
	"github.com/castor-iot/castor/connectors/gateway/mosquitto"
	"github.com/castor-iot/castor/connectors/mqtt/bridge"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
)

// Secrets of gateways that are not the platform's own.
const (
	secretMosquitto   = "castor-mosquitto-password"
	secretForeign     = "castor-foreign-token"
	secretForeignCA   = "castor-foreign-ca"
	secretForeignSeal = "castor-foreign-key"
)

// outside are the settings of gateways that are not the platform's own.
var outside = append(slices.Concat(common, driverSettings),
	setting{name: "CASTOR_GATEWAY_ID", what: "the gateway's id", required: true, example: "mosquitto-1", check: checkGatewayID},
	setting{name: "CASTOR_PUBLIC_URL", what: "what devices dial", required: true, example: "tls://mqtt.example.com:8883", check: checkDialled},
	setting{name: "CASTOR_DIR", what: "the folder for what is kept across restarts", otherwise: "/var/lib/castor", example: "/data"},
	setting{name: "CASTOR_REGION", what: "where the gateway stands; devices of this region get their place here first", example: "eu-west"},
	locationSetting,
	setting{name: "CASTOR_CAPACITY", what: "how many devices have room", otherwise: "10000", example: "3000", check: checkNumber(1, 10_000_000)},
	setting{name: "CASTOR_KINDS", what: "what devices show there: certificate, password, or both with a comma", otherwise: "certificate", example: "password",
		check: func(v string) error { _, err := parseKinds(v); return err }},
)

var mosquittoCommand = command{
	name: "mosquitto",
	does: "makes a gateway of an Eclipse Mosquitto with dynamic security: it configures it, and brings its devices' messages to the platform",
	settings: append(outside[:len(outside):len(outside)],
		setting{name: "CASTOR_MOSQUITTO_URL", what: "mosquitto's listener for its administrator", required: true, example: "tcp://127.0.0.1:1883", check: checkURL("tcp", "tls")},
		setting{name: "CASTOR_MOSQUITTO_USER", what: "the administrator that mosquitto_ctrl dynsec init made", otherwise: "admin", example: "admin"},
		setting{name: "CASTOR_MOSQUITTO_CRL", what: "the file that mosquitto's crlfile names; for certificates", otherwise: "/etc/mosquitto/certs/revoked.pem", example: "/shared/revoked.pem"},
		setting{name: "CASTOR_MOSQUITTO_PID", what: "the file that mosquitto's pid_file names: it gets SIGHUP when the list of revoked certificates has changed", otherwise: "/run/mosquitto/mosquitto.pid", example: "/run/mosquitto.pid"},
	),
	secrets: append([]string{
		"castor-part-connector-<CASTOR_GATEWAY_ID>: the gateway's own, traded for tokens",
		secretMosquitto + ": the administrator's password at mosquitto",
		secretForeignCA + ": the CA of mosquitto's listener for its administrator, PEM; of tls:// only",
		secretForeignSeal + ": the 32 bytes of the X25519 key that devices' passwords are sealed to; of passwords only",
	}, commonSecrets...),
	run: func(ctx context.Context, p *process) error { return p.outside(ctx, runMosquitto) },
}

var foreignCommand = command{
	name: "foreign",
	does: "tells a gateway of somebody else's whom it lets in, and takes what its devices say, by the contracts of docs/gateways.md over HTTP",
	settings: append(outside[:len(outside):len(outside)],
		setting{name: "CASTOR_PROTOCOL", what: "what devices speak to it, as they say when they come in", otherwise: "mqtt", example: "http"},
		setting{name: "CASTOR_FOREIGN_URL", what: "where it implements the contract", required: true, example: "https://gateway.example.com/castor", check: checkURL("http", "https")},
		setting{name: "CASTOR_RELAY_LISTEN", what: "the address where the gateway brings its devices' messages, on TLS; without it they come by other means", example: ":8889",
			check: checkAddress},
		setting{name: "CASTOR_RELAY_ACCOUNT", what: "the id of the service account that speaks for the gateway there", example: "svc-acme"},
		setting{name: "CASTOR_FOREIGN_KEY", what: "the public X25519 key that secrets are sealed to, base64; for kinds other than certificate", example: "mZ0…="},
	),
	secrets: append([]string{
		"castor-part-connector-<CASTOR_GATEWAY_ID>: the gateway's own, traded for tokens",
		secretForeign + ": what the platform shows the gateway",
		secretForeignCA + ": the CA of its certificate, PEM; the machine's if there is none",
		secretCert + " and " + secretKey + ": the certificate and key of CASTOR_RELAY_LISTEN, PEM; read anew when they change",
	}, commonSecrets...),
	run: func(ctx context.Context, p *process) error { return p.outside(ctx, runForeign) },
}

// outside connects to the platform and runs what serves a gateway that is not the platform's own.
func (p *process) outside(ctx context.Context, run func(context.Context, *process, *bus.Bus, *platform.Platform, api.Gateway) error) error {
	s := p.settings
	if err := writable(s.get("CASTOR_DIR")); err != nil {
		return fmt.Errorf("CASTOR_DIR=%s: it must be a folder that this process may write to: %w", s.get("CASTOR_DIR"), err)
	}
	id := s.get("CASTOR_GATEWAY_ID")
	if _, err := p.secret(platform.PartSecret("connector", id)); err != nil {
		return err
	}
	b, err := p.connect(ctx, "castor-connector "+id)
	if b == nil {
		return err
	}
	part, err := p.platform(b, "connector", id)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	kinds, err := parseKinds(s.get("CASTOR_KINDS"))
	if err != nil {
		return errors.Join(err, b.Close())
	}
	g := api.Gateway{ID: id, Phase: "operational", URL: s.get("CASTOR_PUBLIC_URL"), Region: s.get("CASTOR_REGION"), Location: s.location(),
		Capacity: s.number("CASTOR_CAPACITY"), Kinds: kinds}
	return errors.Join(run(ctx, p, b, part, g), b.Close())
}

func runMosquitto(ctx context.Context, p *process, b *bus.Bus, part *platform.Platform, g api.Gateway) error {
	client := part.API
	s := p.settings
	password, err := p.secret(secretMosquitto)
	if err != nil {
		return err
	}
	login := mosquitto.Login{URL: s.get("CASTOR_MOSQUITTO_URL"), User: s.get("CASTOR_MOSQUITTO_USER"), Password: string(bytes.TrimSpace(password))}
	if strings.HasPrefix(login.URL, "tls:") {
		if login.TLS, err = p.foreignTLS(); err != nil {
			return err
		}
	}
	g.Protocol, g.Contract = "mqtt", "mosquitto"
	config := mosquitto.Config{Gateway: g.ID}
	for _, k := range g.Kinds {
		switch k {
		case device.Certificate:
			config.Revocations = &mosquitto.Revocations{File: s.get("CASTOR_MOSQUITTO_CRL"), Get: client.Revoked, Reload: func() error { return hangUp(s.get("CASTOR_MOSQUITTO_PID")) }}
		case device.Password:
			if config.Key, err = p.secret(secretForeignSeal); err == nil {
				g.PublicKey, err = config.PublicKey()
			}
			if err != nil {
				return err
			}
		default:
			return fmt.Errorf("CASTOR_KINDS: mosquitto takes certificate and password, not %s", k)
		}
	}
	if config.Control, err = mosquitto.NewControl(login); err != nil {
		return err
	}
	defer config.Control.Close()
	target := mosquitto.New(config)
	c, err := configurator.New(configurator.Config{Gateway: g, Bus: b, Target: target, Tell: p.teller(part.API, g.ID), Dir: s.get("CASTOR_DIR"), Log: p.log})
	if err != nil {
		return err
	}
	options, err := login.Options("castor-" + g.ID)
	if err != nil {
		return err
	}
	drivers, err := p.drivers()
	if err != nil {
		return err
	}
	defer drivers.Close()
	m, err := bridge.New(bridge.Config{Client: options, Gateway: g, API: client, Bus: b, Drivers: drivers, Log: p.log,
		Alive: func(ctx context.Context) error { _, err := target.State(ctx); return err },
		Shown: func(ref device.Ref) api.Shown {
			a, _ := c.Get(string(ref))
			return api.Shown{Fingerprint: newest(a.Fingerprints), Verifier: newest(a.Verifiers)}
		}})
	if err != nil {
		return err
	}
	p.serving(b, m.Ready)
	var configuring sync.WaitGroup
	defer configuring.Wait()
	configuring.Go(func() { c.Run(ctx) })
	if r := config.Revocations; r != nil {
		configuring.Go(func() {
			r.Begin(ctx, func(err error) {
				p.log.WarnContext(ctx, "list of revoked certificates is not in force yet", "error", err)
			})
		})
	}
	return m.Run(ctx)
}

func newest(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// hangUp has the process of a pid file read its files again.
func hangUp(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("%s does not hold the number of a process", file)
	}
	return syscall.Kill(pid, syscall.SIGHUP)
}

func runForeign(ctx context.Context, p *process, b *bus.Bus, part *platform.Platform, g api.Gateway) error {
	s := p.settings
	token, err := p.secret(secretForeign)
	if err != nil {
		return err
	}
	config := foreign.Config{URL: s.get("CASTOR_FOREIGN_URL"), Token: string(bytes.TrimSpace(token))}
	trust, err := p.foreignTLS()
	if err != nil {
		return err
	}
	config.HTTP = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{TLSClientConfig: trust, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}}
	target, err := foreign.New(config)
	if err != nil {
		return err
	}
	g.Protocol, g.Contract, g.PublicKey = s.get("CASTOR_PROTOCOL"), "http", s.get("CASTOR_FOREIGN_KEY")
	keeping := configurator.Config{Gateway: g, API: part.API, Bus: b, Target: target, Tell: p.teller(part.API, g.ID), Dir: s.get("CASTOR_DIR"), Log: p.log}
	relays := s.get("CASTOR_RELAY_LISTEN") != ""
	if relays {
		keeping.API = nil // the relay reports that the gateway is alive
	}
	c, err := configurator.New(keeping)
	if err != nil {
		return err
	}
	known := func() error {
		if !c.Ready() {
			return errors.New("whom the gateway lets in is not known yet")
		}
		return nil
	}
	if !relays {
		p.serving(b, known)
		c.Run(ctx)
		return nil
	}
	return p.relay(ctx, b, part, g, c, target, known)
}

// foreignTLS trusts the CA of a gateway that is not the platform's own, where there is one of its own.
func (p *process) foreignTLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	ca, err := p.secret(secretForeignCA)
	if errors.Is(err, platform.ErrNoSecret) {
		return config, nil
	}
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("secret %s holds no certificate: it must be PEM, beginning with -----BEGIN CERTIFICATE-----", secretForeignCA)
	}
	return config, nil
}

func parseKinds(v string) (kinds []device.Kind, err error) {
	for _, word := range strings.Split(v, ",") {
		k := device.Kind(strings.TrimSpace(word))
		if err := k.Valid(); err != nil {
			return nil, err
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// checkDialled takes any address of a gateway: which schemes there are is its devices' affair.
func checkDialled(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil {
		return errors.New("it must be a scheme, ://, a host and a port")
	}
	return nil
}
