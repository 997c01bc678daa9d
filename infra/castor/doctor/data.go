package doctor

import (
	"net"
	"path/filepath"

	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/castor-iot/castor/shared/platform"
)

// Complete fills in what the data directory and the secrets tell: the CA, the addresses, the settings of stores and mail. What
// is given stays. A setting that was given to castor up on its command line only is not known here.
func (c *Config) Complete() {
	for _, dir := range []string{filepath.Join(c.Data, "keys"), c.Secrets} {
		if len(c.CA) == 0 && dir != "" {
			c.CA, _ = platform.SecretFiles(dir)(platform.SecretCACert)
		}
	}
	if c.Data == "" {
		if c.Env != nil && c.Env("CASTOR_PROVISIONING") != "" {
			c.Gateways = append(c.Gateways, c.Env("CASTOR_PROVISIONING"))
		}
		return
	}
	var file up.Config
	if file.ReadFile(c.Data) != nil {
		return // castor up says what is wrong with it
	}
	host := "127.0.0.1"
	if len(file.Hosts) > 0 {
		host = file.Hosts[0]
	}
	if c.API == nil && len(c.Gateways) == 0 { // else the platform tells
		for _, at := range []string{file.Provisioning, file.Operational} {
			if _, port, err := net.SplitHostPort(at); err == nil {
				c.Gateways = append(c.Gateways, "tls://"+net.JoinHostPort(host, port))
			}
		}
	}
	given := c.Env
	c.Env = func(name string) string {
		if given != nil && given(name) != "" {
			return given(name)
		}
		return map[string]string{"CASTOR_MONGO_URL": file.MongoURL, "CASTOR_SMTP_URL": file.SMTP}[name]
	}
}

// Inside returns env if it has settings of a part of the platform, else nil.
func Inside(env func(string) string) func(string) string {
	for _, name := range []string{"CASTOR_MONGO_URL", "CASTOR_NATS_URL", "CASTOR_S3_ENDPOINT", "CASTOR_SMTP_URL"} {
		if env(name) != "" {
			return env
		}
	}
	return nil
}
