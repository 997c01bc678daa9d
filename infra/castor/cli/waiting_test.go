package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/seal"
)

// knock is a device that shows nothing, at a provisioning gateway.
func (p *person) knock(serial string) api.ProvisionAnswer {
	p.t.Helper()
	public, _, err := seal.NewKey()
	if err != nil {
		p.t.Fatal(err)
	}
	c := p.Part("connector", "prov")
	if _, err := c.PutGateway(context.Background(), api.Gateway{ID: "prov", Phase: "provisioning", URL: "tls://127.0.0.1:8884"}); err != nil {
		p.t.Fatal(err)
	}
	a, err := c.Knock(context.Background(), api.Knock{Gateway: "prov", Client: "c", Serial: serial, Model: "X1", PublicKey: public})
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// Who waits is admitted, banned and forgotten by the command line.
func TestWaitingDevices(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does(words("group create press"), "", "created")
	p.does(words("type create pump"), "", "created")
	for _, s := range []string{"P-1", "P-2", "X-1"} {
		p.knock(s)
	}
	list := p.does(words("waiting list"), "", "P-1", "P-2", "X-1", "X1", "waiting")
	ids := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]{24})\s+(\S+)`).FindAllStringSubmatch(list, -1) {
		ids[m[2]] = m[1]
	}
	p.fails(words("waiting admit --owner press"), "--all")
	p.does([]string{"waiting", "admit", ids["P-1"], "--owner", "press", "--type", "pump", "--reason", "ours"}, "", "1 device admitted")
	p.does([]string{"waiting", "admit", "--all", "--serial", "P-*", "--owner", "press", "--type", "pump"}, "", "1 device admitted")
	p.does([]string{"waiting", "ban", ids["X-1"], "--reason", "not ours"}, "", "1 device banned")
	p.fails([]string{"waiting", "admit", ids["X-1"], "--owner", "press", "--type", "pump"}, "1 device could not be admitted")
	p.does(words("waiting list --state banned"), "", "X-1", "not ours")
	p.does([]string{"waiting", "unban", ids["X-1"]}, "", "1 device unbanned")
	p.does([]string{"waiting", "forget", ids["X-1"]}, "", "forgotten")
	p.does(words("identity get p-2"), "", "P-2")
}

// An installer is led through a run by the command line.
func TestAnInstallersRun(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does(words("group create press"), "", "created")
	p.does(words("type create pump --provisioning manual"), "", "created")
	key := filepath.Join(t.TempDir(), "p-7.key")
	out := p.does([]string{"run", "start", "pump", "--owner", "press", "--serial", "P-7", "--key", key}, "", "begun; next: Put the device")
	id := regexp.MustCompile(`run-[0-9a-f]+`).FindString(out)
	if f, err := os.Stat(key); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("others may read the key: %v, %v", f, err)
	}
	p.does(words("run board"), "", "manual, version 1", "Put the device into its place", "1")
	p.does(words("run list --awaits people"), "", id, "place: Put the device into its place")
	if out := p.does(words("run list -o csv"), "", ",place,"); strings.Contains(out, "Put the device") {
		t.Errorf("programs read states, not their titles:\n%s", out)
	}
	out = p.does([]string{"run", "get", id}, "", "asks", "owner, group press", "Put the device into its place", "until", "(in 7d)")
	head, _, _ := strings.Cut(out, "\n\n")
	values := map[int]bool{} // where they begin
	for _, line := range strings.Split(head, "\n") {
		values[len(regexp.MustCompile(`^[a-z]+( [a-z]+)?  +`).FindString(line))] = true
	}
	if len(values) != 1 {
		t.Errorf("it is not aligned:\n%s", head)
	}
	p.does([]string{"run", "confirm", id}, "", "next: Scan or type the serial")
	p.fails([]string{"run", "confirm", id}, "serial is missing")
	p.fails([]string{"run", "approve", id}, "waits for")
	p.does([]string{"run", "confirm", id, "--serial", "P-7", "--reason", "read from its plate"}, "", "run "+id+" confirmed")
	p.fails([]string{"run", "bundle", id, "--key", key + "2"}, "no such file")
	if out := p.does([]string{"run", "get", id}, ""); !strings.Contains(out, "read from its plate") {
		t.Errorf("the log does not say why:\n%s", out)
	}
	p.does(words("run list --model manual --since 1h"), "", id)
	if out := p.does(words("run list --outcome completed"), ""); strings.Contains(out, id) {
		t.Errorf("it is not completed:\n%s", out)
	}
	p.fails(words("run list --outcome lost"), "outcome")
	p.fails(words("run list --since yesterday"), "--since")
	p.fails([]string{"run", "start", "pump", "--owner", "press", "--kind", "x"}, "token, password or api-key")
	p.fails([]string{"run", "start", "pump", "--owner", "press"}, "--key FILE")
	for _, file := range []string{key, key + ".new"} { // what was made for a run that is refused goes with it
		p.fails([]string{"run", "start", "pump", "--owner", "press", "--kind", "x", "--key", file}, "token, password or api-key")
		if _, err := os.Stat(file); (err == nil) != (file == key) {
			t.Errorf("the key file %s of a refused run: %v", filepath.Base(file), err)
		}
	}
	p.fails([]string{"run", "confirm", id, "--serial", "P-7"}, "--serial: run "+id+" does not ask for it now")
	p.does([]string{"run", "reset", id}, "", "run "+id+" is undone")
	for _, out := range []string{p.does([]string{"run", "get", id}, ""), p.does(words("run list"), "")} {
		if !regexp.MustCompile(`(?m)(^state +rejected$|` + id + `.* rejected )`).MatchString(out) {
			t.Errorf("how it ended:\n%s", out)
		}
	}
}

// Who asks for the bundle just after the last step gets it: the command waits for what the platform does itself, and for nothing else.
func TestABundleIsWaitedFor(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does(words("group create press"), "", "created")
	p.does(words("type create pump --provisioning manual"), "", "created")
	key := filepath.Join(t.TempDir(), "p-7.key")
	id := regexp.MustCompile(`run-[0-9a-f]+`).FindString(p.does([]string{"run", "start", "pump", "--owner", "press", "--serial", "P-7", "--key", key}, "", "begun"))
	bundle := []string{"run", "bundle", id, "--key", key}
	p.fails(bundle, "has no bundle: next: Put the device into its place")
	p.fails(append(bundle, "--wait", "-1s"), "--wait")
	if _, err := p.Part("connector", "op").PutGateway(t.Context(), api.Gateway{ID: "op", Phase: "operational", Protocol: "mqtt", URL: "mqtts://127.0.0.1:8883"}); err != nil {
		t.Fatal(err)
	}
	p.does([]string{"run", "confirm", id}, "")
	p.does([]string{"run", "confirm", id, "--serial", "P-7"}, "")
	p.fails(append(bundle, "--wait", "0"), "has no bundle: it is in state gateway")
	r, err := p.User("ada", []access.Role{access.Maintainer}).GetRun(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	taken := event.New("op/1", event.GatewayApplied, r.Results.DeviceRef, p.Now(), api.GatewayApplied{Gateway: "op", Client: r.Results.DeviceRef, Revision: 1})
	told := make(chan error, 1)
	go func() { told <- p.Event("twin-provision", taken) }()
	p.does(bundle, "", `"secret"`, "mqtts://127.0.0.1:8883")
	if err := <-told; err != nil {
		t.Error(err)
	}
	p.does([]string{"run", "reset", id}, "")
	p.fails(bundle, "has no bundle: it is rejected")
}
