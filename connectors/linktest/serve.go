package linktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/fxamacker/cbor/v2"
)

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
	if function == "drivers" {
		p.serveDrivers(w, r, path)
		return
	}
	if r.Method == "POST" && function == "credentials" && strings.HasPrefix(path, "credentials/") {
		p.serveCredential(w, r, path)
		return
	}
	switch r.Method + " " + what {
	case "POST twin-ingest/batches":
		p.serveBatch(w, r, call)
	case "POST credentials/resolve":
		p.serveResolve(w, r)
	case "POST twin-provision/knocks":
		p.serveKnock(w, r)
	case "POST twin-provision/requests":
		p.serveRequest(w, r)
	case "POST twin-provision/confirmations":
		serve(w, r, func(in api.Confirmation) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.confirmed = append(p.confirmed, in)
			return nil
		})
	case "POST twin-command/lease":
		p.serveLease(w, r, call)
	case "POST twin-command/deliveries":
		serve(w, r, func(in api.CommandDeliveries) any {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.delivered = append(p.delivered, in.Deliveries...)
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
	result := telemetry.Result{Outcomes: outcomes, Commands: p.waiting(twins)}
	p.mu.Unlock()
	reply(w, result)
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
				out = append(out, api.Mapping{Ref: ref, Twin: cmp.Or(p.exchanged[ref], TwinOf(ref)), Type: "pump", Generation: 1, Pending: p.pending[ref]})
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
