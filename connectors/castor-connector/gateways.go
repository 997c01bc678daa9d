package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/http"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/platform"
)

// A connector is a gateway with its transformer, whatever it speaks.
type connector interface {
	Ready() error
	Run(ctx context.Context) error
}

// The commands of the gateways, one per protocol.
var (
	mqttCommand = gatewayCommand("mqtt", "MQTT", "tls", ":8883", func(door gateway.Config, part *platform.Platform, drivers *sandbox.Pool, s settings) (connector, error) {
		return mqtt.New(mqtt.Config{Gateway: door, API: part.API, URL: s.get("CASTOR_PUBLIC_URL"), Region: s.get("CASTOR_REGION"),
			Capacity: s.number("CASTOR_CAPACITY"), Location: s.location(), Drivers: drivers})
	})
	grpcCommand = gatewayCommand("grpc", "gRPC", "grpcs", ":8886", func(door gateway.Config, part *platform.Platform, drivers *sandbox.Pool, s settings) (connector, error) {
		return grpc.New(grpc.Config{Gateway: door, API: part.API, URL: s.get("CASTOR_PUBLIC_URL"), Region: s.get("CASTOR_REGION"),
			Capacity: s.number("CASTOR_CAPACITY"), Location: s.location(), Drivers: drivers})
	})
	httpCommand = withDownlinks(gatewayCommand("http", "HTTP", "https", ":8888", func(door gateway.Config, part *platform.Platform, drivers *sandbox.Pool, s settings) (connector, error) {
		return http.New(http.Config{Gateway: door, API: part.API, URL: s.get("CASTOR_PUBLIC_URL"), Region: s.get("CASTOR_REGION"),
			Capacity: s.number("CASTOR_CAPACITY"), Location: s.location(), Drivers: drivers, PrivateDownlinks: s.get("CASTOR_CALLBACKS") == "private"})
	}))
)

// withDownlinks adds what a gateway needs that calls network servers.
func withDownlinks(c command) command {
	c.settings = append(c.settings, setting{name: "CASTOR_CALLBACKS", what: "where commands for LoRaWAN devices may go, as their network server names it: public addresses, or private ones too",
		otherwise: "public", example: "private", check: checkWord("public", "private")})
	return c
}

// gatewayCommand is the command of a gateway for one protocol; open makes it.
func gatewayCommand(name, title, scheme, listen string, open func(gateway.Config, *platform.Platform, *sandbox.Pool, settings) (connector, error)) command {
	return command{
		name: name,
		does: "is an IoT gateway for " + title + " on TLS, with its transformer",
		settings: append(slices.Concat(common, driverSettings),
			setting{name: "CASTOR_GATEWAY_ID", what: "the gateway's id, the same for all its replicas", required: true, example: "operational-" + name + "-1", check: checkGatewayID},
			setting{name: "CASTOR_GATEWAY_PHASE", what: "what devices come for: provisioning or operational", required: true, example: "operational",
				check: checkWord("provisioning", "operational")},
			setting{name: "CASTOR_PUBLIC_URL", what: "what devices dial, the same for all replicas", required: true, example: scheme + "://" + name + ".example.com" + listen, check: checkPublic(scheme)},
			setting{name: "CASTOR_LISTEN", what: "the address listened on", otherwise: listen, example: "0.0.0.0:8884", check: checkAddress},
			setting{name: "CASTOR_DIR", what: "the folder for what is kept across restarts; each replica has its own", otherwise: "/var/lib/castor", example: "/data"},
			setting{name: "CASTOR_REGION", what: "where the gateway stands; devices of this region get their place here first", example: "eu-west"},
			locationSetting,
			setting{name: "CASTOR_CAPACITY", what: "how many devices have room, in all replicas together", otherwise: "10000", example: "50000", check: checkNumber(1, 10_000_000)},
			setting{name: "CASTOR_BALANCERS", what: "addresses of TCP balancers that hide the devices' own: connections from there are not limited by address",
				example: "10.0.0.0/8,192.168.1.4", check: func(v string) error { _, err := platform.Networks(v); return err }},
			setting{name: "CASTOR_KNOCKS", what: "whether a provisioning gateway takes devices without a claim, to knock: they come to the waiting list", otherwise: "yes", example: "no",
				check: checkWord("yes", "no")},
		),
		secrets: append([]string{
			"castor-part-connector-<CASTOR_GATEWAY_ID>: the gateway's own, traded for tokens",
			"castor-gateway-cert: the server's certificate and those it was signed by, PEM; read anew when it changes",
			"castor-gateway-key: its key, PEM",
			"castor-ca: the CA that signs devices, PEM; of operational gateways",
			"castor-verifier: what devices' secrets are verified with; of operational gateways",
		}, commonSecrets...),
		run: func(ctx context.Context, p *process) error { return runGateway(ctx, p, name, open) },
	}
}

// runGateway runs the gateway that open makes, until ctx ends.
func runGateway(ctx context.Context, p *process, name string, open func(gateway.Config, *platform.Platform, *sandbox.Pool, settings) (connector, error)) error {
	s := p.settings
	phase := gateway.Phase(s.get("CASTOR_GATEWAY_PHASE"))
	config, err := p.serverTLS(phase)
	if err != nil {
		return err
	}
	if err := writable(s.get("CASTOR_DIR")); err != nil {
		return fmt.Errorf("CASTOR_DIR=%s: it must be a folder that this process may write to: %w", s.get("CASTOR_DIR"), err)
	}
	id := s.get("CASTOR_GATEWAY_ID")
	if _, err := p.secret(platform.PartSecret("connector", id)); err != nil {
		return err
	}
	b, err := p.connect(ctx, "castor-connector "+name+" "+id)
	if b == nil {
		return err
	}
	part, err := p.platform(b, "connector", id)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	balancers, err := platform.Networks(s.get("CASTOR_BALANCERS"))
	if err != nil {
		return errors.Join(err, b.Close())
	}
	door := gateway.Config{
		ID: id, Phase: phase, Addr: s.get("CASTOR_LISTEN"), TLS: config, Dir: s.get("CASTOR_DIR"), Bus: b, Tell: p.teller(part.API, id), Log: p.log,
		Knocks: phase == gateway.Provisioning && s.get("CASTOR_KNOCKS") == "yes", Limits: gateway.Limits{Balancers: balancers},
	}
	if phase == gateway.Operational {
		if door.VerifierKey, err = p.secret(platform.SecretVerify); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	var drivers *sandbox.Pool
	if phase == gateway.Operational {
		if drivers, err = p.drivers(); err != nil {
			return errors.Join(err, b.Close())
		}
		defer drivers.Close()
	}
	c, err := open(door, part, drivers, s)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	p.serving(b, c.Ready)
	return errors.Join(c.Run(ctx), b.Close())
}

// serverTLS is the gateway's side of TLS.
func (p *process) serverTLS(phase gateway.Phase) (*tls.Config, error) {
	cert := &certificate{secret: p.secret, log: p.log}
	if err := cert.load(); err != nil {
		return nil, err
	}
	config := &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}
	if phase == gateway.Operational {
		ca, err := p.secret(platform.SecretCACert)
		if err != nil {
			return nil, err
		}
		config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("secret %s holds no certificate: it must be PEM, beginning with -----BEGIN CERTIFICATE-----", platform.SecretCACert)
		}
	}
	return config, nil
}

// writable makes the folder if it is missing, and tries it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

var gatewayID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func checkGatewayID(v string) error {
	if !gatewayID.MatchString(v) {
		return errors.New("it must be 1 to 64 letters, digits, '-' or '_'")
	}
	return nil
}

func checkPublic(scheme string) func(string) error {
	return func(v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Scheme != scheme || u.Hostname() == "" || u.Port() == "" || u.Path != "" || u.User != nil {
			return fmt.Errorf("it must be %s://, a host and a port", scheme)
		}
		return nil
	}
}
