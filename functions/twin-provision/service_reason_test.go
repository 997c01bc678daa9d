package twinprovision_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// Why a service turned a device away is in the run's log and in the device's answer, however the service says it, and legible.
func TestAServicesReasonIsToldOn(t *testing.T) {
	for name, answer := range map[string]func(api.ServiceCall) (int, any){
		"it refuses": func(api.ServiceCall) (int, any) {
			return http.StatusOK, api.ServiceAnswer{Outcome: "refused", Reason: "it leaks\nat the \u202eseal"}
		},
		"the model ends it": func(api.ServiceCall) (int, any) {
			return http.StatusOK, api.ServiceAnswer{Outcome: "done", Reason: "it leaks at the seal", Data: map[string]any{"grade": "c"}}
		},
		"it answers with a problem": func(api.ServiceCall) (int, any) {
			return http.StatusUnprocessableEntity, map[string]any{"title": "No", "detail": "it leaks at the seal", "status": 422}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, l := lab(t)
			w.identity("B-1")
			l.answers(func(c api.ServiceCall) (int, any) {
				if c.Undo {
					return http.StatusNoContent, nil
				}
				return answer(c)
			})
			a := w.ask(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", boat))
			if a.Status != "rejected" || !strings.Contains(a.Reason, "it leaks at the seal") {
				t.Errorf("it is told %+v", a)
			}
			r := w.run(a.Run)
			if last := r.Steps[len(r.Steps)-1]; !strings.Contains(last.Reason, "it leaks at the seal") || r.Reason != a.Reason {
				t.Errorf("the run's log:\n%s", log(r))
			}
		})
	}
}

// A device whose run its model ends is told that, also where nobody has given a reason.
func TestAModelsEndHasAReason(t *testing.T) {
	w := start(t)
	w.must(w.putYAML(w.admin, "picky", `
id: picky
start: claim
states:
  - {name: claim, do: check-claim, then: look}
  - name: look
    title: Firmware is looked at
    on: [{if: 'facts.firmware == "2"', then: in}]
    then: out
  - {name: in, do: check-identity, then: make}
  - {name: make, do: create-twin, then: sign}
  - {name: sign, do: issue-credential, then: place}
  - {name: place, do: register-gateway, await: gateway-ready, limit: 1m, retries: 5, then: hand}
  - {name: hand, do: deliver, await: device-confirm, limit: 1m, retries: 5, then: live}
  - {name: live, do: activate, end: completed}
  - {name: out, do: withdraw, end: rejected}
`))
	w.newType("kite", twin.Model{Provisioning: "picky"})
	a := w.ask(w.request(w.claim(api.NewClaim{Type: "kite"}), "K-1", func(r *api.ProvisionRequest) { r.Type = "kite" }))
	if a.Status != "rejected" || a.Reason != "Firmware is looked at" {
		t.Errorf("it is told %+v\n%s", a, log(w.run(a.Run)))
	}
}
