package secrets

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
)

var now = time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)

func plan() Plan {
	return Plan{Hosts: []string{"pump.example.com", "10.0.0.5"}, Gateways: []string{"operational-1", "provisioning-1"},
		Functions: []string{"twins", "users"}, Mongo: "mongo:27017", Now: now}
}

func made(t *testing.T) Dir {
	t.Helper()
	d := Dir(filepath.Join(t.TempDir(), "a", "secrets"))
	if _, err := d.Make(plan()); err != nil {
		t.Fatal(err)
	}
	return d
}

// content is all files of the folder.
func content(t *testing.T, d Dir) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := os.ReadDir(string(d))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == lockFile {
			continue
		}
		b, err := os.ReadFile(d.Path(f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = string(b)
	}
	return all
}

func TestAllSecretsAreMade(t *testing.T) {
	d := made(t)
	all := content(t, d)
	for _, name := range []string{"castor-parts", "castor-part-twins", "castor-part-users", "castor-part-events", "castor-part-connector-operational-1",
		"castor-part-connector-provisioning-1", "castor-seal", "castor-verifier", "castor-ca", "castor-ca-key", "castor-admin", "castor-smtp", "castor-gateway-cert",
		"castor-gateway-key", "castor-s3-access", "castor-s3-secret", "castor-mongo-url", "castor-nats-token", "basic-auth-user", "basic-auth-password"} {
		if strings.TrimSpace(all[name]) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range all {
		if info, err := os.Stat(d.Path(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(string(d)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	if all["castor-part-connector-operational-1"] != platform.DerivePart([]byte(all["castor-parts"]), "connector", "operational-1") ||
		all["castor-part-twins"] != platform.DerivePart([]byte(all["castor-parts"]), "twins", "") {
		t.Error("parts' secrets are not made from castor-parts")
	}
	if all["castor-mongo-url"] != "mongodb://castor:"+all["mongo-password"]+"@mongo:27017/castor" {
		t.Error("castor-mongo-url does not name the user that MongoDB is given")
	}
	pair, err := tls.X509KeyPair([]byte(all["castor-gateway-cert"]), []byte(all["castor-gateway-key"]))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.LoadCA([]byte(all["castor-ca"]), []byte(all["castor-ca-key"]))
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range plan().Hosts {
		if _, err := c.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: host, CurrentTime: now}); err != nil {
			t.Errorf("the gateways' certificate for %s: %v", host, err)
		}
	}
}

// Whatever one write was interrupted after, running it again completes the folder and changes nothing that is there.
func TestAHalfMadeFolderIsCompleted(t *testing.T) {
	whole := content(t, made(t))
	derived := func(name string) bool { return strings.HasPrefix(name, "castor-part-") }
	// The order in which they are written matters up to castor-parts; what comes after may be missing one by one.
	order := []string{"castor-ca-key", "castor-ca", "castor-admin", "castor-seal", "castor-verifier", "castor-parts"}
	for n := range len(order) + 1 {
		d := Dir(t.TempDir())
		for _, name := range order[:n] {
			if err := os.WriteFile(d.Path(name), []byte(whole[name]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(d.Path(".new-123"), []byte("cut"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(string(d), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Make(plan()); err != nil {
			t.Fatalf("after %v: %v", order[:n], err)
		}
		all := content(t, d)
		if !slices.Equal(slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(whole))) {
			t.Errorf("after %v there are %v", order[:n], slices.Sorted(maps.Keys(all)))
		}
		for _, name := range order[:n] {
			if all[name] != whole[name] {
				t.Errorf("after %v %s was changed", order[:n], name)
			}
		}
	}
	for name := range whole {
		if slices.Contains(order, name) || name == "castor-gateway-cert" {
			continue
		}
		d := Dir(t.TempDir())
		if err := os.Chmod(string(d), 0o700); err != nil {
			t.Fatal(err)
		}
		for other, value := range whole {
			if other != name {
				if err := os.WriteFile(d.Path(other), []byte(value), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		r, err := d.Make(plan())
		if err != nil {
			t.Errorf("without %s: %v", name, err)
			continue
		}
		all := content(t, d)
		if derived(name) && all[name] != whole[name] {
			t.Errorf("%s came out differently", name)
		}
		for other, value := range whole {
			if other != name && all[other] != value && !(name == "castor-gateway-key" && other == "castor-gateway-cert") {
				t.Errorf("without %s, %s was changed", name, other)
			}
		}
		if strings.HasPrefix(name, "mongo-") || strings.HasPrefix(name, "minio-") {
			continue // their stores have them; a new one would be good for nothing
		}
		if !slices.Contains(r.Made, name) {
			t.Errorf("%s was not made again", name)
		}
	}
}

func TestNothingIsChangedTheSecondTime(t *testing.T) {
	d := made(t)
	before := content(t, d)
	if err := os.Remove(d.Path("castor-admin")); err != nil { // as somebody does who has signed in
		t.Fatal(err)
	}
	delete(before, "castor-admin")
	r, err := d.Make(plan())
	if err != nil || len(r.Made) != 0 || len(r.Kept) != len(before) || !maps.Equal(before, content(t, d)) {
		t.Errorf("made %v, kept %d, %v", r.Made, len(r.Kept), err)
	}
	p := plan()
	p.Gateways = append(p.Gateways, "operational-2")
	p.Functions = append(p.Functions, "twin-new")
	if r, err = d.Make(p); err != nil || !slices.Equal(r.Made, []string{"castor-part-connector-operational-2", "castor-part-twin-new"}) {
		t.Errorf("for a new gateway and a new function: %v, %v", r.Made, err)
	}
}

func TestTwoAtOnceMakeOnePlatform(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "secrets"))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := d.Make(plan()); err != nil && !strings.Contains(err.Error(), "another castor") {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if r, err := d.Make(plan()); err != nil || len(r.Made) != 0 {
		t.Errorf("what they have made does not fit together: %v made after them, %v", r.Made, err)
	}
}

func TestWhatIsLostOrDamagedIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, d Dir)
		says string
	}{
		"the seal is lost":              {remove("castor-seal"), "castor-seal is missing"},
		"the verifiers' key is lost":    {remove("castor-verifier"), "castor-verifier is missing"},
		"the CA is lost":                {remove("castor-ca"), "castor-ca is missing"},
		"the CA's key is lost":          {remove("castor-ca-key"), "castor-ca-key is missing"},
		"a CA without its key, at once": {remove("castor-ca-key", "castor-parts"), "only one of castor-ca and castor-ca-key"},
		"the seal is empty":             {put("castor-seal", " \n"), "castor-seal is empty"},
		"the seal is short":             {put("castor-seal", "short"), "castor-seal in"},
		"the CA is another's":           {put("castor-ca-key", otherKey), "the CA's certificate and key"},
		"castor-parts is another":       {put("castor-parts", strings.Repeat("x", 43)), "was not made from the castor-parts"},
		"a part's secret is another's":  {put("castor-part-users", "x"), "castor-part-users in"},
		"a password is empty":           {put("basic-auth-password", ""), "basic-auth-password is empty"},
		"MongoDB's URL is none":         {put("castor-mongo-url", "mongo:27017"), "must begin with mongodb://"},
		"a certificate of another key":  {put("castor-gateway-key", otherKey), "do not belong together: run castor init"},
		"a certificate that is none":    {put("castor-gateway-cert", "x"), "no PEM certificate"},
		"a key without a certificate":   {remove("castor-gateway-cert"), "put the certificate beside it"},
		"a folder for all to see": {func(t *testing.T, d Dir) {
			if err := os.Chmod(string(d), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "chmod 700"},
	} {
		t.Run(name, func(t *testing.T) {
			d := made(t)
			test.do(t, d)
			before := content(t, d)
			_, err := d.Make(plan())
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), string(d)) {
				t.Errorf("it says %v, want %q and the folder", err, test.says)
			}
			for name, value := range before {
				if content(t, d)[name] != value {
					t.Errorf("%s was changed", name)
				}
				if err != nil && len(value) > 20 && strings.Contains(err.Error(), value) {
					t.Errorf("the error has the secret %s in it", name)
				}
			}
		})
	}
}

func remove(names ...string) func(*testing.T, Dir) {
	return func(t *testing.T, d Dir) {
		for _, name := range names {
			if err := os.Remove(d.Path(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func put(name, value string) func(*testing.T, Dir) {
	return func(t *testing.T, d Dir) {
		if err := os.WriteFile(d.Path(name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var otherKey = func() string {
	_, key, err := pki.NewCA(now)
	if err != nil {
		panic(err)
	}
	return string(key)
}()

func TestRenew(t *testing.T) {
	d := made(t)
	before := content(t, d)
	p := plan()
	p.Hosts, p.Now = nil, now.AddDate(0, 11, 15)
	r, err := d.Make(p)
	if err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "--renew") {
		t.Errorf("two weeks before its end: %v, %v", r.Notes, err)
	}
	p.Now = now.AddDate(2, 0, 0)
	if _, err = d.Make(p); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after its end: %v", err)
	}
	p.Renew = true
	if err := os.Chmod(d.Path(GatewayKey), 0o444); err != nil { // for containers, which have users of their own
		t.Fatal(err)
	}
	r, err = d.Make(p)
	if err != nil || !slices.Equal(r.Made, []string{GatewayCert, GatewayKey}) {
		t.Fatalf("made %v, %v", r.Made, err)
	}
	c, err := d.leaf()
	if err != nil || !d.signed(c) || !slices.Equal(hostsOf(c), plan().Hosts) || c.NotAfter.Before(p.Now.AddDate(0, 11, 0)) || c.Subject.CommonName != "pump.example.com" {
		t.Errorf("renewed for %v until %v, %v", hostsOf(c), c.NotAfter, err)
	}
	if info, err := os.Stat(d.Path(GatewayKey)); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("the renewed key has mode %v, %v", info.Mode(), err)
	}
	p.Renew = false
	if _, err := d.Make(p); err != nil {
		t.Error(err)
	}
	for name, value := range content(t, d) {
		if (before[name] != value) != (name == GatewayCert || name == GatewayKey) {
			t.Errorf("%s: changed %v", name, before[name] != value)
		}
	}
	p.Hosts = []string{"other.example.com"}
	if _, err := d.Make(p); err == nil || !strings.Contains(err.Error(), "not for other.example.com") || !strings.Contains(err.Error(), "--renew") {
		t.Errorf("another host: %v", err)
	}
}

// An operator who has a certificate and stores already puts them in before; they stay.
func TestWhatAnOperatorHas(t *testing.T) {
	certs := made(t)
	d := Dir(t.TempDir())
	own := map[string]string{GatewayCert: content(t, certs)[GatewayCert], GatewayKey: content(t, certs)[GatewayKey],
		MongoURL: "mongodb+srv://castor:x@db.example.com/castor?tls=true\n", S3Access: "key", S3Secret: "secret"}
	if err := os.Chmod(string(d), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range own {
		put(name, value)(t, d)
	}
	if _, err := d.Make(plan()); err != nil {
		t.Fatal(err)
	}
	all := content(t, d)
	for name, value := range own {
		if all[name] != value {
			t.Errorf("%s was changed", name)
		}
	}
	for _, name := range []string{mongoRoot, mongoPassword, minioUser, minioPassword} {
		if _, ok := all[name]; ok {
			t.Errorf("%s was made for somebody else's store", name)
		}
	}
	p := plan()
	p.Renew = true
	if _, err := d.Make(p); err == nil || !strings.Contains(err.Error(), "not signed by the platform's CA") {
		t.Errorf("a foreign certificate was renewed: %v", err)
	}
}

// Parts get new secrets; the first administrator, who has signed in long ago, gets none, and nothing else changes.
func TestPartsAreRotated(t *testing.T) {
	d := made(t)
	before := content(t, d)
	for name := range before {
		if strings.HasPrefix(name, "castor-part") || name == "castor-admin" {
			remove(name)(t, d)
		}
	}
	r, err := d.Make(plan())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range content(t, d) {
		if (value != before[name]) != strings.HasPrefix(name, "castor-part") {
			t.Errorf("%s: changed %v", name, value != before[name])
		}
	}
	if slices.Contains(r.Made, "castor-admin") || !slices.Contains(r.Made, "castor-parts") {
		t.Errorf("made %v", r.Made)
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	for says, change := range map[string]func(*Plan){
		"--host pump.example.com": func(p *Plan) { p.Hosts = nil },
		"without scheme":          func(p *Plan) { p.Hosts = []string{"pump.example.com", "https://pump.example.com"} },
		`gateway: "Op_1"`:         func(p *Plan) { p.Gateways = []string{"Op_1"} },
		`gateway: "../x"`:         func(p *Plan) { p.Gateways = []string{"../x"} },
		`mongo: "db"`:             func(p *Plan) { p.Mongo = "db" },
		`mongo: "a@b:1"`:          func(p *Plan) { p.Mongo = "a@b:1" },
	} {
		p := plan()
		change(&p)
		if _, err := Dir(filepath.Join(t.TempDir(), "x")).Make(p); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it says %v, want %q", err, says)
		}
	}
}

func TestHosts(t *testing.T) {
	for host, ok := range map[string]bool{
		"localhost": true, "pump.example.com": true, "PUMP-1": true, "castor_1": true, "127.0.0.1": true, "::1": true, "2001:db8::5": true, "xn--bcher-kva.example": true,
		"": false, " ": false, "a b": false, "a..b": false, ".a": false, "a.": false, "-a": false, "a-": false, "a:80": false, "[::1]": false, "10.0.0": false,
		"10.0.0.256": false, "a/b": false, "*.example.com": false, "bücher.example": false, "a\n": false, "0.0.0.0": false, "::": false, "fe80::1%eth0": false,
		strings.Repeat("a", 64): false, strings.Repeat("a.", 126) + "a": true, strings.Repeat("a.", 127) + "a": false,
	} {
		if err := CheckHosts([]string{"localhost", host}); (err == nil) != ok {
			t.Errorf("%q: %v", host, err)
		}
	}
	if CheckHosts(make([]string, 65)) == nil {
		t.Error("65 hosts are not refused")
	}
}

func TestAddNeverOverwrites(t *testing.T) {
	d := Dir(t.TempDir())
	if err := d.Add("a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := d.Add("a", []byte("2")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	if all := content(t, d); len(all) != 1 || all["a"] != "1" {
		t.Errorf("there is %v", all)
	}
}

func TestAKeyWithoutItsCertificateIsUsed(t *testing.T) {
	d := made(t)
	remove("castor-ca", "castor-parts")(t, d)
	if _, err := d.Platform(now); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(content(t, d)["castor-ca"]))
	if block == nil || block.Type != "CERTIFICATE" {
		t.Error("no certificate was made for the CA's key")
	}
}
