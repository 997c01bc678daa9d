package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
)

// stateOfRun is where a run is; of one that has ended, how.
func stateOfRun(r provision.Run) string {
	if r.Outcome != "" {
		return string(r.Outcome)
	}
	return r.State
}

// titleOfRun is stateOfRun as its model calls it.
func titleOfRun(r *provision.Run) string {
	s, _ := r.Model.State(r.State)
	if r.Outcome != "" || s.Title == "" {
		return stateOfRun(*r)
	}
	return r.State + ": " + s.Title
}

// withModels gives the open runs of a list their models, which lists leave out: one run of each is asked for. Where that fails their states
// keep their names alone.
func withModels(ctx context.Context, c *api.Client, runs []provision.Run) {
	type key struct {
		id      string
		version int64
	}
	models := map[key]provision.Model{}
	for i := range runs {
		r := &runs[i]
		if r.Outcome != "" {
			continue
		}
		of := key{r.Model.ID, r.Model.Version}
		m, ok := models[of]
		if !ok {
			if full, err := c.GetRun(ctx, r.ID); err == nil && full.Model.Version == of.version {
				m = full.Model
			} else {
				m = r.Model
			}
			models[of] = m
		}
		r.Model = m
	}
}

// whereOf says where a run is, as its model calls it; of one that was rejected, also why.
func whereOf(r *provision.Run) string {
	switch {
	case r.Outcome == provision.Rejected && r.Reason != "":
		return "rejected: " + r.Reason
	case r.Outcome != "":
		return string(r.Outcome)
	}
	return "at " + titleOfRun(r)
}

// nextStep is what comes after what a person has just done to a run.
func nextStep(r *provision.Run) string {
	if r.Asks != nil {
		return "next: " + r.Asks.Text
	}
	return "it is " + whereOf(r)
}

// deviceOf is what is known of a run's device, for who decides about it.
func deviceOf(r *provision.Run) (out []fact) {
	q, k := &r.Request, &r.Known
	out = []fact{{"serial", q.Serial}, {"mac", q.MAC}, {"device model", q.Model}, {"maker", k.Identity.Maker}}
	for _, name := range slices.Sorted(maps.Keys(q.Facts)) {
		out = append(out, fact{"fact " + name, q.Facts[name]})
	}
	claim := q.Claim
	if k.Claim.Batch != "" {
		claim += ", batch " + k.Claim.Batch
	}
	if k.Claim.Temporary {
		claim += ", temporary"
	}
	if out = append(out, fact{"claim", claim}); r.Location != nil {
		out = append(out, fact{"location", strings.Trim(r.Location.Region+", "+r.Location.Site, ", ")})
	}
	if k.Identity.ID != "" {
		out = append(out, fact{"registered", fmt.Sprintf("as %s", k.Identity.ID)})
	}
	if q.Listed != "" {
		out = append(out, fact{"waiting list", q.Listed})
	}
	return out
}

// comes is what a run waits for, in words.
var comes = map[provision.Trigger]string{
	provision.GatewayReady: "its gateway, to let the device in", provision.DeviceConfirm: "the device, to confirm at its operational gateway",
	provision.DeviceSeen: "the device, to come to its operational gateway", provision.DeviceAsked: "the device, to ask again",
	provision.Answered: "the service that was called, to answer", provision.Timer: "its time to pass",
}

// nextOf is whom or what a run that is open waits for, and until when.
func (a *app) nextOf(r *provision.Run) (out []fact) {
	switch {
	case r.Outcome != "":
		return nil
	case r.Withdrawing:
		out = append(out, fact{"next", "what it made is undone, then it is rejected"})
	case r.Asks != nil:
		who := r.Asks.By
		if who == "owner" && r.Owner != "" {
			who = "owner, group " + r.Owner
		}
		out = append(out, fact{"asks", who}, fact{"what", r.Asks.Text}, fact{"input", r.Asks.Input}, fact{"since", a.ago(r.Asks.Since)})
	case r.Waiting:
		s, _ := r.Model.State(r.State)
		var what []string
		for _, t := range s.Awaits() {
			if w := comes[t]; w != "" {
				what = append(what, w)
			}
		}
		out = append(out, fact{"waits for", strings.Join(what, "; or for ")})
	case !r.Rest.IsZero():
		why := ""
		if n := len(r.Steps); n > 0 && r.Steps[n-1].Reason != "" {
			why = ": " + r.Steps[n-1].Reason
		}
		out = append(out, fact{"next", fmt.Sprintf("it is tried again %s%s", a.ago(r.Rest), why)})
	default:
		out = append(out, fact{"next", "the step of this state is done"})
	}
	if !r.Deadline.IsZero() {
		out = append(out, fact{"until", fmt.Sprintf("%s (%s)", stamp(r.Deadline), a.ago(r.Deadline))})
	}
	return out
}
