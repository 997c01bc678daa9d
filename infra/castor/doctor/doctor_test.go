package doctor_test

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions"
	"github.com/castor-iot/castor/infra/castor/doctor"
	"github.com/castor-iot/castor/infra/castor/up"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/tests/ports"
)

// wants tells that a report has a finding of this check and level that says all of words, remedy included.
func wants(t *testing.T, r doctor.Report, check string, level doctor.Level, words ...string) {
	t.Helper()
next:
	for _, f := range r.Findings {
		if f.Check != check || f.Level != level {
			continue
		}
		for _, w := range words {
			if !strings.Contains(f.Fact+" → "+f.Remedy, w) {
				continue next
			}
		}
		if level != doctor.OK && f.Remedy == "" {
			t.Errorf("no remedy for: %s", f.Fact)
		}
		return
	}
	t.Errorf("no finding %s %s with %q in:\n%s", level, check, words, text(r))
}

func text(r doctor.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(string(f.Level) + " " + f.Check + ": " + f.Fact + " → " + f.Remedy + "\n")
	}
	return b.String()
}

func freePort(t *testing.T) string { return ports.Free(t) }

// A real platform in one process: what is well is said to be well, and each thing that is broken is found.
func TestCastorUp(t *testing.T) {
	dir := t.TempDir()
	c, err := up.Start(t.Context(), up.Config{Dir: dir, Listen: "127.0.0.1:0", Provisioning: freePort(t), Operational: freePort(t),
		ProvisioningGRPC: "127.0.0.1:0", OperationalGRPC: "127.0.0.1:0", ProvisioningHTTP: "127.0.0.1:0", OperationalHTTP: "127.0.0.1:0", NoAgent: true})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = c.Stop()
		}
	}()
	client := &api.Client{URL: c.URL, HTTP: c.HTTP()}
	token, err := client.Login(t.Context(), api.Login{Name: "admin", Password: c.Password})
	if err != nil {
		t.Fatal(err)
	}
	client.Authorize = func(context.Context, string) (string, error) { return "Bearer " + token.Access, nil }
	config := func(change func(*doctor.Config)) doctor.Config {
		k := doctor.Config{URL: c.URL, HTTP: c.HTTP(), API: client, Data: dir}
		for _, f := range functions.All {
			k.Functions = append(k.Functions, f.Name)
		}
		if change != nil {
			change(&k)
		}
		k.Complete()
		return k
	}
	examine := func(change func(*doctor.Config)) doctor.Report { return doctor.Examine(t.Context(), config(change)) }

	// The watchdog runs every ten seconds; before its first run it is not well.
	r := examine(nil)
	for end := time.Now().Add(time.Minute); r.Worst() == doctor.Bad; r = examine(nil) {
		if time.Now().After(end) {
			t.Fatalf("after a minute something is still bad: %+v", r)
		}
		<-time.After(100 * time.Millisecond)
	}
	for check, words := range map[string]string{"platform": "runs in", "gateway": "answers", "functions": "are ready", "ports": "is reached",
		"certificates": "good for", "watchdog": "runs", "queues": "up to date", "messages": "no device message", "disk": "free", "secrets": "eyes only"} {
		if check != "disk" { // which is this machine's
			wants(t, r, check, doctor.OK, words)
		}
	}

	ahead := func(d time.Duration) func(*doctor.Config) {
		return func(k *doctor.Config) { k.Now = func() time.Time { return time.Now().Add(d) } }
	}
	wants(t, examine(ahead(time.Hour)), "clock", doctor.Bad, "ahead of the platform's", "timedatectl set-ntp true")
	wants(t, examine(ahead(-time.Hour)), "clock", doctor.Bad, "behind the platform's")
	wants(t, examine(ahead(time.Hour)), "watchdog", doctor.Bad, "has not run for", "castor-connector events")
	wants(t, examine(func(k *doctor.Config) { k.Functions = append(k.Functions, "dreams") }), "functions", doctor.Bad, "not deployed: dreams", "faas-cli deploy")
	wants(t, examine(func(k *doctor.Config) { k.API = nil }), "gateway", doctor.Warning, "nobody is signed in", "castor login")

	key := filepath.Join(dir, "keys", "castor-seal")
	must(t, os.Rename(key, key+".away"))
	wants(t, examine(nil), "secrets", doctor.Bad, "castor-seal is missing", "backup")
	must(t, os.WriteFile(key, nil, 0o600))
	wants(t, examine(nil), "secrets", doctor.Bad, "castor-seal is empty", "backup")
	must(t, os.Rename(key+".away", key))
	must(t, os.Chmod(filepath.Join(dir, "keys"), 0o755))
	must(t, os.Chmod(key, 0o644))
	wants(t, examine(nil), "secrets", doctor.Warning, "others may read", "chmod 600 "+key)
	must(t, os.Chmod(filepath.Join(dir, "keys"), 0o777))
	wants(t, examine(nil), "secrets", doctor.Bad, "others may write to", "chmod 700 ")

	must(t, os.Chmod(filepath.Join(dir, "keys"), 0o700))
	must(t, os.Chmod(key, 0o600))

	stopped = true
	must(t, c.Stop())
	began := time.Now()
	r = examine(nil)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a platform that is down was examined for %s", took)
	}
	wants(t, r, "platform", doctor.Bad, "no castor up runs in", "castor up --data "+dir)
	bad := 0
	for _, f := range r.Findings {
		if f.Level == doctor.Bad {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("a platform that is down has other faults than that:\n%s", text(r))
	}
	wants(t, r, "certificates", doctor.OK, "CA is good")
	must(t, os.WriteFile(filepath.Join(dir, up.File), []byte("listen: nowhere\n"), 0o600))
	wants(t, examine(nil), "platform", doctor.Bad, "listen", "mend "+filepath.Join(dir, up.File))
	must(t, os.WriteFile(filepath.Join(dir, up.File), []byte("lisen: 127.0.0.1:8080\n"), 0o600))
	wants(t, examine(nil), "platform", doctor.Bad, `there is no setting "lisen"`, "mend ")
}

// Servers with certificates as devices may meet them.
func TestCertificates(t *testing.T) {
	cert, key, err := pki.NewCA(time.Now().Add(-2 * 365 * 24 * time.Hour))
	must(t, err)
	ca, err := pki.LoadCA(cert, key)
	must(t, err)
	otherCert, otherKey, err := pki.NewCA(time.Now())
	must(t, err)
	other, err := pki.LoadCA(otherCert, otherKey)
	must(t, err)
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		by    *pki.CA
		age   time.Duration
		hosts []string
		level doctor.Level
		says  []string
	}{
		"a good one":             {ca, 0, []string{"127.0.0.1"}, doctor.OK, []string{"is reached"}},
		"one that ends in weeks": {ca, 345 * day, []string{"127.0.0.1"}, doctor.Warning, []string{"ends in 19 days", "castor init SECRETS --renew"}},
		"one that ends in days":  {ca, 360 * day, []string{"127.0.0.1"}, doctor.Bad, []string{"ends in 4 days", "castor init SECRETS --renew"}},
		"one that has ended":     {ca, 366 * day, []string{"127.0.0.1"}, doctor.Bad, []string{"ended on", "castor init SECRETS --renew"}},
		"one of another name":    {ca, 0, []string{"castor.example"}, doctor.Bad, []string{"is for castor.example, not for 127.0.0.1", "--host 127.0.0.1"}},
		"one of another CA":      {other, 0, []string{"127.0.0.1"}, doctor.Bad, []string{"not by the platform's CA"}},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := c.by.Server(time.Now().Add(-c.age), c.hosts...)
			must(t, err)
			// As an operational gateway does, it wants a certificate that the doctor does not have.
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert})
			must(t, err)
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					_ = conn.(*tls.Conn).Handshake()
					conn.Close()
				}
			}()
			for _, scheme := range []string{"tls", "grpcs", "https"} { // whatever its devices speak
				r := doctor.Examine(t.Context(), doctor.Config{CA: cert, Gateways: []string{scheme + "://" + l.Addr().String()}})
				wants(t, r, "ports", c.level, c.says...)
			}
		})
	}
	ends := func(left time.Duration) doctor.Report {
		now := time.Now().Add(18*365*day - left)
		return doctor.Examine(t.Context(), doctor.Config{CA: cert, Now: func() time.Time { return now }})
	}
	wants(t, ends(300*day), "certificates", doctor.Warning, "CA ends in 299 days", "enrol")
	wants(t, ends(-day), "certificates", doctor.Bad, "CA ended on")
	closed := doctor.Examine(t.Context(), doctor.Config{CA: cert, Gateways: []string{"tls://" + freePort(t)}})
	wants(t, closed, "ports", doctor.Bad, "cannot be reached", "ss -ltnp")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
