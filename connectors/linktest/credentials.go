package linktest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A Renewer is a Device of a protocol that Renews.
type Renewer interface {
	// Renew asks for another credential; the answer comes as a Message named renewed.
	Renew(payload []byte)

	// ConfirmCredential tells that the device uses what it has shown now.
	ConfirmCredential() (taken <-chan struct{})
}

// A Knocker is a Device of a protocol that Knocks.
type Knocker interface {
	// Knock says who the device is; answers come as Messages named accepted, rejected or status.
	Knock(payload []byte)
}

// Renewals are the renewals that came, by device reference.
func (p *Platform) Renewals() map[device.Ref][]api.Renewal {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[device.Ref][]api.Renewal)
	for ref, all := range p.renewals {
		out[ref] = slices.Clone(all)
	}
	return out
}

// Shown are the confirmations of credentials, in order.
func (p *Platform) Shown() []api.Shown {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.shown)
}

// Pending makes ref's credential one that is not confirmed, or one that is.
func (p *Platform) Pending(ref device.Ref, pending bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending == nil {
		p.pending = make(map[device.Ref]bool)
	}
	p.pending[ref] = pending
}

// Knocks are those that came.
func (p *Platform) Knocks() []api.Knock {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.knocks)
}

// serveCredential answers POST credentials/credentials/{ref}/renew and …/confirm.
func (p *Platform) serveCredential(w http.ResponseWriter, r *http.Request, path string) {
	name, what, _ := strings.Cut(strings.TrimPrefix(path, "credentials/"), "/")
	ref := device.Ref(name)
	if what == "confirm" {
		serve(w, r, func(in api.Shown) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.shown = append(p.shown, in)
			return nil
		})
		return
	}
	serve(w, r, func(in api.Renewal) any {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.renewals == nil {
			p.renewals = make(map[device.Ref][]api.Renewal)
		}
		p.renewals[ref] = append(p.renewals[ref], in)
		return api.RenewAnswer{Ref: ref, Kind: device.Certificate, Certificate: "for " + in.CSR}
	})
}

func (p *Platform) serveKnock(w http.ResponseWriter, r *http.Request) {
	serve(w, r, func(in api.Knock) any {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.knocks = append(p.knocks, in)
		if a, ok := p.decided[in.Serial]; ok {
			return a
		}
		return api.ProvisionAnswer{Status: "pending", Reason: "a configurator decides"}
	})
}

// Decide has who knocks again with that serial get the answer.
func (p *Platform) Decide(serial string, a api.ProvisionAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.decided == nil {
		p.decided = map[string]api.ProvisionAnswer{}
	}
	p.decided[serial] = a
}

var renewStories = []story{
	{"a device renews its credential over its session", renews},
	{"a renewed credential ends the old one when it is confirmed, not before", confirmsCredential},
}

var knockStories = []story{
	{"a device that has nothing to show knocks, and may do nothing else", knocks},
	{"knocks are limited before any call", knocksAreLimited},
}

func seen(t *testing.T, s *stage) {
	s.w.Platform.Pending("p-1", true)
	s.start("operational")
	s.device("p-2")
	s.device("p-1")
	Eventually(t, "it is told", func() bool { return len(s.w.Platform.Confirmed()) > 0 })
	if got := s.w.Platform.Confirmed(); len(got) != 1 || got[0] != (api.Confirmation{Gateway: s.w.Gateway, Ref: "p-1", Twin: TwinOf("p-1"), Seen: true}) {
		t.Errorf("told %+v", got)
	}
}

func renews(t *testing.T, s *stage) {
	s.start("operational")
	d := s.device("p-1")
	answer := func(payload string) (a api.RenewAnswer) {
		d.(Renewer).Renew([]byte(payload))
		if err := json.Unmarshal(s.message(d, "renewed"), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := answer(`{"csr":"the new key"}`); a.Certificate != "for the new key" || a.Ref != "p-1" || a.Reason != "" {
		t.Errorf("answered %+v", a)
	}
	for payload, reason := range map[string]string{`{}`: "publicKey", `{"csr":`: "must be an object"} {
		if a := answer(payload); a.Certificate != "" || !strings.Contains(a.Reason, reason) {
			t.Errorf("%s was answered %+v", payload, a)
		}
	}
	s.w.Platform.Fail("credentials", http.StatusConflict)
	if a := answer(`{"csr":"another"}`); a.Certificate != "" || a.Reason == "" {
		t.Errorf("a refused renewal was answered %+v", a)
	}
	if got := s.w.Platform.Renewals(); len(got) != 1 || len(got["p-1"]) != 1 {
		t.Errorf("renewals %+v reached the function", got)
	}
}

func confirmsCredential(t *testing.T, s *stage) {
	s.start("operational")
	old := s.w.AdmitDevice("p-1")
	d := s.connect(old)
	s.wait("the acknowledgement", d.Publish(telemetry.Telemetry, reading(1, 1)))
	cert := s.w.CA.Issue(t, "p-1")
	fresh := Identity{Client: "p-1", Operational: true, Certificate: &cert}
	both := api.Admission{Client: "p-1", Phase: "operational", Kind: device.Certificate, Fingerprints: []string{Fingerprint(*old.Certificate), Fingerprint(cert)}}
	s.w.Admit(both)
	next := s.connect(fresh)
	next.Close()
	s.wait("the end of the connection", next.Gone())
	d = s.connect(old) // it is good until the new one is confirmed
	s.wait("the acknowledgement", d.Publish(telemetry.Telemetry, reading(1, 2)))
	d.Close()
	next = s.connect(fresh)
	s.wait("the confirmation", next.(Renewer).ConfirmCredential())
	if got := s.w.Platform.Shown(); len(got) != 1 || got[0] != (api.Shown{Fingerprint: Fingerprint(cert)}) {
		t.Fatalf("confirmed %+v, want the new certificate's fingerprint", got)
	}
	both.Fingerprints = both.Fingerprints[1:]
	s.w.Admit(both)
	s.refusedSoon(old, "a credential that was renewed")
	s.wait("the acknowledgement", next.Publish(telemetry.Telemetry, reading(1, 3)))
	s.notYet("the end of the session that showed the new credential", next.Gone())
}

// refusedSoon finds a device refused within a second.
func (s *stage) refusedSoon(id Identity, what string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Second); ; {
		d, err := s.p.Dial(s.w, s.address, id)
		if err != nil {
			return
		}
		d.Cut()
		if time.Now().After(deadline) {
			s.t.Fatalf("after a second %s is still good", what)
		}
	}
}

// secretsLetIn is played for each kind of secret that the protocol's devices may show.
func secretsLetIn(kind device.Kind) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.start("operational")
		id, other := s.w.AdmitSecret("p-1", kind), s.w.AdmitSecret("p-2", kind)
		d, stays := s.connect(id), s.connect(other)
		s.wait("the acknowledgement", d.Publish(telemetry.Telemetry, reading(1, 1)))
		wrong, posing := id, other
		wrong.Password = id.Password[:len(id.Password)-1] + "~"
		posing.Client = "p-1"
		for what, bad := range map[string]Identity{"a wrong secret": wrong, "another device's secret": posing, "a user name alone": {Client: "p-1", Operational: true, User: "p-1"}} {
			if in, err := s.p.Dial(s.w, s.address, bad); err == nil {
				in.Cut()
				t.Errorf("%s was let in", what)
			}
		}
		s.w.Dismiss("p-1")
		s.wait("the end of the connection", d.Gone())
		s.refusedSoon(id, "a secret that was taken back")
		s.wait("another's acknowledgement", stays.Publish(telemetry.Telemetry, reading(1, 1)))
	}
}

const knock = `{"serial":"P-9","model":"X1","maker":"Acme","capabilities":["telemetry:rpm"],"facts":{"os":"linux"},"csr":"-----BEGIN CERTIFICATE REQUEST-----"}`

func knocks(t *testing.T, s *stage) {
	s.start("provisioning")
	d := s.connect(Identity{Client: "box-9"})
	d.(Knocker).Knock([]byte(`{"serial":`))
	if a := s.answer(d, "rejected"); !strings.Contains(a.Reason, "must be an object") {
		t.Errorf("answered %+v", a)
	}
	d.(Knocker).Knock([]byte(knock))
	if a := s.answer(d, "status"); a.Status != "pending" || a.Reason == "" {
		t.Errorf("answered %+v", a)
	}
	got := s.w.Platform.Knocks()
	if len(got) != 1 || got[0].Serial != "P-9" || got[0].Client == "" || got[0].Gateway != s.w.Gateway || got[0].Address != "127.0.0.1" || got[0].CSR == "" {
		t.Errorf("the function got %+v", got)
	}
	later := []byte(`{"status":"accepted","bundle":{"ref":"ref-9"}}`)
	if s.p.KnocksAgain {
		s.w.Platform.Decide("P-9", api.ProvisionAnswer{Status: "accepted", Bundle: &api.Bundle{Ref: "ref-9"}})
		d.(Knocker).Knock([]byte(knock))
	} else {
		Eventually(t, "a connector listens", func() bool {
			return s.w.Bus.Send(t.Context(), bus.Downlink{Gateway: s.w.Gateway, Device: got[0].Client, Topic: "castor/provision/" + got[0].Client + "/accepted", Payload: later}) == nil
		})
	}
	if a := s.answer(d, "accepted"); a.Bundle == nil || a.Bundle.Ref != "ref-9" {
		t.Errorf("answered %+v", a)
	}
	d.Request("valve", []byte(request))
	s.w.AdmitClaim("claim-1", "token")
	claimant := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	claimant.Request("pump", []byte(request))
	s.answer(claimant, "accepted")
	if got := s.w.Platform.Requests(); len(got) != 1 || got[0].Type != "pump" {
		t.Errorf("requests %+v reached the function, want none of the device without a claim", got)
	}
}

func knocksAreLimited(t *testing.T, s *stage) {
	s.start("provisioning")
	s.w.AdmitClaim("claim-1", "token")
	claimant := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	for range 12 {
		d, err := s.p.Dial(s.w, s.address, Identity{Client: "box-9"})
		if err != nil {
			continue
		}
		d.(Knocker).Knock([]byte(knock))
		select {
		case <-d.Messages():
		case <-time.After(50 * time.Millisecond):
		}
		d.Cut()
	}
	claimant.Request("pump", []byte(request)) // who has a claim is not held up
	s.answer(claimant, "accepted")
	if n := len(s.w.Platform.Knocks()); n == 0 || n > 5 {
		t.Errorf("%d of twelve knocks at once reached the function, want 5", n)
	}
}
