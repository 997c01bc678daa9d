package twinprovision_test

import (
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/alerts"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// A twin that people have made and a round has activated goes back when the round is rejected after all, and its device may come anew.
func TestARoundThatIsRejectedAfterItHasActivatedStrandsNobody(t *testing.T) {
	w := start(t)
	early := strings.Replace(another, "limit: 5m", "limit: 10s", 1)
	w.must(w.putYAML(w.admin, "another", early))
	w.newType("boat", twin.Model{Provisioning: "another"})
	w.identity("B-1")
	_, err := w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "b-1", Kind: twin.Instance, Definition: twin.Definition{Type: "boat", Owner: "press"}})
	w.must(err)
	r := w.request(w.claim(api.NewClaim{Type: "boat", MaxUses: 5}), "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" })
	id := w.ask(r).Run
	phase := func() twin.Phase {
		t.Helper()
		tw, err := w.admin.GetTwin(w.ctx, "b-1")
		w.must(err)
		return tw.Definition.Phase
	}
	w.must(w.apply(w.run(id).Results.DeviceRef))
	if p := phase(); p != twin.Operational {
		t.Fatalf("it is %s\n%s", p, log(w.run(id)))
	}
	w.must(w.later(11 * time.Second))
	if run := w.run(id); run.Outcome != provision.Rejected || phase() != twin.Onboarding {
		t.Fatalf("the twin is %s after\n%s", phase(), log(run))
	}
	w.must(w.later(5 * time.Second)) // it has heard that
	if run, _ := w.provision(r); run.Outcome != provision.Completed || phase() != twin.Operational {
		t.Errorf("anew, it is %s\n%s", phase(), log(run))
	}
}

// A device that asks and asks has people told by one state once a minute.
func TestADeviceThatAsksHasPeopleToldOnceAMinute(t *testing.T) {
	w := start(t)
	w.Add("alerts", alerts.New)
	circle := strings.Replace(another, "do: check-claim, then: make}", "do: check-claim, then: tell}\n  - {name: tell, do: notify, with: {text: it asks}, then: rest}\n"+
		"  - name: rest\n    on: [{when: device-asked, then: tell}, {when: timer, then: make}]\n    limit: 1h", 1)
	w.must(w.putYAML(w.admin, "another", circle))
	w.newType("boat", twin.Model{Provisioning: "another"})
	w.identity("B-1")
	r := w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", func(r *api.ProvisionRequest) { r.Type = "boat" })
	told := func() int {
		a := w.ask(r)
		for range 5 {
			w.ask(r)
		}
		return strings.Count(log(w.run(a.Run)), "told group")
	}
	if n := told(); n != 1 {
		t.Errorf("they were told %d times", n)
	}
	w.must(w.later(time.Minute + time.Second))
	if n := told(); n != 2 {
		t.Errorf("after a minute they were told %d times altogether", n)
	}
}
