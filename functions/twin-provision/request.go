package twinprovision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	// requestFor bounds how long a request works on a run; it goes on even if the connector that asked hangs up.
	requestFor = 20 * time.Second

	// hearsFor is how long a rejection may take to the device, which may be asking for the last time meanwhile.
	hearsFor = 5 * time.Second

	maxFacts      = 50
	maxDisturbed  = 20  // attempts on somebody's run that its log keeps
	maxFact       = 256 // bytes of a fact's value
	maxDeviceText = 256 // bytes of what else a device says of itself
)

var clientPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// request takes a device's request, begins or finds its run, takes it as far as it goes, and answers. What is wrong with a
// request is told to the device, not to the connector, and kept.
func (f *function) request(ctx context.Context, c *faas.Call, in api.ProvisionRequest) (api.ProvisionAnswer, error) {
	switch {
	case c.Caller.Gateway == "" || in.Gateway != c.Caller.Gateway:
		return api.ProvisionAnswer{}, fmt.Errorf("%w: a connector may speak for its own gateway only", access.ErrDenied)
	case !clientPattern.MatchString(in.Client):
		return api.ProvisionAnswer{}, api.Invalid("client must be 1 to 64 letters, digits, '-' or '_'")
	case !clientPattern.MatchString(in.Claim):
		return api.ProvisionAnswer{}, api.Invalid("claim must be the id of the claim that the gateway authenticated")
	}
	ctx, cancel := asking(ctx)
	defer cancel()
	if err := f.speaksFor(ctx, in.Gateway, twin.Provisioning); err != nil {
		return api.ProvisionAnswer{}, err
	}
	r, err := f.knock(ctx, &in)
	var no refusal
	if errors.As(err, &no) {
		f.keep(ctx, in, string(no))
		return api.ProvisionAnswer{Status: rejected, Reason: string(no)}, nil
	}
	if err != nil {
		return api.ProvisionAnswer{}, err
	}
	if r.Ready(f.p.Time()) {
		if r, err = f.advance(ctx, r.ID); err != nil {
			return api.ProvisionAnswer{}, err
		}
	}
	return answer(&r), nil
}

// runID is the same for every request of one device.
func runID(t twin.TypeID, serial string) string {
	sum := sha256.Sum256([]byte(string(t) + "\x00" + serial))
	return "run-" + hex.EncodeToString(sum[:12])
}

// knock checks a request and returns the device's run, begun if need be. A refusal is the reason why there is none.
func (f *function) knock(ctx context.Context, in *api.ProvisionRequest) (provision.Run, error) {
	req, err := read(in)
	if err != nil {
		return provision.Run{}, refusal(reason(err))
	}
	return f.enter(ctx, in.Type, req)
}

// enter returns the run of a device that asks as req says.
func (f *function) enter(ctx context.Context, of twin.TypeID, req provision.Request) (provision.Run, error) {
	id := runID(of, req.Serial)
	for range 3 { // it may begin, or end, meanwhile
		r, err := f.runs.Get(ctx, id)
		switch {
		case err == nil && overtaken(&r, req, f.p.Time()):
			return r, nil
		case err == nil && r.Outcome != provision.Rejected:
			r, err = f.again(ctx, r, req)
		case err == nil || errors.Is(err, store.ErrNotFound):
			r, err = f.begin(ctx, of, id, req)
		}
		if !errors.Is(err, errSuperseded) {
			return r, err
		}
	}
	return provision.Run{}, errSuperseded
}

// overtaken tells whether a request was overtaken by the rejection of its run: a session asks until it is answered, and it may not
// have heard yet what people, the clock or a service have decided meanwhile. That is its answer then, not another round.
func overtaken(r *provision.Run, req provision.Request, now time.Time) bool {
	was := r.Request
	return !r.Sent.IsZero() && now.Sub(r.Sent).Abs() < hearsFor && was.Gateway == req.Gateway && was.Client == req.Client && was.Key == req.Key &&
		was.Claim == req.Claim
}

type askingKey struct{}

// asking bounds a device's call; what ends under it is its answer.
func asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(context.WithoutCancel(ctx), askingKey{}, true), requestFor)
}

// asks tells whether a call is a device's, which hears at once what comes of it.
func asks(ctx context.Context) bool { return ctx.Value(askingKey{}) != nil }

// read validates what the device says.
func read(in *api.ProvisionRequest) (req provision.Request, err error) {
	i := device.Identity{Serial: in.Serial, ID: "x"}
	if err := i.Normalise(); err != nil {
		return req, err
	}
	if err := in.Type.Valid(); err != nil {
		return req, fmt.Errorf("type: %w", err)
	}
	if !legible(in.MAC, 64) {
		return req, api.Invalid("mac %.80q must be plain text of at most 64 bytes", in.MAC)
	}
	if !legible(in.Model, maxDeviceText) {
		return req, api.Invalid("model %.80q must be plain text of at most %d bytes", in.Model, maxDeviceText)
	}
	if err := legibleFacts(in.Facts); err != nil {
		return req, err
	}
	if !protocols[in.Protocol] {
		return req, api.Invalid("protocol %.40q must be mqtt, grpc or http", in.Protocol)
	}
	if k := device.Kind(in.Kind); in.Kind != "" && k.Valid() != nil {
		return req, k.Valid()
	}
	key, err := keyOf(i.Serial, in.CSR, in.PublicKey)
	if err == nil && in.CSR != "" && in.PublicKey != "" {
		_, err = keyOf("", "", in.PublicKey)
	}
	return provision.Request{Claim: in.Claim, Serial: i.Serial, MAC: in.MAC, Model: in.Model, Facts: maps.Clone(in.Facts), CSR: in.CSR, Key: key,
		Gateway: in.Gateway, Client: in.Client, PublicKey: in.PublicKey, Protocol: in.Protocol, Kind: in.Kind}, err
}

func bad(s string, most int) bool { return len(s) > most || !utf8.ValidString(s) }

// begin starts a run, or a new round of a rejected one, for a request whose claim covers it.
func (f *function) begin(ctx context.Context, id twin.TypeID, run string, req provision.Request) (provision.Run, error) {
	claim, err := f.p.API.GetClaim(ctx, req.Claim)
	if errors.Is(err, api.ErrNotFound) {
		return provision.Run{}, refusal("claim " + req.Claim + " is not known")
	} else if err != nil {
		return provision.Run{}, err
	}
	if err := claim.Covers(id, req.Serial, f.p.Time()); err != nil {
		return provision.Run{}, refusal(err.Error())
	}
	if err := f.hasUse(ctx, &claim, req.Serial); err != nil {
		return provision.Run{}, err
	}
	t, err := f.twins.Get(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.Kind != twin.Type || !t.Deleted.IsZero()) {
		return provision.Run{}, refusal(fmt.Sprintf("there is no type %s", id))
	} else if err != nil {
		return provision.Run{}, err
	}
	first := provision.Run{Type: id, Request: req, Owner: claim.Owner, Location: claim.Location, Known: provision.Known{Claim: knownClaim(&claim)}}
	model, why, err := f.choose(ctx, &t, &first)
	if err != nil {
		return provision.Run{}, err
	}
	var no error
	made := false
	out, err := f.runs.Upsert(ctx, run, func(r *provision.Run, exists bool) error {
		no, made = nil, !exists
		if exists && r.Outcome != provision.Rejected {
			return errSuperseded // another request of the device has begun it
		}
		if exists {
			if no = f.anew(ctx, r, claim.Owner); no != nil {
				return no
			}
		}
		now := f.p.Time()
		r.By, r.Type, r.Model, r.Request, r.Owner, r.Location, r.Known = byDevice, id, model, req, claim.Owner, claim.Location, first.Known
		r.Trace = trace.Of(ctx)
		r.Under(f.guard).Begin(now)
		r.Log(provision.Step{At: now, State: r.State, Actor: byDevice, Outcome: "done", Reason: chosen(
			fmt.Sprintf("asked with claim %s from client %s at gateway %s", req.Claim, req.Client, req.Gateway), &model, why)})
		return f.tellOf(ctx, r, now)
	})
	if err != nil && no != nil {
		err = no // in its own words
	}
	if err == nil && made {
		err = f.trimClaim(ctx, req.Claim)
	}
	return out, err
}

// again finds a run that is under way or completed for a request that must be its own device's: by the same key, with the
// same claim. Another one changes nothing but the log.
func (f *function) again(ctx context.Context, r provision.Run, req provision.Request) (provision.Run, error) {
	if gone, err := f.cameItself(ctx, &r, req); err != nil {
		return r, err
	} else if gone {
		return r, errSuperseded // it begins now
	}
	why := ""
	switch {
	case r.Request.Key != req.Key && r.Outcome == provision.Completed:
		why = fmt.Sprintf("serial %s is provisioned already, with another key; to enrol the device anew, its run must be reset", req.Serial)
	case r.Request.Key != req.Key:
		why = fmt.Sprintf("serial %s is being provisioned with another key", req.Serial)
	case r.Outcome == provision.Completed && !r.Results.Bundled():
		return r, refusal(erased(&r))
	case r.Request.Claim != req.Claim:
		why = fmt.Sprintf("serial %s is being provisioned with another claim", req.Serial)
	}
	if why != "" {
		if _, err := f.change(ctx, r.ID, func(r *provision.Run, now time.Time) error { return disturbed(r, req, why, now) }); err != nil {
			return r, err
		}
		return r, refusal(why)
	}
	return f.change(ctx, r.ID, func(r *provision.Run, now time.Time) error {
		if r.Request.Key != req.Key || r.Outcome == provision.Rejected {
			return errSuperseded
		}
		same := r.Request.Gateway == req.Gateway && r.Request.Client == req.Client && maps.Equal(r.Request.Facts, req.Facts)
		r.Request.Gateway, r.Request.Client, r.Request.Facts = req.Gateway, req.Client, req.Facts
		steps := len(r.Fresh())
		if !r.Triggered(provision.DeviceAsked, byDevice, "", now) && same && len(r.Fresh()) == steps {
			return store.Unchanged
		}
		return nil
	})
}

// disturbed logs an attempt on a run, as long as there are not too many of them.
func disturbed(r *provision.Run, req provision.Request, why string, now time.Time) error {
	n := 0
	for _, s := range r.Steps {
		if s.Outcome == "ignored" {
			n++
		}
	}
	if n >= maxDisturbed {
		return store.Unchanged
	}
	updated := r.Updated
	r.Log(provision.Step{At: now, State: r.State, Actor: "claim:" + req.Claim, Outcome: "ignored",
		Reason: fmt.Sprintf("a request from client %s at gateway %s: %s", req.Client, req.Gateway, why)})
	r.Updated = updated
	return nil
}

// phaseFor is how long the phase of a gateway is believed: one that was deleted may come again as another.
const phaseFor = 30 * time.Second

// phased is a gateway's phase, and when it was read.
type phased struct {
	phase twin.Phase
	read  time.Time
}

func (p phased) fresh(now time.Time) bool { return now.Sub(p.read).Abs() <= phaseFor }

func (f *function) phased(gateway string) phased {
	known, _ := f.phases.Load(gateway)
	p, _ := known.(phased)
	return p
}

// speaksFor refuses a connector whose gateway is not of the phase: an operational one authenticates no claims, a provisioning
// one no devices. One that the gateway manager does not know yet is told to try again.
func (f *function) speaksFor(ctx context.Context, gateway string, phase twin.Phase) error {
	known, now := f.phased(gateway), f.p.Time()
	if !known.fresh(now) {
		list, err := f.p.API.ListGateways(ctx, string(phase))
		if err != nil {
			return err
		}
		for _, g := range list.Items {
			f.phases.Store(g.ID, phased{twin.Phase(g.Phase), now})
		}
		if known = f.phased(gateway); !known.fresh(now) {
			return fmt.Errorf("%w: no %s gateway %s is known, or not yet", api.ErrUnavailable, phase, gateway)
		}
	}
	if known.phase != phase {
		return fmt.Errorf("%w: gateway %s is not a %s one", access.ErrDenied, gateway, phase)
	}
	return nil
}
