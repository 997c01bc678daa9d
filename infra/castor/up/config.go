package up

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/infra/castor/secrets"
	"go.yaml.in/yaml/v3"
)

// Config says how the platform runs on one machine. Its YAML form is castor.yaml in the data directory; flags go above it.
type Config struct {
	// Dir is the data directory: store, streams, objects, secrets, the agent's state. One process at a time may use it.
	Dir string `yaml:"-"`

	// Listen is the user gateway's address; ":0" takes any free port. Empty = 127.0.0.1:8080.
	Listen string `yaml:"listen,omitempty"`

	// Provisioning and Operational are the addresses of the two MQTT gateways. Empty = 127.0.0.1:8884 and 127.0.0.1:8883.
	Provisioning string `yaml:"provisioning,omitempty"`
	Operational  string `yaml:"operational,omitempty"`

	// ProvisioningGRPC, OperationalGRPC, ProvisioningHTTP and OperationalHTTP are those of the gateways for devices that speak gRPC or
	// HTTP. Empty = 127.0.0.1:8885, 8886, 8887 and 8888; Off = none.
	ProvisioningGRPC string `yaml:"provisioningGrpc,omitempty"`
	OperationalGRPC  string `yaml:"operationalGrpc,omitempty"`
	ProvisioningHTTP string `yaml:"provisioningHttp,omitempty"`
	OperationalHTTP  string `yaml:"operationalHttp,omitempty"`

	// Hosts are the names and addresses by which devices and people reach this machine; certificates are made for them,
	// and the first is what devices are told to dial. Empty = 127.0.0.1 and localhost.
	Hosts []string `yaml:"hosts,omitempty"`

	// TLS has the user gateway serve HTTPS, with a certificate by the platform's CA, or with Certificate and Key (PEM files).
	TLS         bool   `yaml:"tls,omitempty"`
	Certificate string `yaml:"certificate,omitempty"`
	Key         string `yaml:"key,omitempty"`

	// MongoURL puts the twins' state into MongoDB instead of the embedded store.
	MongoURL string `yaml:"mongoUrl,omitempty"`

	// NATS and Objects are the addresses on which other processes may reach the bus and the object store. Empty = NATS in
	// this process only, objects on any free port of the loopback interface.
	NATS    string `yaml:"nats,omitempty"`
	Objects string `yaml:"objects,omitempty"`

	// SMTP sends alarms by e-mail: smtp://user@host:port; From is the sender. The password is in secrets/castor-smtp.
	SMTP string `yaml:"smtp,omitempty"`
	From string `yaml:"from,omitempty"`

	// PrivateWebhooks lets webhooks go to private addresses although the user gateway is reached from the network. Where it
	// is not (a loopback address), they may.
	PrivateWebhooks bool `yaml:"privateWebhooks,omitempty"`

	// Interval is how often this machine's own agent measures; 0 = 5 s. NoAgent leaves this machine out.
	Interval time.Duration `yaml:"interval,omitempty"`
	NoAgent  bool          `yaml:"noAgent,omitempty"`

	// Region is where the gateways are, in the operator's words.
	Region string `yaml:"region,omitempty"`

	// Version is the program's, as it was built.
	Version string `yaml:"-"`

	// LogLevel is the least that the file castor.log gets; the zero value is info.
	LogLevel slog.Level `yaml:"-"`

	// Now and Log are for tests; nil = the machine's clock, and a file in Dir.
	Now func() time.Time `yaml:"-"`
	Log slog.Handler     `yaml:"-"`

	// Tell hears of each phase as it happens; nil = nobody.
	Tell func(Phase) `yaml:"-"`
}

// A Phase is one line of what is going on, for the terminal.
type Phase struct {
	Name   string        // "store", "gateway", "this machine" …
	Detail string        // one sentence
	Took   time.Duration // 0 = not measured
	Err    error
}

// File is the configuration file in a data directory.
const File = "castor.yaml"

// ReadFile reads the configuration file of dir into c; a missing one changes nothing. Its errors name file and line.
func (c *Config) ReadFile(dir string) error {
	path := filepath.Join(dir, File)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the configuration cannot be read: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		why := strings.Join(strings.Fields(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:")), " ")
		why = unknownField.ReplaceAllString(why, `there is no setting "$1"`)
		return fmt.Errorf("the configuration %s is damaged: %s; mend it or move it away to start with the defaults", path, why)
	}
	return nil
}

// unknownField is how the decoder says that a setting is none, in words about Go.
var unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)

// Check returns the error with which Start would refuse the settings; it leaves them as they are.
func (c *Config) Check() error {
	filled := *c
	return filled.complete()
}

// complete fills in defaults and returns an error, naming the setting, for what cannot be.
func (c *Config) complete() error {
	if c.Dir == "" {
		return errors.New("no data directory is given: use --data DIR")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if err := checkAddress("listen", c.Listen); err != nil {
		return err
	}
	if err := c.completeGateways(); err != nil {
		return err
	}
	if len(c.Hosts) == 0 {
		c.Hosts = []string{"127.0.0.1", "localhost"}
	}
	if err := secrets.CheckHosts(c.Hosts); err != nil {
		return fmt.Errorf("hosts: %w", err)
	}
	if (c.Certificate == "") != (c.Key == "") {
		return errors.New("certificate and key go together: give both files, or use --tls for a certificate by the platform's CA")
	}
	if c.Certificate != "" {
		c.TLS = true
	}
	if err := c.checkMail(); err != nil {
		return err
	}
	if c.Interval == 0 {
		c.Interval = 5 * time.Second
	}
	if c.Interval < 100*time.Millisecond {
		return fmt.Errorf("interval: %s is shorter than 100ms", c.Interval)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tell == nil {
		c.Tell = func(Phase) {}
	}
	return nil
}

func checkAddress(setting, address string) error {
	if _, port, err := net.SplitHostPort(address); err != nil || !isPort(port) {
		return fmt.Errorf("%s: %q is not an address like 127.0.0.1:8080", setting, address)
	}
	return nil
}

// checkMail refuses what alarms could not be sent with: nobody would hear of it but by an e-mail that does not come. What was
// given is not repeated, because a password may be in it.
func (c *Config) checkMail() error {
	if c.SMTP == "" && c.From == "" {
		return nil
	}
	const like = "give both, like --smtp smtp://user@mail.example.com:587 (or smtps://) --from castor@example.com"
	if c.SMTP == "" || c.From == "" {
		return errors.New("smtp and from go together: " + like)
	}
	u, err := url.Parse(c.SMTP)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || !isPort(cmp.Or(u.Port(), "0")) {
		return errors.New("smtp: it must begin with smtp:// or smtps:// and name a mail server: " + like)
	}
	if _, set := u.User.Password(); set {
		return errors.New("smtp: the password does not go into the address, but into the file secrets/castor-smtp of the data directory")
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		return fmt.Errorf("from: %q is not an e-mail address: %s", c.From, like)
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= 65535
}
