package join

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/platform"
)

// mosquittoDir is the part of the folder that mosquitto reads; it keeps there what the connector has told it.
const mosquittoDir = "mosquitto"

// control is the address of mosquitto's listener for the connector: Listen's port is the devices', and this one stays on the machine.
func (p *Plan) control() string { return or(p.Listen, "127.0.0.1:1883") }

// plugins are where distributions put mosquitto's plugin.
var plugins = []string{"/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so", "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
	"/usr/lib/arm-linux-gnueabihf/mosquitto_dynamic_security.so", "/usr/lib/mosquitto_dynamic_security.so"}

func plugin() string {
	for _, f := range plugins {
		if _, err := os.Stat(f); err == nil {
			return f
		}
	}
	return plugins[0]
}

// mosquitto is all that an Eclipse Mosquitto needs beside its package: configuration, certificate, and who its administrator is, by
// the password.
func (p *Plan) mosquitto(dir, port, password string) ([]file, error) {
	at := func(name string) string { return filepath.Join(dir, mosquittoDir, name) }
	if strings.ContainsAny(dir, "\n\r") {
		return nil, fmt.Errorf("the folder %q cannot be named in mosquitto's configuration", dir)
	}
	chain, key, _, err := p.Keys.Server(p.Now, p.hosts())
	if err != nil {
		return nil, err
	}
	ca, err := p.Keys.Read(platform.SecretCACert)
	if err != nil {
		return nil, err
	}
	controlHost, controlPort, err := net.SplitHostPort(p.control())
	if err != nil {
		return nil, fmt.Errorf("--listen %.80q must be an address of this machine for the connector alone, like 127.0.0.1:1883", p.control())
	}
	var c strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&c, format+"\n", args...) }
	line("# Gateway %s: mosquitto -c %s", p.ID, at("mosquitto.conf"))
	line("per_listener_settings false\nallow_anonymous false\nplugin %s\nplugin_opt_config_file %s", plugin(), at("dynamic-security.json"))
	line("pid_file %s\npersistence true\npersistence_location %s/\nuser %s", at("mosquitto.pid"), at("."), account())
	line("log_dest topic\nlog_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\nlog_type subscribe\nconnection_messages true")
	line("message_size_limit 262144\nmax_inflight_messages 0\nmax_queued_messages 100000")
	line("\n# the connector's own\nlistener %s %s", controlPort, controlHost)
	line("\n# devices\nlistener %s\ncertfile %s\nkeyfile %s", port, at("server.pem"), at("server.key"))
	if p.Kind == "certificate" {
		line("cafile %s\nrequire_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\ncrlfile %s", at("castor-ca.pem"), at("revoked.pem"))
	}
	files := []file{
		{filepath.Join(mosquittoDir, "mosquitto.conf"), []byte(c.String()), false},
		{filepath.Join(mosquittoDir, "server.pem"), chain, false},
		{filepath.Join(mosquittoDir, "server.key"), key, true},
		{filepath.Join(mosquittoDir, "castor-ca.pem"), append(ca, '\n'), false},
	}
	if _, err := os.Stat(at("dynamic-security.json")); err == nil {
		return files, nil // mosquitto's own by now: its devices are in it
	}
	b, err := dynamicSecurity("admin", password)
	return append(files, file{filepath.Join(mosquittoDir, "dynamic-security.json"), b, true}), err
}

// dynamicSecurity is what `mosquitto_ctrl dynsec init` writes: an administrator, who may configure whom mosquitto lets in.
func dynamicSecurity(name, password string) ([]byte, error) {
	const iterations = 20_000
	salt := make([]byte, 12)
	rand.Read(salt) // never fails
	hash, err := pbkdf2.Key(sha512.New, password, salt, iterations, sha512.Size)
	if err != nil {
		return nil, err
	}
	type acl struct {
		Type  string `json:"acltype"`
		Topic string `json:"topic"`
		Allow bool   `json:"allow"`
	}
	acls := []acl{{"publishClientSend", "$CONTROL/dynamic-security/#", true}}
	for _, topic := range []string{"$CONTROL/dynamic-security/#", "$SYS/#", "#"} {
		acls = append(acls, acl{"publishClientReceive", topic, true}, acl{"subscribePattern", topic, true})
	}
	acls = append(acls, acl{"unsubscribePattern", "#", true})
	return json.MarshalIndent(map[string]any{
		"clients": []any{map[string]any{"username": name, "textName": "Castor's connector", "password": hash, "salt": salt, "iterations": iterations,
			"roles": []any{map[string]any{"rolename": "admin"}}}},
		"roles":            []any{map[string]any{"rolename": "admin", "acls": acls}},
		"defaultACLAccess": map[string]bool{"publishClientSend": false, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
	}, "", "  ")
}

// account is as whom mosquitto runs: as it is started, or, where root starts it, as its package's own.
func account() string {
	if os.Getuid() == 0 {
		return "mosquitto"
	}
	if me, err := user.Current(); err == nil {
		return me.Username
	}
	return "mosquitto"
}

// giveToMosquitto lets the package's own account read and write mosquitto's part of the folder, and nothing else of it, where root
// has made it.
func giveToMosquitto(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("mosquitto")
	if err != nil {
		return nil // there is no mosquitto on this machine: the folder goes to another
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		return nil
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(dir, mosquittoDir), func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, uid, gid)
		}
		return err
	})
}
