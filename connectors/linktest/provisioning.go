package linktest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
)

const request = `{"serial":"P-7","mac":"02:42:ac:11:00:02","model":"X1","facts":{"os":"linux"},"csr":"-----BEGIN CERTIFICATE REQUEST-----"}`

func (s *stage) answer(d Device, name string) (a api.ProvisionAnswer) {
	s.t.Helper()
	if err := json.Unmarshal(s.message(d, name), &a); err != nil {
		s.t.Fatal(err)
	}
	return a
}

func provisioned(t *testing.T, s *stage) {
	s.w.Platform.Fail("twin-provision", http.StatusBadGateway) // it comes up in a moment
	s.start("provisioning")
	s.w.AdmitClaim("claim-1", "token")
	d := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	d.Request("pump", []byte(request))
	Eventually(t, "it is tried again", func() bool { return s.w.Platform.Calls("POST twin-provision/requests") > 1 })
	s.w.Platform.Fail("twin-provision", 0)
	if a := s.answer(d, "accepted"); a.Bundle == nil || a.Run != "run-P-7" {
		t.Errorf("answered %+v", a)
	}
	got := s.w.Platform.Requests()
	if len(got) != 1 {
		t.Fatalf("%d requests reached the function, want 1", len(got))
	}
	in := got[0]
	if in.Gateway != s.w.Gateway || in.Client != "box-1" || in.Claim != "claim-1" || in.Type != "pump" || in.Serial != "P-7" ||
		in.MAC == "" || in.Model != "X1" || in.Facts["os"] != "linux" || in.CSR == "" {
		t.Errorf("the function got %+v", in)
	}
}

func rejected(t *testing.T, s *stage) {
	s.w.Platform.OnRequest(func(in api.ProvisionRequest) (api.ProvisionAnswer, int) {
		if in.Type != "pump" {
			return api.ProvisionAnswer{}, http.StatusForbidden
		}
		return api.ProvisionAnswer{Status: "rejected", Reason: "serial is not known"}, 0
	})
	s.start("provisioning")
	s.w.AdmitClaim("claim-1", "token")
	d := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	for _, c := range []struct{ kind, payload, reason string }{
		{"pump", `{"serial":`, "must be an object"},
		{"pump", `{"csr":"x"}`, "serial is missing"},
		{"pump", `{"serial":"P-7"}`, "csr is missing"},
		{"pump", request, "serial is not known"},
		{"valve", request, "scripted 403"},
	} {
		d.Request(c.kind, []byte(c.payload))
		if a := s.answer(d, "rejected"); a.Status != "rejected" || !strings.Contains(a.Reason, c.reason) {
			t.Errorf("%s of type %s was answered %+v, want %q", c.payload, c.kind, a, c.reason)
		}
	}
	if n := len(s.w.Platform.Requests()); n != 2 {
		t.Errorf("%d requests reached the function, want the two that can be read", n)
	}
}

func claimEnds(t *testing.T, s *stage) {
	s.start("provisioning")
	s.w.AdmitClaim("claim-1", "token")
	good := Identity{Client: "box-1", User: "claim-1", Password: "token"}
	d := s.connect(good)
	for name, id := range map[string]Identity{
		"another token": {Client: "box-2", User: "claim-1", Password: "Token"},
		"no token":      {Client: "box-2", User: "claim-1"},
		"unknown claim": {Client: "box-2", User: "claim-2", Password: "token"},
		"bad client id": {Client: "box/+", User: "claim-1", Password: "token"},
	} {
		if in, err := s.p.Dial(s.w, s.address, id); err == nil {
			in.Cut()
			t.Errorf("%s was let in", name)
		}
	}
	if !s.p.Knocks {
		if in, err := s.p.Dial(s.w, s.address, Identity{Client: "box-2"}); err == nil {
			in.Cut()
			t.Error("who shows nothing was let in")
		}
	}
	second := s.connect(Identity{Client: "box-2", User: "claim-1", Password: "token"})
	s.w.Dismiss("claim-1")
	s.wait("the end of the connection", d.Gone())
	s.wait("the end of the other connection", second.Gone())
	if again, err := s.p.Dial(s.w, s.address, good); err == nil {
		again.Cut()
		t.Error("a claim that has ended was let in")
	}
}

func answeredLater(t *testing.T, s *stage) {
	s.w.Platform.OnRequest(func(api.ProvisionRequest) (api.ProvisionAnswer, int) {
		return api.ProvisionAnswer{Status: "pending", State: "approval"}, 0
	})
	s.start("provisioning")
	s.w.AdmitClaim("claim-1", "token")
	d := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	d.Request("pump", []byte(request))
	if a := s.answer(d, "status"); a.Status != "pending" || a.State != "approval" {
		t.Errorf("answered %+v", a)
	}
	later, err := json.Marshal(api.ProvisionAnswer{Status: "accepted", Bundle: &api.Bundle{Ref: "ref-9"}})
	if err != nil {
		t.Fatal(err)
	}
	Eventually(t, "a connector listens", func() bool {
		return s.w.Bus.Send(t.Context(), bus.Downlink{Gateway: s.w.Gateway, Device: "box-1", Topic: "castor/provision/box-1/accepted", Payload: later}) == nil
	})
	if a := s.answer(d, "accepted"); a.Bundle == nil || a.Bundle.Ref != "ref-9" {
		t.Errorf("answered %+v", a)
	}
}

func notTakenOver(t *testing.T, s *stage) {
	s.start("provisioning")
	s.w.AdmitClaim("claim-1", "token")
	s.w.AdmitClaim("claim-2", "other")
	s.connect(Identity{Client: "box-2", User: "claim-2", Password: "other"}).Close()
	d := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	if thief, err := s.p.Dial(s.w, s.address, Identity{Client: "box-1", User: "claim-2", Password: "other"}); err == nil {
		thief.Cut()
		t.Error("another claim took the session over")
	}
	d.Request("pump", []byte(request))
	s.answer(d, "accepted")
	again := s.connect(Identity{Client: "box-1", User: "claim-1", Password: "token"})
	s.wait("the end of the former connection", d.Gone())
	again.Request("pump", []byte(request))
	s.answer(again, "accepted")
}
