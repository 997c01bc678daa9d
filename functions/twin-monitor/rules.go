package twinmonitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	jsonpatch "github.com/evanphx/json-patch/v5"
)

// maxRules is how many rules one target may have: twin-ingest goes through all of them for every batch.
const maxRules = 100

func (f *function) createRule(ctx context.Context, c *faas.Call, in api.NewRule) (faas.Reply, error) {
	now := f.p.Time()
	r := monitor.Rule{ID: in.ID, Target: in.Target, By: c.Caller.String(), Created: now}
	if r.ID == "" {
		r.ID = platform.NewID("rule")
	}
	if err := validID(r.ID); err != nil {
		return faas.Reply{}, err
	}
	e := edit{Name: in.Name, Condition: in.Condition, Severity: in.Severity, Disabled: in.Disabled}
	if err := e.apply(&r); err != nil {
		return faas.Reply{}, err
	}
	if _, err := f.p.Twin(ctx, f.twins, c.Caller, access.Write, in.Target); err != nil {
		return faas.Reply{}, err
	}
	n, err := f.rules.Count(ctx, store.Eq("target", in.Target), "by-target")
	if err != nil {
		return faas.Reply{}, err
	}
	if n >= maxRules {
		return faas.Reply{}, fmt.Errorf("%w: target %s has %d rules, which is the most; delete one first", api.ErrConflict, in.Target, n)
	}
	rec, err := f.rules.Upsert(ctx, r.ID, func(v *record, exists bool) error {
		if exists && !v.Deleted {
			return fmt.Errorf("%w: a rule %q; choose another id or change that rule", api.ErrExists, r.ID)
		}
		r.Version = v.Version // goes on where a deleted rule of that id ended
		v.Rule, v.Deleted = r, false
		v.changed(now)
		return nil
	})
	if err != nil {
		return faas.Reply{}, err
	}
	f.follow(ctx, rec)
	out := faas.Versioned(rec.Version, rec.Rule)
	out.Status = http.StatusCreated
	out.Header.Set("Location", "/rules/"+rec.ID)
	return out, nil
}

func (f *function) getRule(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	rec, err := f.rule(ctx, c, access.Read)
	return faas.Versioned(rec.Version, rec.Rule), err
}

// rule returns the rule of the call's path if the caller may use right on its target.
func (f *function) rule(ctx context.Context, c *faas.Call, right access.Right) (record, error) {
	id := c.Var("id")
	missing := platform.NotFound("rule", id)
	if validID(id) != nil {
		return record{}, missing
	}
	rec, err := f.rules.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && rec.Deleted {
		return record{}, missing
	}
	if err != nil {
		return record{}, err
	}
	if _, err := f.p.Twin(ctx, f.twins, c.Caller, right, rec.Target); errors.Is(err, api.ErrNotFound) {
		return record{}, missing
	} else if err != nil {
		return record{}, err
	}
	return rec, nil
}

func (f *function) updateRule(ctx context.Context, c *faas.Call, patch []byte) (faas.Reply, error) {
	if _, err := f.rule(ctx, c, access.Write); err != nil {
		return faas.Reply{}, err
	}
	rec, err := f.rules.Update(ctx, c.Var("id"), func(v *record) error {
		if v.Deleted {
			return platform.NotFound("rule", v.ID)
		}
		if err := c.Match(v.Version); err != nil {
			return err
		}
		e, err := patched(v.Rule, patch)
		if err != nil {
			return err
		}
		before := editOf(v.Rule)
		if err := e.apply(&v.Rule); err != nil {
			return err
		}
		if editOf(v.Rule).equal(before) {
			return store.Unchanged
		}
		v.changed(f.p.Time())
		return nil
	})
	if err != nil {
		return faas.Reply{}, err
	}
	f.follow(ctx, rec)
	return faas.Versioned(rec.Version, rec.Rule), nil
}

func (f *function) deleteRule(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	if _, err := f.rule(ctx, c, access.Write); err != nil {
		return faas.None{}, err
	}
	return faas.None{}, f.remove(ctx, c.Var("id"), c.Match)
}

// remove makes a rule a tombstone; match may refuse its version.
func (f *function) remove(ctx context.Context, id string, match func(version int64) error) error {
	rec, err := f.rules.Update(ctx, id, func(v *record) error {
		if v.Deleted {
			return store.Unchanged
		}
		if err := match(v.Version); err != nil {
			return err
		}
		v.Deleted, v.Disabled = true, true
		v.changed(f.p.Time())
		return nil
	})
	if err != nil {
		return err
	}
	f.follow(ctx, rec)
	return nil
}

// An edit is what people may change about a rule.
type edit struct {
	Name      string            `json:"name"`
	Condition monitor.Condition `json:"condition"`
	Severity  monitor.Severity  `json:"severity"`
	Disabled  bool              `json:"disabled"`
}

func editOf(r monitor.Rule) edit { return edit{r.Name, r.Condition, r.Severity, r.Disabled} }

func (e edit) equal(o edit) bool {
	return e.Name == o.Name && e.Condition.String() == o.Condition.String() && e.Severity == o.Severity && e.Disabled == o.Disabled
}

// apply validates e and puts it into r.
func (e edit) apply(r *monitor.Rule) error {
	if err := validText("name", e.Name, 128); err != nil {
		return err
	}
	if e.Condition.Property == "" {
		return api.Invalid("condition is missing; it is like \"cpu.percent > 80 for 1m clear 70\"")
	}
	if err := validText("condition: the property", e.Condition.Property, 128); err != nil {
		return err
	}
	if e.Severity == "" {
		e.Severity = monitor.Warning
	}
	if e.Severity.Rank() == 0 {
		return api.Invalid("severity %.40q must be %s, %s or %s", string(e.Severity), monitor.Info, monitor.Warning, monitor.Critical)
	}
	r.Name, r.Condition, r.Severity, r.Disabled = e.Name, e.Condition, e.Severity, e.Disabled
	return nil
}

// patched is r's editable part after a JSON Merge Patch (RFC 7396).
func patched(r monitor.Rule, patch []byte) (e edit, err error) {
	if len(patch) > faas.MaxBody {
		return e, fmt.Errorf("%w: a patch may have %d bytes", api.ErrTooLarge, faas.MaxBody)
	}
	var keys map[string]json.RawMessage
	if err := faas.JSON(patch, &keys); err != nil {
		return e, err
	}
	if keys == nil {
		return e, api.Invalid("the patch must be a JSON object with what is to be changed")
	}
	if _, ok := keys["target"]; ok {
		return e, api.Invalid("target cannot be changed; make another rule and delete this one")
	}
	old, err := json.Marshal(editOf(r))
	if err != nil {
		return e, err
	}
	merged, err := jsonpatch.MergePatch(old, patch)
	if err != nil {
		return e, api.Invalid("the body is not a JSON merge patch: %v", err)
	}
	return e, faas.JSON(merged, &e)
}

func validID(id string) error {
	if err := twin.ID(id).Valid(); err != nil {
		return err
	}
	if id == monitor.Offline {
		return api.Invalid("id %q belongs to the platform's own rule; choose another", id)
	}
	return nil
}
