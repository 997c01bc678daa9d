package http

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/telemetry"
)

// An operation is one method of one address.
type operation struct {
	method string
	before string // its path, or what is before the word in it
	after  string // and what is after it
	word   bool

	phase gateway.Phase // "" = both
	query []string      // parameters
	media []string      // of its body; none = it has no body
	empty bool          // the body may be left out
	hook  bool          // it is a network server's

	visit func(*visit) *problem // for who has a session
	open  func(h *Connector, ctx context.Context, w http.ResponseWriter, r *http.Request, c call)
}

const (
	mediaJSON = "application/json"
	mediaCBOR = "application/cbor"
	mediaText = "text/plain"
)

// readings are the kinds that measured values may be of: those of the formats that need no driver, and bytes that are its driver's to read.
var readings = []string{mediaJSON, mediaCBOR, mediaText, "application/octet-stream", "application/senml+json", "application/senml+cbor", "application/sensml+json",
	"application/sensml+cbor", "application/vnd.castor.compact+cbor"}

// operations are all there are; openapi.yaml says the same.
func operations() []operation {
	both, stored := []string{mediaJSON, mediaCBOR}, []string{"commands"}
	report := func(kind telemetry.Kind, topic string) func(*visit) *problem {
		return func(v *visit) *problem { return v.report(kind, topic) }
	}
	hook := func(of *webhook) func(*visit) *problem {
		return func(v *visit) *problem { return v.webhook(of) }
	}
	const device, claim = gateway.Operational, gateway.Provisioning
	return []operation{
		{method: "POST", before: "/v1/telemetry", phase: device, query: stored, media: readings, visit: report(telemetry.Telemetry, "telemetry")},
		{method: "POST", before: "/v1/state", phase: device, query: stored, media: both, visit: report(telemetry.State, "state/reported")},
		{method: "POST", before: "/v1/event", phase: device, query: stored, media: both, visit: report(telemetry.Event, "event")},
		{method: "POST", before: "/v1/log/", word: true, phase: device, query: stored, media: append(both[:2:2], mediaText), visit: (*visit).log},
		{method: "POST", before: "/v1/webhooks/the-things-stack", phase: device, media: []string{mediaJSON}, hook: true, visit: hook(theThingsStack)},
		{method: "POST", before: "/v1/webhooks/chirpstack", phase: device, query: []string{"event"}, media: []string{mediaJSON}, hook: true, visit: hook(chirpStack)},
		{method: "GET", before: "/v1/ack", phase: device, visit: (*visit).ack},
		{method: "GET", before: "/v1/commands", phase: device, query: []string{"wait"}, visit: (*visit).poll},
		{method: "POST", before: "/v1/commands/", word: true, after: "/response", phase: device, query: stored, media: both, visit: (*visit).answer},
		{method: "POST", before: "/v1/confirm", phase: device, media: []string{mediaJSON}, empty: true, visit: (*visit).confirm},
		{method: "POST", before: "/v1/credential/renew", phase: device, media: []string{mediaJSON}, visit: (*visit).renew},
		{method: "POST", before: "/v1/credential/confirm", phase: device, media: []string{mediaJSON}, empty: true, visit: (*visit).confirmCredential},
		{method: "POST", before: "/v1/provision/", word: true, phase: claim, query: []string{"client", "wait"}, media: both, visit: (*visit).ask},
		{method: "GET", before: "/v1/provision/", word: true, after: "/status", phase: claim, query: []string{"client", "key", "wait"}, visit: (*visit).status},
		{method: "POST", before: "/v1/knock", phase: claim, media: both, open: (*Connector).knock},
		{method: "GET", before: "/v1/openapi.yaml", open: (*Connector).describe},
	}
}

// table has them for all.
var table = operations()

// find returns the operation, and the word that its path names.
func find(method, path string, phase gateway.Phase) (op operation, word string, p *problem) {
	var others []string
	for _, o := range table {
		if o.phase != "" && o.phase != phase {
			continue
		}
		w, ok := o.match(path)
		switch {
		case !ok:
		case o.method == method:
			return o, w, nil
		default:
			others = append(others, o.method)
		}
	}
	if others == nil {
		return op, "", notFound()
	}
	slices.Sort(others)
	p = refuse(http.StatusMethodNotAllowed, "method", "this address does not take it", "use "+strings.Join(others, " or "))
	p.allow, p.close = strings.Join(others, ", "), true
	return op, "", p
}

func (o *operation) match(path string) (word string, ok bool) {
	if !o.word {
		return "", path == o.before
	}
	rest, ok := strings.CutPrefix(path, o.before)
	if ok {
		rest, ok = strings.CutSuffix(rest, o.after)
	}
	pattern := wordPattern
	if o.phase == gateway.Provisioning {
		pattern = typePattern
	}
	return rest, ok && pattern.MatchString(rest) && rest != "." && rest != ".."
}
