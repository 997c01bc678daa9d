package grpc_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// Each example of docs/devices-grpc.md works as it stands there.
func TestTheExamplesOfTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../docs/devices-grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	in, out := linktest.NewWorld(t), linktest.NewWorld(t)
	provisioning, _ := start(t, in, "provisioning", nil)
	operational, _ := start(t, out, "operational", nil)
	out.Fill()
	in.AdmitClaim("claim-1", "token")
	id, key := out.AdmitDevice("p-7"), out.AdmitSecret("p-8", device.APIKey)
	for _, x := range []linktest.Identity{id, key} {
		admitted(t, out, operational, x)
	}
	out.Platform.Command(api.LeasedCommand{ID: "c-1", Twin: linktest.TwinOf("p-8"), Name: "open", Until: linktest.Soon()})
	dir := t.TempDir()
	file := func(name, kind string, der []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out.CA.WriteFiles(t, dir)
	if err := os.Rename(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "operational.pem")); err != nil {
		t.Fatal(err)
	}
	in.CA.WriteFiles(t, dir)
	der, err := x509.MarshalPKCS8PrivateKey(id.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file("device.pem", "CERTIFICATE", id.Certificate.Certificate[0])
	file("key.pem", "PRIVATE KEY", der)
	if err := os.WriteFile(filepath.Join(dir, "ask.json"), []byte(`{"serial": "P-7", "model": "Pump 3000", "csr": "x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "grpcurl")); err != nil {
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		if strings.Contains(script, "$OPERATIONAL") {
			script = strings.ReplaceAll(script, "-cacert ca.pem", "-cacert operational.pem") // each world has a CA of its own
		}
		c := exec.Command("sh", "-eu", "-c", script)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "CASTOR_AS_GRPCURL=1", "CLAIM=claim-1", "TOKEN=token", "KEY="+key.Password,
			"PROVISIONING="+provisioning, "OPERATIONAL="+operational)
		b, err := c.CombinedOutput()
		if err != nil && !strings.Contains(script, "-max-time") { // what waits for a person is ended by that
			t.Errorf("%s: %v\n%s", script, err, b)
		}
		return string(b)
	}
	says := []string{"ACCEPTED", "PENDING", "{}", `"order"`, `"id": "c-1"`, `"2"`, `"SERVING"`}
	blocks := block.FindAllSubmatch(text, -1)
	if len(blocks) != len(says) {
		t.Fatalf("the document has %d examples, want %d", len(blocks), len(says))
	}
	for i, b := range blocks {
		if got := run(string(b[1])); !strings.Contains(strings.ReplaceAll(got, ":  ", ": "), says[i]) {
			t.Errorf("%s\nanswered without %s:\n%s", b[1], says[i], got)
		}
	}
	if n := len(in.Platform.Requests()); n != 1 {
		t.Errorf("%d requests reached the function", n)
	}
	if n := len(in.Platform.Knocks()); n != 1 {
		t.Errorf("%d knocks reached the function", n)
	}
	found := 0
	for _, m := range out.Platform.Stored("") {
		if m.Kind == telemetry.Telemetry && len(m.Samples) == 1 && m.Samples[0].Value == 1450.0 {
			found++
		}
	}
	if n := len(out.Platform.Confirmed()); found != 2 || n != 1 {
		t.Errorf("of the examples %d readings of 1450 are stored and %d confirmations taken, want 2 and 1", found, n)
	}
}
