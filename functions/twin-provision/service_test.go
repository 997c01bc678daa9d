package twinprovision_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/authorization"
	"github.com/castor-iot/castor/functions/directory"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// checked is a model with a step that a service of somebody else's does, and one that it undoes.
const checked = `
id: checked
start: claim
states:
  - {name: claim, do: check-claim, then: known}
  - {name: known, do: check-identity, then: lab}
  - name: lab
    do: call-service
    with: {capability: lab.check, step: burn-in}
    undo: {do: call-service, with: {capability: lab.check, step: throw-away}}
    on:
      - {when: answered, if: 'answer.grade == "a"', then: make}
      - {when: answered, then: rejected}
    limit: 10m
    retries: 5
  - {name: make, do: create-twin, then: fill}
  - {name: fill, do: render-configuration, then: sign}
  - {name: sign, do: issue-credential, then: place}
  - {name: place, do: register-gateway, await: gateway-ready, limit: 1m, retries: 5, then: hand}
  - {name: hand, do: deliver, await: device-confirm, limit: 1m, retries: 5, then: close}
  - {name: close, do: close-claim, then: wipe}
  - {name: wipe, do: erase-credential, then: live}
  - {name: live, do: activate, end: completed}
  - {name: rejected, do: withdraw, end: rejected}
`

const labSecret = "a secret of the laboratory's own"

// laboratory is an application of somebody else's, with a server and an account of its own.
type laboratory struct {
	*httptest.Server
	w      *world
	client *api.Client

	mu    sync.Mutex
	calls []api.ServiceCall
	reply func(api.ServiceCall) (status int, answer any)
	fault string
}

// account is a service account of that name, with rights on capabilities.
func (w *world) account(name string, capabilities ...string) *api.Client {
	w.t.Helper()
	a, err := w.admin.CreateAccount(w.ctx, api.Account{ID: name})
	w.must(err)
	for _, c := range capabilities {
		_, err := w.admin.CreateGrant(w.ctx, access.Grant{Subject: "service:" + name, Object: api.CapabilityObject(c), Right: access.Write})
		w.must(err)
	}
	return &api.Client{URL: w.URL, Authorize: func(ctx context.Context, _ string) (string, error) {
		tok, err := w.Nobody().Exchange(ctx, api.Exchange{Account: name, Secret: a.Secret, Audience: "*"})
		return "Bearer " + tok.Access, err
	}}
}

// lab starts a laboratory that joins the platform, and a type whose devices it checks.
func lab(t *testing.T) (*world, *laboratory) {
	t.Helper()
	w := start(t)
	w.Add("directory", directory.New)
	w.Add("authorization", authorization.New)
	w.must(w.putYAML(w.admin, "checked", checked))
	w.newType("boat", twin.Model{Provisioning: "checked", Template: "pump", Parameters: map[string]string{"interval": "30s"}})
	l := &laboratory{w: w, client: w.account("lab", "lab.check")}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	l.join()
	return w, l
}

func (l *laboratory) join() {
	l.w.t.Helper()
	_, err := l.client.Register(l.w.ctx, l.says())
	l.w.must(err)
}

func (l *laboratory) says() api.Advertisement {
	return api.Advertisement{ID: "service:lab", Kind: "service", Name: "lab", URL: l.URL, Capabilities: []string{"lab.check"}, Secret: labSecret, TTL: 3600}
}

// ServeHTTP takes a call as docs/provisioning.md tells strangers to.
func (l *laboratory) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var c api.ServiceCall
	err := json.Unmarshal(body, &c)
	var at, sum string
	if _, serr := fmt.Sscanf(strings.Replace(r.Header.Get(api.HeaderSignature), ",v1=", " ", 1), "t=%s %s", &at, &sum); err == nil {
		err = serr
	}
	m := hmac.New(sha256.New, []byte(labSecret))
	m.Write([]byte(at + "." + string(body)))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || !hmac.Equal([]byte(sum), []byte(hex.EncodeToString(m.Sum(nil)))) || r.Header.Get(api.HeaderDelivery) != c.Key {
		l.fault = fmt.Sprintf("%v: signature %s of %s", err, r.Header.Get(api.HeaderSignature), body)
	}
	l.calls = append(l.calls, c)
	status, answer := http.StatusOK, any(api.ServiceAnswer{Outcome: "done", Data: map[string]any{"grade": "a"}})
	if l.reply != nil {
		status, answer = l.reply(c)
	}
	rw.WriteHeader(status)
	if answer != nil {
		json.NewEncoder(rw).Encode(answer)
	}
}

func (l *laboratory) last() (c api.ServiceCall, n int) {
	l.w.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != "" {
		l.w.t.Fatal(l.fault)
	}
	if n = len(l.calls); n > 0 {
		c = l.calls[n-1]
	}
	return c, n
}

func (l *laboratory) answers(reply func(api.ServiceCall) (int, any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reply = reply
}

func boat(r *api.ProvisionRequest) { r.Type = "boat" }

func TestAServiceOfStrangersDoesAStep(t *testing.T) {
	w, l := lab(t)
	w.identity("B-1")
	run, _ := w.provision(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", boat, func(r *api.ProvisionRequest) { r.Facts = map[string]string{"firmware": "2"} }))
	c, n := l.last()
	if n != 1 || c.Step != "burn-in" || c.Serial != "B-1" || c.Identity.ID != "b-1" || c.Claim.Owner != "press" || c.Facts["firmware"] != "2" || c.Deadline == "" || c.Token == "" {
		t.Errorf("call %d: %+v", n, c)
	}
	if run.Answer["grade"] != "a" || strings.Contains(log(run), c.Token) {
		t.Errorf("the run has answer %v\n%s", run.Answer, log(run))
	}
}

func TestAServiceAnswersLater(t *testing.T) {
	w, l := lab(t)
	l.answers(func(api.ServiceCall) (int, any) { return http.StatusAccepted, nil })
	w.identity("B-1")
	r := w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", boat)
	a := w.ask(r)
	if run := w.run(a.Run); a.State != "lab" || !run.Waiting {
		t.Fatalf("it is told %+v\n%s", a, log(run))
	}
	c, _ := l.last()
	answer := api.ServiceAnswer{Token: c.Token, Outcome: "done", Data: map[string]any{"grade": "a"}}
	other := w.account("other", "lab.check")
	for name, tt := range map[string]struct {
		as   *api.Client
		run  string
		in   api.ServiceAnswer
		want error
	}{
		"of another service":         {other, a.Run, answer, access.ErrDenied},
		"of a person":                {w.admin, a.Run, answer, access.ErrDenied},
		"of nobody":                  {w.Nobody(), a.Run, answer, access.ErrUnauthenticated},
		"with a guessed token":       {l.client, a.Run, api.ServiceAnswer{Token: strings.Repeat("0", 64), Outcome: "done"}, access.ErrDenied},
		"without a token":            {l.client, a.Run, api.ServiceAnswer{Outcome: "done"}, twin.ErrInvalid},
		"to no run":                  {l.client, "run-0", answer, access.ErrDenied},
		"of no outcome":              {l.client, a.Run, api.ServiceAnswer{Token: c.Token, Outcome: "maybe"}, twin.ErrInvalid},
		"with a name of the store's": {l.client, a.Run, api.ServiceAnswer{Token: c.Token, Outcome: "done", Data: map[string]any{"$set": 1}}, twin.ErrInvalid},
		"very deep":                  {l.client, a.Run, api.ServiceAnswer{Token: c.Token, Outcome: "done", Data: map[string]any{"a": []any{[]any{[]any{[]any{1}}}}}}, twin.ErrInvalid},
		"very long":                  {l.client, a.Run, api.ServiceAnswer{Token: c.Token, Outcome: "done", Data: map[string]any{"a": strings.Repeat("x", 20_000)}}, twin.ErrInvalid},
	} {
		if err := tt.as.AnswerRun(w.ctx, tt.run, tt.in); !errors.Is(err, tt.want) {
			t.Errorf("an answer %s: %v, want %v", name, err, tt.want)
		}
	}
	for range 2 {
		w.must(l.client.AnswerRun(w.ctx, a.Run, answer))
	}
	if err := l.client.AnswerRun(w.ctx, a.Run, api.ServiceAnswer{Token: c.Token, Outcome: "refused"}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another answer to the same call: %v", err)
	}
	w.provision2(r)
}

// provision2 takes a device that has asked the rest of the way.
func (w *world) provision2(r api.ProvisionRequest) provision.Run {
	w.t.Helper()
	d := &crashed{w: w, r: r}
	w.must(d.drive())
	a := w.sent(r.Client)
	run := w.run(a.Run)
	if run.Outcome != provision.Completed {
		w.t.Fatalf("it is not completed:\n%s", log(run))
	}
	return run
}

// What a service refuses is undone by it, and the device hears why; what fails is tried again, as another call.
func TestAServiceRefusesOrFails(t *testing.T) {
	w, l := lab(t)
	claim := w.claim(api.NewClaim{Type: "boat", MaxUses: 10})
	for _, serial := range []string{"B-1", "B-2", "B-3", "B-4"} {
		w.identity(serial)
	}
	l.answers(func(c api.ServiceCall) (int, any) {
		if c.Undo {
			return http.StatusNoContent, nil
		}
		return http.StatusOK, api.ServiceAnswer{Outcome: "refused", Reason: "it leaks"}
	})
	a := w.ask(w.request(claim, "B-1", boat))
	c, n := l.last()
	if a.Status != "rejected" || !strings.Contains(a.Reason, "it leaks") || n != 2 || !c.Undo || c.Step != "throw-away" || c.Token != "" {
		t.Errorf("refused: it is told %+v; call %d is %+v", a, n, c)
	}
	l.answers(func(c api.ServiceCall) (int, any) {
		return http.StatusOK, api.ServiceAnswer{Outcome: "done", Data: map[string]any{"grade": "c"}}
	})
	if a := w.ask(w.request(claim, "B-2", boat)); a.Status != "rejected" {
		t.Errorf("of a bad grade: it is told %+v", a)
	}
	if c, _ := l.last(); !c.Undo || c.Step != "throw-away" || c.Token != "" || c.AnswerTo != "" {
		t.Errorf("where the model itself goes to its end, what is undone is %+v", c)
	}
	keys := map[string]bool{}
	fails := 2
	l.answers(func(c api.ServiceCall) (int, any) {
		keys[c.Key] = true
		if fails--; fails >= 0 {
			return http.StatusServiceUnavailable, nil
		}
		return http.StatusOK, api.ServiceAnswer{Outcome: "done", Data: map[string]any{"grade": "a"}}
	})
	r := w.request(claim, "B-3", boat)
	if a := w.ask(r); a.Status != "pending" {
		t.Errorf("of a service that is away: it is told %+v", a)
	}
	for range 3 {
		w.must(w.later(5 * time.Second))
		l.join()
	}
	w.provision2(r)
	if len(keys) != 3 {
		t.Errorf("three attempts had the keys %v", keys)
	}
	l.answers(func(c api.ServiceCall) (int, any) { return http.StatusOK, strings.Repeat("x", 40_000) })
	if a := w.ask(w.request(claim, "B-4", boat)); a.Status != "rejected" || !strings.Contains(a.Reason, "bytes") {
		t.Errorf("of a service that says too much: it is told %+v", a)
	}
}

// Nobody draws devices to itself by saying that it can do what a model asks for.
func TestWhoMayServe(t *testing.T) {
	w, l := lab(t)
	ctx := context.Background()
	good := l.says()
	rogue := w.account("rogue")
	for name, tt := range map[string]struct {
		as     *api.Client
		change func(*api.Advertisement)
		want   error
	}{
		"a capability that was not granted": {rogue, func(a *api.Advertisement) { a.ID, a.Name = "service:rogue", "rogue" }, access.ErrDenied},
		"another's name":                    {rogue, func(a *api.Advertisement) { a.Capabilities = []string{"x"} }, access.ErrDenied},
		"a name that begins as its own":     {rogue, func(a *api.Advertisement) { a.ID, a.Capabilities = "service:rogues", []string{"x"} }, access.ErrDenied},
		"a function": {l.client, func(a *api.Advertisement) {
			a.Kind, a.ID, a.Name, a.URL, a.Secret = "function", "users", "users", "", ""
		}, access.ErrDenied},
		"a maintainer, who is no service": {w.admin, func(*api.Advertisement) {}, access.ErrDenied},
		"without a secret":                {l.client, func(a *api.Advertisement) { a.Secret = "" }, twin.ErrInvalid},
		"without a url":                   {l.client, func(a *api.Advertisement) { a.URL = "" }, twin.ErrInvalid},
		"with a file as url":              {l.client, func(a *api.Advertisement) { a.URL = "file:///etc/passwd" }, twin.ErrInvalid},
		"its own":                         {l.client, func(*api.Advertisement) {}, nil},
		"a replica of its own":            {l.client, func(a *api.Advertisement) { a.ID = "service:lab:2" }, nil},
	} {
		a := good
		tt.change(&a)
		if out, err := tt.as.Register(ctx, a); !errors.Is(err, tt.want) || out.Secret != "" {
			t.Errorf("%s: %v, want %v; answered %+v", name, err, tt.want, out)
		}
	}
	if _, err := l.client.GetServiceSecret(ctx, "service:lab"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("the service asks for its secret: %v", err)
	}
	page, err := w.admin.ListServices(ctx, api.ServiceQuery{Capability: "lab.check"})
	if err != nil || len(page.Items) != 2 || page.Items[0].Secret != "" {
		t.Errorf("in the directory are %+v, %v", page.Items, err)
	}
	if page, err := rogue.ListServices(ctx, api.ServiceQuery{Capability: "lab.check"}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an application without a role sees %+v, %v", page.Items, err)
	}
	if err := rogue.Deregister(ctx, "service:lab"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("another takes it out: %v", err)
	}
	w.must(l.client.Deregister(ctx, "service:lab:2"))
}

// The platform dies at every write of a provisioning in which a service does a step: it counts once, and is undone where the device
// is refused.
func TestACrashAtEveryWriteWithAService(t *testing.T) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w, l := lab(t)
			claim := w.claim(api.NewClaim{Type: "boat", MaxUses: 1000})
			for n, through := 0, false; !through; n++ {
				if n > 500 {
					t.Fatal("it never gets through without a crash")
				}
				w.renew(n)
				l.join()
				d := &crashed{w: w, r: w.request(claim, fmt.Sprintf("B-%03d", n), boat)}
				w.identity(d.r.Serial)
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				_ = d.drive()
				c.Over()
				through = !c.Came()
				d.finish(n)
				if t.Failed() {
					t.FailNow()
				}
			}
			keys := map[string]int{}
			for _, c := range l.calls {
				keys[c.Serial+c.Token]++
			}
			if len(keys) == 0 {
				t.Error("no call was made")
			}
		})
	}
}
