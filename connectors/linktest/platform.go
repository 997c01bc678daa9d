package linktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/fxamacker/cbor/v2"
)

// A Platform is a peer that speaks the functions' HTTP contract to a link, as far as a link uses it. Its zero value works:
// every reference has a twin, every message is stored, every request accepted. A test scripts what it wants otherwise.
type Platform struct {
	mu        sync.Mutex
	ingest    func(call int, b telemetry.Batch) ([]telemetry.Outcome, int)
	down      map[string]int // function → status
	provision func(api.ProvisionRequest) (api.ProvisionAnswer, int)
	unknown   map[device.Ref]bool
	directory []api.Advertisement
	resolving func()

	calls      map[string]int // "POST twin-ingest/batches" → how often
	stored     []telemetry.Message
	parked     []telemetry.Message
	busy       map[twin.ID]int
	overlaps   int
	requests   []api.ProvisionRequest
	confirmed  []api.Confirmation
	gateways   []api.Gateway
	advertised []api.Advertisement
}

// Serve starts the peer on loopback and returns a client for it.
func (p *Platform) Serve(t testing.TB) *api.Client {
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return &api.Client{URL: s.URL}
}

// OnIngest lets f answer batches: an outcome per message, or a status of 400 and above. nil stores everything. f may block.
func (p *Platform) OnIngest(f func(call int, b telemetry.Batch) ([]telemetry.Outcome, int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ingest = f
}

// OnRequest lets f answer provisioning requests.
func (p *Platform) OnRequest(f func(api.ProvisionRequest) (api.ProvisionAnswer, int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.provision = f
}

// Fail makes every call of function fail with status; 0 ends that.
func (p *Platform) Fail(function string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == nil {
		p.down = make(map[string]int)
	}
	p.down[function] = status
}

// Unknown makes ref nobody's, or somebody's again.
func (p *Platform) Unknown(ref device.Ref, unknown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unknown == nil {
		p.unknown = make(map[device.Ref]bool)
	}
	p.unknown[ref] = unknown
}

// OnResolve lets f run before each answer of the credential mapper; it may block.
func (p *Platform) OnResolve(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolving = f
}

// Advertise puts functions into the service directory.
func (p *Platform) Advertise(a ...api.Advertisement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.directory = append(p.directory, a...)
}

// Stored are the messages stored, in order, of the twin ("" = all) and without presence.
func (p *Platform) Stored(id twin.ID) []telemetry.Message {
	return p.list(&p.stored, func(m telemetry.Message) bool { return m.Kind != telemetry.Presence && (id == "" || m.Twin == id) })
}

// Presence are the presence messages of the twin ("" = all), in order.
func (p *Platform) Presence(id twin.ID) []telemetry.Message {
	return p.list(&p.stored, func(m telemetry.Message) bool { return m.Kind == telemetry.Presence && (id == "" || m.Twin == id) })
}

// Parked are the messages parked.
func (p *Platform) Parked() []telemetry.Message {
	return p.list(&p.parked, func(telemetry.Message) bool { return true })
}

func (p *Platform) list(of *[]telemetry.Message, want func(telemetry.Message) bool) (out []telemetry.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range *of {
		if want(m) {
			out = append(out, m)
		}
	}
	return out
}

// Calls is how often method and path of a function were called: "POST twin-ingest/batches".
func (p *Platform) Calls(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[what]
}

// Overlaps is how often two batches with messages of one twin were under way together.
func (p *Platform) Overlaps() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overlaps
}

// Requests are the provisioning requests that came.
func (p *Platform) Requests() []api.ProvisionRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Confirmed are the confirmations taken.
func (p *Platform) Confirmed() []api.Confirmation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.confirmed)
}

// Gateways are the reports of gateways that are alive.
func (p *Platform) Gateways() []api.Gateway {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.gateways)
}

// Advertised is what was put into the service directory.
func (p *Platform) Advertised() []api.Advertisement {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.advertised)
}

// TwinOf is the twin a device reference is mapped to.
func TwinOf(ref device.Ref) twin.ID { return twin.ID("twin-" + ref) }

// ServeHTTP answers like the user gateway with the functions behind it.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := strings.TrimPrefix(r.URL.Path, "/function/")
	function, path, _ := strings.Cut(what, "/")
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		what = function + "/" + path[:i]
	}
	p.mu.Lock()
	if p.calls == nil {
		p.calls = make(map[string]int)
	}
	p.calls[r.Method+" "+what]++
	call, down := p.calls[r.Method+" "+what], p.down[function]
	p.mu.Unlock()
	if down != 0 {
		problem(w, down)
		return
	}
	switch r.Method + " " + what {
	case "POST twin-ingest/batches":
		p.serveBatch(w, r, call)
	case "POST credentials/resolve":
		p.serveResolve(w, r)
	case "POST twin-provision/requests":
		p.serveRequest(w, r)
	case "POST twin-provision/confirmations":
		serve(w, r, func(in api.Confirmation) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.confirmed = append(p.confirmed, in)
			return nil
		})
	case "PUT gateways/gateways":
		serve(w, r, func(in api.Gateway) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.gateways = append(p.gateways, in)
			return in
		})
	case "PUT directory/services":
		serve(w, r, func(in api.Advertisement) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.advertised = append(p.advertised, in)
			return in
		})
	case "DELETE directory/services":
		w.WriteHeader(http.StatusNoContent)
	case "GET directory/services":
		p.mu.Lock()
		page := api.Page[api.Advertisement]{}
		for _, a := range p.directory {
			if slices.Contains(a.Capabilities, r.URL.Query().Get("capability")) {
				page.Items = append(page.Items, a)
			}
		}
		p.mu.Unlock()
		reply(w, page)
	default:
		problem(w, http.StatusNotFound)
	}
}

func (p *Platform) serveBatch(w http.ResponseWriter, r *http.Request, call int) {
	var b telemetry.Batch
	if err := cbor.NewDecoder(r.Body).Decode(&b); err != nil {
		problem(w, http.StatusBadRequest)
		return
	}
	twins := make(map[twin.ID]bool)
	for _, m := range b.Messages {
		twins[m.Twin] = true
	}
	p.enter(twins)
	defer p.leave(twins)
	p.mu.Lock()
	answer := p.ingest
	p.mu.Unlock()
	outcomes, status := make([]telemetry.Outcome, len(b.Messages)), 0
	for i, m := range b.Messages {
		outcomes[i] = telemetry.Stored
		if m.Kind == telemetry.Undecoded {
			outcomes[i] = telemetry.Parked
		}
	}
	if answer != nil {
		if o, s := answer(call, b); o != nil || s != 0 {
			outcomes, status = o, s
		}
	}
	if status != 0 {
		problem(w, status)
		return
	}
	p.mu.Lock()
	for i, o := range outcomes {
		switch o {
		case telemetry.Stored:
			p.stored = append(p.stored, b.Messages[i])
		case telemetry.Parked:
			p.parked = append(p.parked, b.Messages[i])
		}
	}
	p.mu.Unlock()
	reply(w, telemetry.Result{Outcomes: outcomes})
}

func (p *Platform) enter(twins map[twin.ID]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy == nil {
		p.busy = make(map[twin.ID]int)
	}
	for id := range twins {
		if p.busy[id]++; p.busy[id] > 1 {
			p.overlaps++
		}
	}
}

func (p *Platform) leave(twins map[twin.ID]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range twins {
		p.busy[id]--
	}
}

func (p *Platform) serveResolve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	wait := p.resolving
	p.mu.Unlock()
	if wait != nil {
		wait()
	}
	serve(w, r, func(in api.Resolve) any {
		p.mu.Lock()
		defer p.mu.Unlock()
		out := []api.Mapping{}
		for _, ref := range in.Refs {
			if !p.unknown[ref] {
				out = append(out, api.Mapping{Ref: ref, Twin: TwinOf(ref), Type: "pump", Generation: 1})
			}
		}
		return out
	})
}

func (p *Platform) serveRequest(w http.ResponseWriter, r *http.Request) {
	var in api.ProvisionRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		problem(w, http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.requests = append(p.requests, in)
	answer := p.provision
	p.mu.Unlock()
	out, status := api.ProvisionAnswer{Status: "accepted", Run: "run-" + in.Serial, Bundle: &api.Bundle{Ref: "ref-1", Twin: "twin-1"}}, 0
	if answer != nil {
		out, status = answer(in)
	}
	if status != 0 {
		problem(w, status)
		return
	}
	reply(w, out)
}

func serve[In any](w http.ResponseWriter, r *http.Request, do func(In) any) {
	var in In
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		problem(w, http.StatusBadRequest)
		return
	}
	reply(w, do(in))
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf("scripted %d", status)})
}
