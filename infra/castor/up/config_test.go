package up

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What mail could not be sent with is refused at the start, in one line that names the remedy and repeats no password.
func TestMailSettings(t *testing.T) {
	const from = "castor@plant.example"
	for name, c := range map[string]struct{ smtp, from, says string }{
		"no mail at all":            {"", "", ""},
		"a server and a sender":     {"smtp://ada@mail.example:587", from, ""},
		"TLS from the start":        {"smtps://mail.example", "Castor <" + from + ">", ""},
		"a server without scheme":   {"mail.example:25", from, "smtp: it must begin with smtp:// or smtps://"},
		"another scheme":            {"https://mail.example", from, "smtp: it must begin with"},
		"no host":                   {"smtp://:25", from, "smtp: it must begin with"},
		"a port too high":           {"smtp://mail.example:70000", from, "smtp: it must begin with"},
		"what is no URL":            {"smtp://ada:hush%zz@mail.example", from, "smtp: it must begin with"},
		"no sender":                 {"smtp://mail.example:25", "", "smtp and from go together"},
		"a sender and no server":    {"", from, "smtp and from go together"},
		"a sender that is none":     {"smtp://mail.example:25", "plant", "--from castor@example.com"},
		"a password in the address": {"smtp://ada:hush@mail.example:25", from, "secrets/castor-smtp"},
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{Dir: t.TempDir(), SMTP: c.smtp, From: c.from}
			err := config.complete()
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
				t.Errorf("it says %v, want one line with %q", err, c.says)
			}
		})
	}
}

func TestASettingThatIsNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte("lisen: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := new(Config).ReadFile(dir)
	if err == nil || !strings.Contains(err.Error(), `line 1: there is no setting "lisen"`) || strings.Contains(err.Error(), "up.Config") {
		t.Errorf("it says %v", err)
	}
}

// A certificate for what is no host would be good for nobody.
func TestHostsAreNamesOrAddresses(t *testing.T) {
	for _, host := range []string{"https://plant.example", "plant.example:8883", "10.0.0", "a b", ""} {
		config := Config{Dir: t.TempDir(), Hosts: []string{"localhost", host}}
		if err := config.complete(); err == nil || !strings.HasPrefix(err.Error(), "hosts: ") {
			t.Errorf("%q: %v", host, err)
		}
	}
	config := Config{Dir: t.TempDir(), Hosts: []string{"plant.example", "10.0.0.5", "::1"}}
	if err := config.complete(); err != nil {
		t.Error(err)
	}
}

func TestGatewaysThatAreNotWanted(t *testing.T) {
	config := Config{Dir: t.TempDir(), ProvisioningGRPC: Off, OperationalHTTP: "127.0.0.1:0"}
	if err := config.complete(); err != nil {
		t.Fatal(err)
	}
	if config.ProvisioningGRPC != Off || config.OperationalGRPC != "127.0.0.1:8886" || config.ProvisioningHTTP != "127.0.0.1:8887" || config.OperationalHTTP != "127.0.0.1:0" {
		t.Errorf("completed to %+v", config)
	}
	for says, c := range map[string]Config{"provisioning: ": {Provisioning: Off}, "operational-http: ": {OperationalHTTP: "8888"}} {
		c.Dir = t.TempDir()
		if err := c.complete(); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("it says %v, want %q", err, says)
		}
	}
}
