package join_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/castor/join"
	"github.com/castor-iot/castor/infra/castor/secrets"
)

// What cannot be is refused with its remedy, and nothing is written.
func TestPlansThatCannotBe(t *testing.T) {
	keys := secrets.Dir(t.TempDir())
	if _, err := keys.Platform(time.Now()); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*join.Plan){
		"--as one of":        func(p *join.Plan) { p.Connector = "coap" },
		"lower case letters": func(p *join.Plan) { p.ID = "../op" },
		"--phase":            func(p *join.Plan) { p.Phase = "both" },
		"must be operational": func(p *join.Plan) {
			p.Connector, p.Phase = "mosquitto", "provisioning"
		},
		"--dial":                func(p *join.Plan) { p.URL = "mqtt://plant.example" },
		"tls://plant.example":   func(p *join.Plan) { p.URL = "grpcs://plant.example:8883" },
		"line break":            func(p *join.Plan) { p.Region = "x\nCASTOR_GATEWAY_PHASE=provisioning" },
		"another control":       func(p *join.Plan) { p.Listen = ":1\r" },
		"castor up --nats":      func(p *join.Plan) { p.NATS = "" },
		"--contract is missing": func(p *join.Plan) { p.Connector = "foreign" },
		"--kind":                func(p *join.Plan) { p.Kind = "token" },
		"neither a host name":   func(p *join.Plan) { p.Hosts = []string{"a b"} },
		"--contract \"ftp":      func(p *join.Plan) { foreign(p); p.Contract = "ftp://acme.example" },
		"--protocol \"lines\"":  func(p *join.Plan) { foreign(p); p.Protocol = "lines" },
		"--relay is missing":    func(p *join.Plan) { foreign(p); p.Relay = "" },
		"--relay \"http:":       func(p *join.Plan) { foreign(p); p.Relay = "http://relay.example:8889" },
		"--relay \"https:":      func(p *join.Plan) { foreign(p); p.Relay = "https://relay.example" },
		"--account is missing":  func(p *join.Plan) { foreign(p); p.Account = "" },
		"--account \"a\\n":      func(p *join.Plan) { foreign(p); p.Account = "a\nCASTOR_KINDS=token" },
		"--contract-ca":         func(p *join.Plan) { foreign(p); p.ContractCA = "no such file" },
	} {
		p := join.Plan{Keys: keys, Platform: "http://127.0.0.1:8080", NATS: "nats://127.0.0.1:4222", ID: "operational-2", Connector: "mqtt", Phase: "operational",
			URL: "tls://plant.example:8883", Kind: "certificate", Now: time.Now()}
		change(&p)
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := p.Write(dir, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is told as: %v", want, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%q: something is written all the same", want)
		}
	}
}

func foreign(p *join.Plan) {
	p.Connector, p.Contract, p.Relay, p.Account = "foreign", "https://acme.example/castor", "https://relay.example:8889", "acme-gateway"
}

// The folder of a gateway of somebody else's has all that takes what its devices say, where that is asked for, and nothing of it else.
func TestAFolderWithARelay(t *testing.T) {
	keys := secrets.Dir(t.TempDir())
	if _, err := keys.Platform(time.Now()); err != nil {
		t.Fatal(err)
	}
	ca, err := keys.Read("castor-ca")
	if err != nil {
		t.Fatal(err)
	}
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, relays := range []bool{true, false} {
		p := join.Plan{Keys: keys, Platform: "http://127.0.0.1:8080", NATS: "nats://127.0.0.1:4222", ID: "acme", Phase: "operational",
			URL: "tls://acme.example:8883", Kind: "certificate", Now: time.Now()}
		foreign(&p)
		p.ContractCA, p.Protocol = trusted, "http"
		if !relays {
			p.Relay, p.Account = "", ""
		}
		dir := filepath.Join(t.TempDir(), "acme")
		if _, err := p.Write(dir, false); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "settings.env"))
		if err != nil {
			t.Fatal(err)
		}
		settings := string(b)
		if got := strings.Contains(settings, "CASTOR_RELAY_LISTEN=:8889\nCASTOR_RELAY_ACCOUNT=acme-gateway\n"); got != relays || !strings.Contains(settings, "CASTOR_PROTOCOL=http\n") {
			t.Errorf("with a relay: %v, the settings are %s", relays, settings)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "secrets", "castor-foreign-ca")); err != nil || strings.TrimSpace(string(b)) != strings.TrimSpace(string(ca)) {
			t.Errorf("the contract's CA is not there: %v", err)
		}
		b, err = os.ReadFile(filepath.Join(dir, "secrets", "castor-gateway-cert"))
		if relays != (err == nil) {
			t.Fatalf("with a relay: %v, its certificate: %v", relays, err)
		}
		if !relays {
			continue
		}
		block, _ := pem.Decode(b)
		if cert, err := x509.ParseCertificate(block.Bytes); err != nil || cert.VerifyHostname("relay.example") != nil || cert.VerifyHostname("acme.example") == nil {
			t.Errorf("the certificate is not the relay's: %v", err)
		}
	}
}

// A folder that is written anew keeps the secrets that others know by now.
func TestAFolderIsWrittenAnew(t *testing.T) {
	keys, dir := secrets.Dir(t.TempDir()), filepath.Join(t.TempDir(), "acme")
	if _, err := keys.Platform(time.Now()); err != nil {
		t.Fatal(err)
	}
	p := join.Plan{Keys: keys, Platform: "http://127.0.0.1:8080", NATS: "nats://127.0.0.1:4222", ID: "acme", Connector: "foreign", Phase: "operational",
		URL: "coaps://acme.example:5684", Contract: "https://acme.example/castor", Kind: "certificate", Now: time.Now()}
	if _, err := p.Write(dir, false); err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(dir, "secrets", "castor-foreign-token")
	before, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := os.Stat(token); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", f, err)
	}
	p.Region = "eu"
	if _, err := p.Write(dir, true); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(token)
	settings, err2 := os.ReadFile(filepath.Join(dir, "settings.env"))
	if err != nil || err2 != nil || string(after) != string(before) || !strings.Contains(string(settings), "CASTOR_REGION=eu\n") {
		t.Errorf("written anew the token is %v, the settings are %s", string(after) == string(before), settings)
	}
}
