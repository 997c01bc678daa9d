package twinprovision_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/tests/functiontest"
)

// One claim neither fills the list with devices that nobody knows, nor makes runs beyond what it is good for.
func TestAClaimHasItsShare(t *testing.T) {
	w := start(t)
	one := w.claim(api.NewClaim{Serials: "X-*"})
	for i := range 5 {
		w.ask(w.request(one, fmt.Sprint("X-", i)))
	}
	many := w.claim(api.NewClaim{Serials: "Y-*", MaxUses: 1000})
	for i := range 25 {
		w.ask(w.request(many, fmt.Sprint("Y-", i)))
	}
	n := map[string]int{}
	for _, e := range w.waits(api.WaitingNow) {
		n[e.Claim]++
	}
	if n[one] != 1 || n[many] != 20 {
		t.Errorf("in the list: %v", n)
	}
	runs := func() int {
		page, err := w.admin.ListRuns(w.ctx, api.RunQuery{Limit: 1000})
		w.must(err)
		return len(page.Items)
	}
	before := runs()
	named := w.claim(api.NewClaim{Identities: []string{"N-1"}, MaxUses: 5})
	if a := w.ask(w.request(named, "N-2")); a.Status != "rejected" || a.Run != "" || !strings.Contains(a.Reason, "not among them") || runs() != before {
		t.Errorf("one that the claim does not name: %+v, %d runs, want %d", a, runs(), before)
	}
	for _, s := range []string{"N-1", "N-3"} {
		w.identity(s)
	}
	if run, _ := w.provision(w.request(named, "N-1")); run.Outcome != provision.Completed {
		t.Errorf("one that it names: %s", log(run))
	}
	used := w.claim(api.NewClaim{})
	w.identity("U-1")
	w.provision(w.request(used, "U-1"))
	before = runs()
	if a := w.ask(w.request(used, "N-3")); a.Status != "rejected" || a.Run != "" || !strings.Contains(a.Reason, "used up") || runs() != before {
		t.Errorf("with a claim that is used up: %+v, %d runs, want %d", a, runs(), before)
	}
}

// What people have seen in the list is what they admit: a key does not change whose serial and MAC it shows while it waits.
func TestADeviceInTheListStaysWhoItIs(t *testing.T) {
	w := start(t)
	k := w.knock("W-1", func(k *api.Knock) { k.MAC = "02:42:ac:11:00:02" })
	w.knocks(k)
	for _, change := range []func(*api.Knock){func(k *api.Knock) { k.Serial = "W-2" }, func(k *api.Knock) { k.MAC = "02:42:ac:11:00:03" }, func(k *api.Knock) { k.MAC = "" }} {
		other := k
		change(&other)
		if a := w.knocks(other); a.Status != "rejected" || !strings.Contains(a.Reason, `waits as serial "W-1"`) {
			t.Errorf("%s %s is told %+v", other.Serial, other.MAC, a)
		}
	}
	r := w.request(w.claim(api.NewClaim{}), "W-2", func(r *api.ProvisionRequest) { r.CSR = k.CSR })
	w.ask(r)
	list := w.waits(api.WaitingNow)
	if len(list) != 1 || list[0].Serial != "W-1" || list[0].MAC != "02:42:ac:11:00:02" || list[0].Claim != "" {
		t.Fatalf("the list: %+v", list)
	}
	id := list[0].ID
	in := api.Admit{IDs: []string{id}, Type: "pump", Owner: "press", Serials: map[string]string{id: "W-9"}}
	if d, err := w.admin.AdmitWaiting(w.ctx, in); err != nil || d.Done != 0 || len(d.Faults) != 1 || !strings.Contains(d.Faults[0].Reason, "look again") {
		t.Errorf("another serial than was shown: %+v, %v", d, err)
	}
	in.Serials[id] = "W-1"
	if d, err := w.admin.AdmitWaiting(w.ctx, in); err != nil || d.Done != 1 {
		t.Errorf("the one that was shown: %+v, %v", d, err)
	}
}

// People read what a device with a claim says of itself as well.
func TestTextsOfADeviceWithAClaimAreLegible(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	claim := w.claim(api.NewClaim{})
	for field, change := range map[string]func(*api.ProvisionRequest){
		"model": func(r *api.ProvisionRequest) { r.Model = "Pump\n\nAPPROVED BY: admin" },
		"mac":   func(r *api.ProvisionRequest) { r.MAC = "02\x00" },
		"facts": func(r *api.ProvisionRequest) { r.Facts = map[string]string{"a\u202eb": "x"} },
		"fact":  func(r *api.ProvisionRequest) { r.Facts = map[string]string{"a": "\x1b[31mred"} },
	} {
		if a := w.ask(w.request(claim, "P-1", change)); a.Status != "rejected" || a.Run != "" || !strings.Contains(a.Reason, field) {
			t.Errorf("%s: it is told %+v", field, a)
		}
	}
}

// What a service may do is looked at when it is about to be called, not only when it joins.
func TestAServiceThatMayNoMoreIsNotCalled(t *testing.T) {
	w, l := lab(t)
	asks := func(want string) {
		t.Helper()
		_, err := w.Part("twin-provision", "").GetServiceSecret(w.ctx, "service:lab")
		if got := fmt.Sprint(errors.Is(err, api.ErrNotFound)); got != want {
			t.Errorf("it is gone: %s, want %s: %v", got, want, err)
		}
	}
	asks("false")
	grants, err := w.admin.ListGrants(w.ctx, "service:lab", "", "")
	w.must(err)
	for _, g := range grants.Items {
		w.must(w.admin.DeleteGrant(w.ctx, g.ID))
	}
	functiontest.Eventually(t, "the grant is gone", func() bool {
		_, err := l.client.Register(w.ctx, l.says())
		return errors.Is(err, access.ErrDenied)
	})
	asks("true")
	page, err := w.admin.ListServices(w.ctx, api.ServiceQuery{Capability: "lab.check"})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("in the directory are %+v, %v", page.Items, err)
	}
	_, err = w.admin.CreateGrant(w.ctx, access.Grant{Subject: "service:lab", Object: api.CapabilityObject("lab.check"), Right: access.Write})
	w.must(err)
	functiontest.Eventually(t, "it is granted again", func() bool {
		_, err := l.client.Register(w.ctx, l.says())
		return err == nil
	})
	asks("false")
	w.must(w.admin.DeleteAccount(w.ctx, "lab"))
	asks("true")
}

// Who has a claim with uses left makes a rejected run of every serial they think of: a few of them are kept, the newest, and never
// those of devices that were let in once.
func TestRejectedRunsOfAClaimGiveWay(t *testing.T) {
	w := start(t)
	w.SetTime(w.Now().Add(-time.Hour))
	claim, other := w.claim(api.NewClaim{MaxUses: 1000}), w.claim(api.NewClaim{MaxUses: 1000})
	w.identity("P-1")
	w.identity("P-2")
	in, _ := w.provision(w.request(claim, "P-1"))
	reset, _ := w.provision(w.request(claim, "P-2"))
	_, err := w.admin.ResetRun(w.ctx, reset.ID, "new board")
	w.must(err)
	first := w.ask(w.request(other, "O-1"))
	var last api.ProvisionAnswer
	for i := range 60 {
		w.SetTime(w.Now().Add(time.Second))
		last = w.ask(w.request(claim, fmt.Sprint("X-", i)))
		if last.Status != "rejected" || last.Run == "" || !strings.Contains(last.Reason, "not known") {
			t.Fatalf("number %d is told %+v", i, last)
		}
	}
	page, err := w.admin.ListRuns(w.ctx, api.RunQuery{Limit: 1000})
	w.must(err)
	kept := map[string]bool{}
	for _, r := range page.Items {
		kept[r.ID] = true
	}
	if len(kept) > 3+21 || !kept[in.ID] || !kept[reset.ID] || !kept[first.Run] || !kept[last.Run] {
		t.Errorf("%d runs are kept: one that came in %v, one that was reset %v, another claim's %v, the newest %v", len(kept), kept[in.ID], kept[reset.ID], kept[first.Run], kept[last.Run])
	}
}
