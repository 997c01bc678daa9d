package twinprovision_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Who decides says why, unless the model does not want to know.
func TestDecisionsHaveTheirReason(t *testing.T) {
	w := start(t)
	w.newType("boat", twin.Model{Provisioning: "semi-automatic"})
	m, err := w.admin.GetModel(w.ctx, "semi-automatic")
	w.must(err)
	m.ID = "casual"
	for i := range m.States {
		if s := &m.States[i]; s.Do == provision.Ask {
			s.With["reason"] = "optional"
		}
	}
	_, err = w.admin.PutModel(w.ctx, m)
	w.must(err)
	w.newType("raft", twin.Model{Provisioning: "casual"})
	asks := func(of twin.TypeID, serial string) string {
		return w.asks(w.request(w.claim(api.NewClaim{Type: of}), serial, func(r *api.ProvisionRequest) { r.Type = of }))
	}
	for i, trigger := range []provision.Trigger{provision.Approved, provision.Declined} {
		id := asks("boat", fmt.Sprintf("B-%d", i))
		for _, reason := range []string{"", " \n\t"} {
			_, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: trigger, Reason: reason})
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "reason is missing: say why it is "+string(trigger)) {
				t.Errorf("%s with reason %q: %v", trigger, reason, err)
			}
		}
		if r := w.run(id); r.Asks == nil || r.Decision != nil {
			t.Errorf("%s without a reason counted: %+v", trigger, r.Decision)
		}
		if r, err := w.admin.DecideRun(w.ctx, id, api.Decide{Trigger: trigger, Reason: "on the list"}); err != nil || r.Decision == nil || r.Decision.Reason != "on the list" {
			t.Errorf("%s with a reason: %+v, %v", trigger, r.Decision, err)
		}
		w.SetTime(w.Now().Add(time.Second))
		if _, err := w.admin.DecideRun(w.ctx, asks("raft", fmt.Sprintf("R-%d", i)), api.Decide{Trigger: trigger}); err != nil {
			t.Errorf("%s where none is wanted: %v", trigger, err)
		}
	}
}
