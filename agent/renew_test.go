package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
)

// renewedSoon is how long certificates last that are to be renewed soon: the last third of it must be enough on a machine that is busy
// with other things.
const renewedSoon = 5 * time.Second

// A device renews its certificate again and again while it reports, and no message is lost or stored out of order.
func TestACertificateIsRenewedWithoutALostMessage(t *testing.T) {
	each(t, aCertificateIsRenewedWithoutALostMessage)
}

func aCertificateIsRenewedWithoutALostMessage(t *testing.T, p *gatewaytest.Platform) {
	p.CA.Life = renewedSoon
	r := start(t, p, t.TempDir(), nil)
	sent := 0
	for end := time.Now().Add(time.Minute); p.Renewals() < 2 && time.Now().Before(end); sent++ {
		r.measure(sent, 1)
		<-time.After(5 * time.Millisecond)
	}
	r.drain()
	if p.Renewals() < 2 {
		t.Fatalf("%d renewals; it says %q", p.Renewals(), r.detail(agent.Waiting))
	}
	r.reach(agent.Renewed)
	if n := p.Good("dev-p-7"); n > 2 {
		t.Errorf("%d certificates are good", n)
	}
	next := 0
	for _, m := range p.Messages() {
		switch n := int(m.Data["n"].(float64)); {
		case n == next:
			next++
		case n > next:
			t.Fatalf("message %d came where %d was due", n, next)
		}
	}
	if next != sent {
		t.Errorf("%d messages were stored, %d were measured", next, sent)
	}
	csrs := p.RenewalCSRs()
	if p.CA.SameKey(csrs[0], csrs[len(csrs)-1]) {
		t.Error("the new certificate is for the old key")
	}
}

// copyDir copies a device's directory as a crash would leave it.
func copyDir(t *testing.T, from string) string {
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Error(err)
	}
	return to
}

// The device dies at each point of a renewal: when it has made a key, when the certificate has come, when the platform has
// ended the one before, and when it has noted that. Whatever is on its disk then gets it in, and it ends with one that works.
func TestACrashAtEachPointOfARenewal(t *testing.T) { each(t, aCrashAtEachPointOfARenewal) }

func aCrashAtEachPointOfARenewal(t *testing.T, p *gatewaytest.Platform) {
	p.CA.Life = 2 * renewedSoon // of what is on its disk then, too
	dir := t.TempDir()
	points := map[string]string{} // directory by what had happened
	var mu sync.Mutex
	p.DenyRenew = 1
	p.Confirming = func() {
		mu.Lock()
		defer mu.Unlock()
		if points["ended"] == "" {
			points["ended"] = copyDir(t, dir)
		}
	}
	r := start(t, p, dir, func(c *agent.Config) { c.AnswerTimeout = 300 * time.Millisecond })
	eventually(t, func() bool { return len(p.RenewalCSRs()) > 0 })
	points["asked"] = copyDir(t, dir)
	if b, err := os.ReadFile(filepath.Join(points["asked"], "next.json")); err != nil || strings.Contains(string(b), "certificate") {
		t.Errorf("when it has asked there is %s, %v", b, err)
	}
	eventually(t, func() bool { return p.Renewals() > 0 })
	r.reach(agent.Renewed)
	points["noted"] = copyDir(t, dir)
	r.cancel()
	<-r.done
	if csrs := p.RenewalCSRs(); len(csrs) < 2 || !p.CA.SameKey(csrs[0], csrs[1]) {
		t.Errorf("asked again, it is for another key")
	}
	if _, err := os.Stat(filepath.Join(points["noted"], "next.json")); err == nil {
		t.Error("the next certificate is still kept beside the device's own")
	}
	p.Do(func() { p.Confirming, p.CA.Life = nil, time.Hour })
	for _, point := range []string{"ended", "noted"} {
		t.Run(point, func(t *testing.T) {
			r := start(t, p, points[point], nil)
			r.measure(0, 3)
			r.drain()
		})
	}
}

// A new certificate that does not let the device in, where its own does, is asked for again, with the same key.
func TestANewCertificateThatIsRefused(t *testing.T) { each(t, aNewCertificateThatIsRefused) }

func aNewCertificateThatIsRefused(t *testing.T, p *gatewaytest.Platform) {
	p.CA.Life = 2 * renewedSoon
	var first string // with the platform's lock, as the next
	allowed := false
	p.Refuse = func(serial string) bool {
		if first == "" {
			first = serial
		}
		return serial != first && !allowed
	}
	r := start(t, p, t.TempDir(), nil)
	eventually(t, func() bool { return len(p.RenewalCSRs()) > 1 })
	p.Do(func() { allowed = true })
	r.reach(agent.Renewed)
	csrs := p.RenewalCSRs()
	if !p.CA.SameKey(csrs[0], csrs[1]) {
		t.Error("it made another key")
	}
	r.measure(0, 3)
	r.drain()
}

// A device whose clock is years off renews in time: it goes by how long it has had the certificate.
func TestRenewalWithAWrongClock(t *testing.T) { each(t, renewalWithAWrongClock) }

func renewalWithAWrongClock(t *testing.T, p *gatewaytest.Platform) {
	p.CA.Life = renewedSoon
	r := start(t, p, t.TempDir(), func(c *agent.Config) {
		c.Now = func() time.Time { return time.Now().Add(-4 * time.Minute) } // as far back as TLS lets it
	})
	eventually(t, func() bool { return p.Renewals() > 0 })
	r.measure(0, 1)
	r.drain()
}
