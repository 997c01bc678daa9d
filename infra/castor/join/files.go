package join

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A file is one that is written: its path in the folder, and whether only its owner may read it.
type file struct {
	name    string
	content []byte
	secret  bool
}

func (f file) write(dir string) error {
	path := filepath.Join(dir, f.name)
	mode := os.FileMode(0o644)
	if f.secret {
		mode = 0o600
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(f.content)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func valueOf(files []file, secret string) string {
	for _, f := range files {
		if filepath.Base(f.name) == secret {
			return strings.TrimSpace(string(f.content))
		}
	}
	return ""
}

// settings are what castor-connector reads.
func (p *Plan) settings(port string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Gateway %s: castor-connector %s --settings <this folder>. The environment goes above what is said here.\n", p.ID, p.Connector)
	set := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s=%s\n", name, value)
		}
	}
	set("CASTOR_GATEWAY_ID", p.ID)
	set("CASTOR_PUBLIC_URL", p.URL)
	set("CASTOR_GATEWAY_URL", p.Platform)
	set("CASTOR_NATS_URL", p.NATS)
	set("CASTOR_NATS_USER", p.ID)
	set("CASTOR_REGION", p.Region)
	set("CASTOR_LOCATION", p.Location)
	if p.Capacity > 0 {
		set("CASTOR_CAPACITY", strconv.FormatInt(p.Capacity, 10))
	}
	switch p.Connector {
	case "mosquitto":
		set("CASTOR_KINDS", p.Kind)
		set("CASTOR_MOSQUITTO_URL", "tcp://"+p.control())
		set("CASTOR_MOSQUITTO_CRL", "${DIR}/"+mosquittoDir+"/revoked.pem")
		set("CASTOR_MOSQUITTO_PID", "${DIR}/"+mosquittoDir+"/mosquitto.pid")
	case "foreign":
		p.foreign(set, port)
	default:
		set("CASTOR_GATEWAY_PHASE", p.Phase)
		set("CASTOR_LISTEN", or(p.Listen, net.JoinHostPort("", port)))
	}
	b.WriteString("# An address like 127.0.0.1:9102 serves /metrics and /readyz, for Prometheus and castor-connector health.\n")
	set("CASTOR_METRICS", "off")
	return []byte(b.String())
}
