package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// A report is what the gateway says of, or for, one device.
type report struct {
	Client string          `json:"client"`
	Kind   string          `json:"kind"`
	Word   string          `json:"word"`
	Body   json.RawMessage `json:"body"`
	Raw    []byte          `json:"raw"` // instead of body: CBOR, or a line of a log
}

// A result is what became of one report.
type result struct {
	Stored bool        `json:"stored"`
	Reason link.Reason `json:"reason,omitempty"`
	Detail string      `json:"detail,omitempty"`
	Parked int         `json:"parked,omitempty"`
}

// Reasons for which a report is not stored. notYet alone goes away by itself.
const (
	notYet      link.Reason = "not-yet"
	notAdmitted link.Reason = "not-admitted"
	invalid     link.Reason = "invalid"
)

// ServeHTTP answers the gateway.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if p := r.serve(w, req); p != nil {
		p.write(w, req)
	}
}

func (r *Relay) serve(w http.ResponseWriter, req *http.Request) *problem {
	if p := r.known(req); p != nil {
		return p
	}
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	default:
		return later(http.StatusTooManyRequests, 1, "too many requests of this gateway are under way")
	}
	r.mu.Lock()
	r.heard = r.config.Now()
	r.mu.Unlock()
	switch req.Method + " " + req.URL.Path {
	case "POST /v1/reports":
		return r.reports(w, req)
	case "GET /v1/downlinks":
		return r.downlinks(w, req)
	}
	return refuse(http.StatusNotFound, "path", "there is no such address", "POST /v1/reports and GET /v1/downlinks are all")
}

// known tells nobody but the gateway's own account more than that it is not known.
func (r *Relay) known(req *http.Request) *problem {
	c, _, err := r.config.Authenticate(req.Context(), req.Header)
	if err != nil && !errors.Is(err, access.ErrUnauthenticated) && !errors.Is(err, access.ErrDenied) {
		return later(http.StatusServiceUnavailable, 5, "who calls cannot be told now")
	}
	if err != nil || c.Kind != access.Service || c.ID != r.config.Account {
		return unauthorized("no token of the service account that speaks for this gateway is shown",
			"show Authorization: Bearer and a token of that account; a token is good for 15 minutes")
	}
	return nil
}

// reports brings a batch. The answer comes when all of it is stored, or when that has taken too long for some.
func (r *Relay) reports(w http.ResponseWriter, req *http.Request) *problem {
	if media := req.Header.Get("Content-Type"); !strings.HasPrefix(media, mediaJSON) {
		return unsupported("Content-Type", "it is not one that is taken here", "send "+mediaJSON)
	}
	body, p := r.limits.body(w, req)
	if p != nil {
		return p
	}
	var in struct {
		Reports []report `json:"reports"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return bad("body", "it is no batch", `send {"reports": [{"client": …, "kind": "telemetry", "body": {…}}, …]}`)
	}
	if len(in.Reports) == 0 || len(in.Reports) > maxReports {
		return bad("reports", fmt.Sprintf("there are %d", len(in.Reports)), fmt.Sprintf("send 1 to %d at a time", maxReports))
	}
	ctx, cancel := context.WithTimeout(req.Context(), r.limits.StoreTime)
	defer cancel()
	reply(w, map[string]any{"results": r.take(ctx, in.Reports)})
	return nil
}

// A batch is reports on their way, and what became of them.
type batch struct {
	mu      sync.Mutex
	results []result
	left    int
	settled chan struct{}
}

func (b *batch) settle(i int, as result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.results[i] = as; !as.Stored && as.Reason == "" {
		b.results[i].Reason = notYet
	}
	if b.left--; b.left == 0 {
		close(b.settled)
	}
}

// take brings the reports, those of one device one after the other, and returns what became of them until ctx ends.
func (r *Relay) take(ctx context.Context, reports []report) []result {
	b := &batch{results: make([]result, len(reports)), left: len(reports), settled: make(chan struct{})}
	byDevice := make(map[device.Ref][]int)
	for i := range reports {
		b.results[i].Reason = notYet
		ref := device.Ref(reports[i].Client)
		byDevice[ref] = append(byDevice[ref], i)
	}
	received := r.config.Now().UTC().Truncate(time.Millisecond)
	for ref, mine := range byDevice {
		if ref.Valid() != nil || !r.config.Admitted(string(ref)) {
			for _, i := range mine {
				b.settle(i, result{Reason: notAdmitted, Detail: "the device has no place at this gateway"})
			}
			continue
		}
		go func() { // it may be held back, for longer than the gateway waits
			r.attend(ctx, ref, func(d *relayed) {
				for _, i := range mine {
					r.say(d, &reports[i], received, func(as result) { b.settle(i, as) })
				}
			})
		}()
	}
	select {
	case <-b.settled:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]result(nil), b.results...)
}

// say hands one report to the link. Whoever calls it has the device's turn.
func (r *Relay) say(d *relayed, in *report, received time.Time, settle func(result)) {
	wrong := func(detail string) { settle(result{Reason: invalid, Detail: detail}) }
	done := func(stored bool) { settle(result{Stored: stored}) }
	if d.gone {
		settle(result{}) // what it says after it has gone begins another session
		return
	}
	switch in.Kind {
	case "connected": // it is, by now
		done(true)
		return
	case "disconnected":
		r.leave(d)
		done(true)
		return
	case "confirm":
		d.session.Confirm(done)
		return
	case "renew":
		d.session.Renew(in.Body, func(a api.RenewAnswer) {
			if payload, err := json.Marshal(a); err == nil {
				_ = r.send(string(d.ref), "credential/renewed", payload, false) // a device that hears nothing asks again
			}
		}, done)
		return
	case "renewed":
		var shown api.Shown
		if r.config.Shown != nil {
			shown = r.config.Shown(string(d.ref))
		}
		d.session.ConfirmCredential(shown, done)
		return
	}
	k, ok := relayedKinds[in.Kind]
	switch {
	case !ok:
		wrong("kind must be telemetry, state, event, log, response, connected, disconnected, confirm, renew or renewed")
		return
	case k.word && !device.TopicWord(in.Word), !k.word && in.Word != "":
		wrong("word must name the app of a log, or the command answered: 1 to 64 letters, digits, '.', '_' and '-'; other kinds have none")
		return
	case (in.Body == nil) == (in.Raw == nil):
		wrong("one of body and raw is needed")
		return
	}
	payload := []byte(in.Body)
	if in.Raw != nil {
		payload = in.Raw
	}
	if most := (Limits{}).withDefaults("").Body; len(payload) > most {
		wrong(fmt.Sprintf("a message has at most %d bytes", most))
		return
	}
	d.session.Report(k.kind, "castor/"+string(d.ref)+"/"+k.before+in.Word+k.after, payload, received, func(b link.Receipt) {
		settle(result{Stored: b.Stored, Parked: b.Parked, Reason: b.Reason, Detail: b.Detail})
	})
}

// downlinks brings what waits for devices of the gateway, or what comes next.
func (r *Relay) downlinks(w http.ResponseWriter, req *http.Request) *problem {
	wait, err := strconv.ParseUint("0"+strings.TrimSuffix(req.URL.Query().Get("wait"), "s"), 10, 8)
	if err != nil || time.Duration(wait)*time.Second > r.limits.Wait {
		return bad("wait", "it is no number of seconds that a call may wait", fmt.Sprintf("give 0 to %d", int(r.limits.Wait.Seconds())))
	}
	all, replaced := r.down.Take(req.Context(), r, r.config.Ending, time.Duration(wait)*time.Second, true)
	switch {
	case replaced:
		return refuse(http.StatusConflict, "", "a newer poll of this gateway has begun", "keep one poll open at a time")
	case len(all) == 0:
		w.WriteHeader(http.StatusNoContent)
	default:
		reply(w, map[string]any{"downlinks": all})
	}
	return nil
}
