package twinprovision

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
)

const (
	callFor    = 10 * time.Second // how long a service's answer to a call may take, where the model does not say
	maxData    = 16 << 10         // bytes of an answer
	maxEntries = 100              // of its data
)

// callService has a service do a step: one that says in the directory that it can. It answers at once, or says 202 and answers
// later with the call's token. The same attempt is the same call, so it may be made again by whoever goes on with the run.
func (f *function) callService(ctx context.Context, r *provision.Run, with map[string]string) (result, error) {
	if r.Call != nil && r.Call.Attempt == r.Attempt && !r.Call.Answered.IsZero() {
		return done("service " + r.Call.Service + " has answered meanwhile"), nil
	}
	s, err := f.service(ctx, r, with["capability"])
	if err != nil {
		return result{}, err
	}
	secret, err := f.p.API.GetServiceSecret(ctx, s.ID)
	if err != nil {
		return result{}, fmt.Errorf("%w: service %s has gone: %w", api.ErrUnavailable, s.ID, err)
	}
	call := f.callOf(r, with)
	if !r.Undoing() {
		call.Token = tokenOf([]byte(secret.Secret), call.Key)
		if err := f.intendCall(ctx, r, s.ID, call.Token); err != nil {
			return result{}, err
		}
	}
	wait := callFor
	if d, err := time.ParseDuration(with["timeout"]); err == nil {
		wait = d
	}
	answer, later, err := f.post(ctx, s.URL, []byte(secret.Secret), &call, wait)
	switch {
	case err != nil:
		return result{}, err
	case later:
		return done("service " + nameOf(s.ID) + " will answer"), nil
	case answer.Outcome == "refused" && (r.Undoing() || !refusalAwaited(stateOfRun(r))):
		return result{}, refusal(joinReason("service "+nameOf(s.ID)+" refused", answer.Reason))
	}
	attempt := r.Attempt
	return result{joinReason("service "+nameOf(s.ID), answer.Reason), func(r *provision.Run) {
		if r.Attempt == attempt && !r.Undoing() {
			f.answered(r, answer)
		}
	}}, nil
}

func joinReason(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + cleaned(reason)
}

// cleaned is what a service says, as people and devices are told it: what cannot be seen is left out.
func cleaned(s string) string {
	return short(strings.TrimSpace(seen(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(s))), 300)
}

// answered puts an answer into the run, before or while it awaits it.
func (f *function) answered(r *provision.Run, a *api.ServiceAnswer) bool {
	r.Answer = map[string]any{}
	for k, v := range a.Data {
		r.Answer[k] = v
	}
	r.Answer["outcome"] = a.Outcome
	if r.Call != nil {
		r.Call.Answered = f.p.Time()
	}
	if said, err := json.Marshal(a.Data); err == nil && len(a.Data) > 0 { // a line of its own: the device is told the reason, not the data
		r.Log(provision.Step{At: f.p.Time(), State: r.State, Action: provision.Action(provision.Answered), Actor: "service:" + nameOf(serviceOf(r)), Outcome: "done", Reason: short("it says "+string(said), 300)})
	}
	return r.Triggered(provision.Answered, "service:"+nameOf(serviceOf(r)), joinReason("service "+nameOf(serviceOf(r)), a.Reason), f.p.Time())
}

func stateOfRun(r *provision.Run) *provision.State {
	s, _ := r.Model.State(r.State)
	return &s
}

func serviceOf(r *provision.Run) string {
	if r.Call == nil {
		return ""
	}
	return r.Call.Service
}

// nameOf is a service as people call it.
func nameOf(id string) string { return strings.TrimPrefix(id, "service:") }

// service finds who can do a step: the one that was called before if it is still there, else another at each try.
func (f *function) service(ctx context.Context, r *provision.Run, capability string) (api.Advertisement, error) {
	page, err := f.p.API.ListServices(ctx, api.ServiceQuery{Capability: capability, Kind: "service"})
	if err != nil {
		return api.Advertisement{}, err
	}
	if len(page.Items) == 0 {
		return api.Advertisement{}, fmt.Errorf("%w: no service with capability %s is in the directory", api.ErrUnavailable, capability)
	}
	slices.SortFunc(page.Items, func(a, b api.Advertisement) int { return cmp.Compare(a.ID, b.ID) })
	if r.Call != nil && r.Call.Attempt == r.Attempt {
		if i := slices.IndexFunc(page.Items, func(a api.Advertisement) bool { return a.ID == r.Call.Service }); i >= 0 {
			return page.Items[i], nil
		}
	}
	return page.Items[r.Tries%len(page.Items)], nil
}

func (f *function) callOf(r *provision.Run, with map[string]string) api.ServiceCall {
	q := &r.Request
	c := api.ServiceCall{Key: fmt.Sprintf("%s.%d", roundOf(r), r.Attempt), Run: r.ID, Step: cmp.Or(with["step"], r.State), Capability: with["capability"],
		State: r.State, Undo: r.Undoing(), Type: string(r.Type), Serial: q.Serial, Twin: string(r.Twin), Owner: r.Owner,
		Identity: r.Known.Identity, Claim: r.Known.Claim, Facts: q.Facts}
	if c.Facts == nil {
		c.Facts = map[string]string{}
	}
	if !r.Undoing() {
		c.AnswerTo = "/function/twin-provision/runs/" + r.ID + "/answers"
		if !r.Deadline.IsZero() {
			c.Deadline = r.Deadline.UTC().Format(time.RFC3339)
		}
	}
	return c
}

// tokenOf is the one-time token of a call. It follows from the service's secret and the call, so that whoever makes the call again
// sends the same one, and nobody keeps it: of the run only its hash is stored.
func tokenOf(secret []byte, key string) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("castor answer " + key))
	return hex.EncodeToString(m.Sum(nil))
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// intendCall notes a call before it is made, for its answer may come sooner than the call ends.
func (f *function) intendCall(ctx context.Context, r *provision.Run, service, token string) error {
	hash := hashOf([]byte(token))
	if c := r.Call; c != nil && c.Attempt == r.Attempt && c.Token == hash {
		return nil
	}
	_, err := f.change(ctx, r.ID, func(now *provision.Run, _ time.Time) error {
		if now.Attempt != r.Attempt {
			return errSuperseded
		}
		now.Call, now.Answer = &provision.Call{Attempt: r.Attempt, Service: service, Token: hash, Deadline: r.Deadline}, nil
		return nil
	})
	return err
}

// post makes the call. later tells that the answer comes by itself.
func (f *function) post(ctx context.Context, url string, secret []byte, call *api.ServiceCall, wait time.Duration) (a *api.ServiceAnswer, later bool, err error) {
	if err := platform.CheckWebhook(url, f.p.AllowPrivateWebhooks); err != nil {
		return nil, false, refusal(err.Error())
	}
	body, err := json.Marshal(call)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, false, refusal("the service's url cannot be called")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "castor-provisioning")
	req.Header.Set(api.HeaderDelivery, call.Key)
	req.Header.Set(api.HeaderSignature, platform.SignWebhook(secret, f.p.Time(), body))
	resp, err := platform.WebhookClient(wait, f.p.AllowPrivateWebhooks).Do(req)
	if err != nil {
		return nil, false, fmt.Errorf("%w: the service was not reached: %w", api.ErrUnavailable, platform.ToldOf(err))
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxData+1))
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("%w: the service's answer broke off", api.ErrUnavailable)
	case resp.StatusCode == http.StatusAccepted && !call.Undo:
		return nil, true, nil
	case resp.StatusCode == http.StatusAccepted, resp.StatusCode == http.StatusNoContent:
		return &api.ServiceAnswer{Outcome: "done"}, false, nil
	case resp.StatusCode == http.StatusOK:
		a, err = readAnswer(said)
		return a, false, err
	case resp.StatusCode >= 400 && resp.StatusCode < 500 && !slices.Contains([]int{401, 403, 404, 408, 425, 429}, resp.StatusCode):
		return nil, false, refusal(joinReason(fmt.Sprintf("the service answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)), saidBy(resp, said)))
	}
	return nil, false, fmt.Errorf("%w: the service answered %d %s", api.ErrUnavailable, resp.StatusCode, http.StatusText(resp.StatusCode))
}

// saidBy is why a service says that it does not take a call: the text of its answer, or what its problem or answer as JSON has for that.
func saidBy(resp *http.Response, body []byte) string {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if strings.HasSuffix(media, "json") {
		var p struct{ Detail, Reason, Title string }
		if json.Unmarshal(body, &p) != nil {
			return ""
		}
		return cmp.Or(p.Detail, p.Reason, p.Title)
	}
	if media == "text/plain" {
		return string(body)
	}
	return ""
}

// readAnswer reads what a service says, which is as hostile as what devices say.
func readAnswer(body []byte) (*api.ServiceAnswer, error) {
	a := &api.ServiceAnswer{}
	if len(bytes.TrimSpace(body)) == 0 {
		a.Outcome = "done"
		return a, nil
	}
	if len(body) > maxData {
		return nil, refusal(fmt.Sprintf("the service's answer has more than %d bytes", maxData))
	}
	if err := faas.JSON(body, a); err != nil {
		return nil, refusal("the service's answer is not the JSON expected here: " + short(err.Error(), 200))
	}
	if err := checkAnswer(a); err != nil {
		return nil, refusal("the service's answer: " + err.Error())
	}
	return a, nil
}

func checkAnswer(a *api.ServiceAnswer) error {
	switch {
	case a.Outcome != "done" && a.Outcome != "refused":
		return api.Invalid("outcome %.40q must be done or refused", a.Outcome)
	case bad(a.Reason, 512):
		return api.Invalid("reason must be text of at most 512 bytes")
	case len(a.Data) > maxEntries:
		return api.Invalid("data may have %d entries", maxEntries)
	}
	for k := range a.Data {
		if k == "" || bad(k, 64) || k[0] == '$' || bytes.ContainsAny([]byte(k), ".\x00") || !shallow(a.Data[k], 4) {
			return api.Invalid("data: names must have 1 to 64 bytes without '.', and values be at most 4 deep")
		}
	}
	return nil
}

// shallow bounds how deep a value is, and what its names are: conditions look at it, and the store keeps it.
func shallow(v any, depth int) bool {
	if depth == 0 {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if k == "" || bad(k, 64) || k[0] == '$' || bytes.ContainsAny([]byte(k), ".\x00") || !shallow(item, depth-1) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !shallow(item, depth-1) })
	}
	return true
}

// errToken is what an answer gets whose token is not that of the run's present call. It does not tell why.
var errToken = errors.New("token is not that of a call that is open")
