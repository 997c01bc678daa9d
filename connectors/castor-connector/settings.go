package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// A setting is one environment variable.
type setting struct {
	name      string
	what      string
	otherwise string // the default
	required  bool
	example   string
	check     func(string) error // what is wrong with a value; nil takes any
}

// settings are the values by name.
type settings map[string]string

func (s settings) get(name string) string { return s[name] }

// number is the value of a setting that checkNumber has seen.
func (s settings) number(name string) int64 {
	n, _ := strconv.ParseInt(s[name], 10, 64)
	return n
}

// readSettings reads all and tells of all that is wrong: the variable, and what would be right.
func readSettings(of []setting, env func(string) string) (settings, error) {
	values, faults := settings{}, []error(nil)
	for _, s := range of {
		v := strings.TrimSpace(env(s.name))
		switch {
		case v == "" && s.required:
			faults = append(faults, fmt.Errorf("%s is not set; it is %s, like %s", s.name, s.what, s.example))
		case v != "" && s.check != nil:
			if err := s.check(v); err != nil {
				faults = append(faults, fmt.Errorf("%s=%.200q: %w, like %s", s.name, v, err, s.example))
			}
		}
		values[s.name] = cmp.Or(v, s.otherwise)
	}
	return values, errors.Join(faults...)
}

// common are the settings of every connector.
var common = []setting{
	{name: "CASTOR_NATS_URL", what: "NATS, with JetStream; several servers with commas", required: true, example: "nats://nats:4222",
		check: checkEach(checkURL("nats", "tls", "ws", "wss"))},
	{name: "CASTOR_NATS_USER", what: "the user as whom NATS knows this process; secret castor-nats-token is the password then", example: "operational-2",
		check: checkGatewayID},
	{name: "CASTOR_NATS_CREDS", what: "file with NATS credentials, in place of a token", example: "/run/secrets/connector.creds"},
	{name: "CASTOR_NATS_REPLICAS", what: "on how many servers of a NATS cluster everything is kept", otherwise: "1", example: "3", check: checkWord("1", "3", "5")},
	{name: "CASTOR_GATEWAY_URL", what: "the user gateway, behind which the functions are", required: true, example: "http://gateway:8080", check: checkURL("http", "https")},
	{name: "CASTOR_SECRETS", what: "the folder with the secrets", otherwise: "/var/openfaas/secrets", example: "/run/secrets"},
	{name: "CASTOR_METRICS", what: "address of /metrics, /healthz and /readyz; off = none", otherwise: ":9102", example: "127.0.0.1:9102", check: checkMetrics},
	{name: "CASTOR_LOG", what: "the least that is logged: debug, info, warn or error", otherwise: "info", example: "debug", check: checkWord("debug", "info", "warn", "error")},
}

// commonSecrets are the secrets of every connector.
var commonSecrets = []string{
	"castor-nats-token: what NATS is shown; may be missing if it asks for none",
}

func checkURL(schemes ...string) func(string) error {
	return func(v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Hostname() == "" {
			return errors.New("it must be a URL with a host")
		}
		for _, s := range schemes {
			if u.Scheme == s {
				return nil
			}
		}
		return fmt.Errorf("it must begin with %s://", strings.Join(schemes, ":// or "))
	}
}

func checkEach(check func(string) error) func(string) error {
	return func(v string) error {
		for one := range strings.SplitSeq(v, ",") {
			if err := check(strings.TrimSpace(one)); err != nil {
				return err
			}
		}
		return nil
	}
}

func checkMetrics(v string) error {
	if v == "off" {
		return nil
	}
	return checkAddress(v)
}

func checkAddress(v string) error {
	i := strings.LastIndexByte(v, ':')
	if i < 0 {
		return errors.New("it must be an address to listen on, with its port")
	}
	if n, err := strconv.Atoi(v[i+1:]); err != nil || n < 0 || n > 65535 {
		return errors.New("its port must be a number up to 65535")
	}
	return nil
}

func checkNumber(least, most int64) func(string) error {
	return func(v string) error {
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < least || n > most {
			return fmt.Errorf("it must be a number from %d to %d", least, most)
		}
		return nil
	}
}

func checkWord(words ...string) func(string) error {
	return func(v string) error {
		for _, w := range words {
			if v == w {
				return nil
			}
		}
		return fmt.Errorf("it must be %s", strings.Join(words, " or "))
	}
}
