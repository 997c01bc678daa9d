package provision

import (
	"errors"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// A Guard judges the conditions of a model's transitions. Package rule has one that knows CEL.
type Guard interface {
	// Holds tells whether expr holds for facts, which are a run's Facts. An error is a reason why that cannot be said.
	Holds(expr string, facts map[string]any) (bool, error)

	// Compile returns nil if expr can be judged; an *ExprError tells where it cannot.
	Compile(expr string) error
}

// An ExprError tells what is wrong with an expression, and where.
type ExprError struct {
	Line, Column int // from 1 on, in the expression; 0 = not known
	Text         string
}

// Error is the text.
func (e *ExprError) Error() string { return e.Text }

// errNoGuard is why an expression does not hold where nobody judges it.
var errNoGuard = errors.New("there is nobody to judge it")

// Under has the conditions of the run's model be judged by g.
func (r *Run) Under(g Guard) *Run { r.guard = g; return r }

// Facts is what guards see of the run. Every name is always there; what is not known is "" or an empty map.
func (r *Run) Facts() map[string]any {
	return facts(r.Known, r.Request, r.Location, r.Answer, r.Decision)
}

func facts(known Known, req Request, at *twin.Location, answer map[string]any, d *Decision) map[string]any {
	i, c := known.Identity, known.Claim
	said := make(map[string]string, len(req.Facts))
	for k, v := range req.Facts {
		said[k] = v
	}
	location := map[string]any{"region": "", "site": ""}
	if at != nil {
		location["region"], location["site"] = at.Region, at.Site
		if at.Latitude != nil && at.Longitude != nil {
			location["latitude"], location["longitude"] = *at.Latitude, *at.Longitude
		}
	}
	decision := map[string]any{"trigger": "", "by": "", "reason": "", "at": ""}
	if d != nil {
		decision = map[string]any{"trigger": string(d.Trigger), "by": d.By, "reason": d.Reason, "at": d.At.UTC().Format("2006-01-02T15:04:05Z")}
	}
	if answer == nil {
		answer = map[string]any{}
	}
	return map[string]any{
		"identity": map[string]any{"id": i.ID, "serial": i.Serial, "mac": i.MAC, "model": i.Model, "maker": i.Maker, "type": i.Type, "owner": i.Owner},
		"claim":    map[string]any{"id": c.ID, "owner": c.Owner, "type": c.Type, "batch": c.Batch, "temporary": c.Temporary},
		"request":  map[string]any{"serial": req.Serial, "mac": req.MAC, "model": req.Model, "protocol": req.Protocol},
		"facts":    said, "location": location, "answer": answer, "decision": decision,
	}
}

// holds judges a transition; reason is why it cannot be judged.
func (r *Run) holds(expr string, facts map[string]any) (ok bool, reason string) {
	if expr == "" {
		return true, ""
	}
	err := errNoGuard
	if r.guard != nil {
		ok, err = r.guard.Holds(expr, facts)
	}
	if err != nil {
		return false, "condition " + brief(expr) + " cannot be judged: " + err.Error()
	}
	return ok, ""
}

func brief(expr string) string {
	expr = strings.ToValidUTF8(expr, "�")
	if len(expr) > 80 {
		expr = strings.ToValidUTF8(expr[:80], "") + "…"
	}
	return "'" + expr + "'"
}

// Fill puts what is known of the run into a text for people: {serial}, {type}, {twin} and {run}. What is not known yet is "…".
func (r *Run) Fill(text string) string {
	known := func(s string) string {
		if s == "" {
			return "…"
		}
		return s
	}
	return strings.NewReplacer("{serial}", known(r.Request.Serial), "{type}", known(string(r.Type)), "{twin}", known(string(r.Twin)), "{run}", r.ID).Replace(text)
}
