package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

const laboratory = `
id: laboratory
start: claim
states:
  - {name: claim, do: check-claim, then: identity, retries: 10}
  - {name: identity, do: check-identity, then: check, retries: 10}
  - name: check
    do: call-service
    with: {capability: lab.check, step: burn-in}
    on:
      - {when: answered, if: 'answer.grade in ["a", "b"]', then: twin}
      - {when: answered, then: rejected}
    limit: 1h
    retries: 3
  - {name: twin, do: create-twin, then: credential, retries: 10}
  - {name: credential, do: issue-credential, then: gateway, retries: 10}
  - {name: gateway, do: register-gateway, await: gateway-ready, limit: 30s, retries: 10, then: delivery}
  - {name: delivery, do: deliver, await: device-confirm, limit: 2m, retries: 10, then: operational}
  - {name: operational, do: activate, end: completed, retries: 100}
  - {name: rejected, do: withdraw, end: rejected}
`

// A service of somebody else's registers while the platform runs, and is a step of a model that was put onto it a moment ago: it looks
// at each device and answers later. It has no other right.
func strangersService(w *World, _, _ *api.Client) {
	calls := make(chan api.ServiceCall, 16)
	lab := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var c api.ServiceCall
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil || r.Header.Get(api.HeaderSignature) == "" {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		rw.WriteHeader(http.StatusAccepted)
		calls <- c
	}))
	w.Cleanup(lab.Close)
	account, err := w.Admin.CreateAccount(w.Context(), api.Account{ID: "lab"})
	w.must(err, "account")
	tok, err := w.Client("").Exchange(w.Context(), api.Exchange{Account: "lab", Secret: account.Secret, Audience: "*"})
	w.must(err, "its token")
	service := w.Client(tok.Access)
	says := api.Advertisement{ID: "service:lab", Kind: "service", Name: "lab", URL: lab.URL, Capabilities: []string{"lab.check"}, Secret: "a secret of the laboratory", TTL: 600}
	if _, err := service.Register(w.Context(), says); !errors.Is(err, access.ErrDenied) {
		w.Errorf("it registers without the right to: %v", err)
	}
	_, err = w.Admin.CreateGrant(w.Context(), access.Grant{Subject: "service:lab", Object: api.CapabilityObject("lab.check"), Right: access.Write})
	w.must(err, "grant")
	w.Eventually("it is registered", func() bool { _, err := service.Register(w.Context(), says); return err == nil })
	_, err = w.Admin.PutModelText(w.Context(), "laboratory", api.TypeYAML, []byte(laboratory))
	w.must(err, "model")
	w.Type("boiler", func(m *twin.Model) { m.Provisioning = "laboratory" })
	for serial, grade := range map[string]string{"B-1": "a", "B-2": "f"} {
		w.Identity(serial)
		d := w.Device(w.Claim("boiler", "plant"), serial)
		c := <-calls
		if c.Serial != serial || c.Step != "burn-in" || c.Owner != "plant" {
			w.Errorf("it is called with %+v", c)
		}
		w.Eventually("its answer is taken", func() bool {
			return service.AnswerRun(w.Context(), c.Run, api.ServiceAnswer{Token: c.Token, Outcome: "done", Data: map[string]any{"grade": grade}}) == nil
		})
		if grade == "a" {
			w.Ready(d)
			continue
		}
		ctx, cancel := w.soon()
		defer cancel()
		if err := d.Ready(ctx); !errors.Is(err, agent.ErrRejected) {
			w.Errorf("who failed the laboratory's check is told %v", err)
		}
	}
	if _, err := service.ListRuns(w.Context(), api.RunQuery{}); !errors.Is(err, access.ErrDenied) {
		w.Errorf("the laboratory lists runs: %v", err)
	}
}
