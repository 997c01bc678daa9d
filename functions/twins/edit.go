package twins

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// editable is what of a definition people may change.
type editable struct {
	Name       string         `json:"name,omitempty"`
	Owner      string         `json:"owner,omitempty"`
	Aggregates []twin.ID      `json:"aggregates,omitempty"`
	Tags       []string       `json:"tags,omitempty"`
	Location   *twin.Location `json:"location,omitempty"`
	Model      *twin.Model    `json:"model,omitempty"`
}

// fixed are the other fields of a definition, and why they are not people's to change.
var fixed = map[string]string{
	"type":          "is for ever; make another twin",
	"phase":         "is set by provisioning",
	"suspended":     "is set by suspending and resuming the twin",
	"configuration": "is what provisioning delivered",
	"version":       "is counted by the platform; name the one you read in If-Match",
	"updated":       "is set by the platform",
}

// edit changes a definition by JSON Merge Patch (RFC 7396); If-Match names the version that was read.
func (f *function) edit(ctx context.Context, c *faas.Call, body []byte) (faas.Reply, error) {
	patch, err := readPatch(body)
	if err != nil {
		return faas.Reply{}, err
	}
	t, err := f.merge(ctx, hand{caller: c.Caller, match: c.Match}, twin.ID(c.Var("id")), patch)
	return faas.Versioned(t.Definition.Version, t), err
}

// readPatch reads a merge patch and refuses what is not people's to change.
func readPatch(body []byte) (patch map[string]any, err error) {
	if len(body) > faas.MaxBody {
		return nil, api.Invalid("the body may have %d bytes", faas.MaxBody)
	}
	if err := faas.JSON(body, &patch); err != nil {
		return nil, err
	}
	if patch == nil {
		return nil, api.Invalid("the patch must be an object with the fields to change")
	}
	for field, why := range fixed {
		if _, ok := patch[field]; ok {
			return nil, api.Invalid("definition.%s %s", field, why)
		}
	}
	return patch, nil
}

// merge applies a patch to the definition of one twin.
func (f *function) merge(ctx context.Context, h hand, id twin.ID, patch map[string]any) (twin.Twin, error) {
	return f.redefine(ctx, h, id, func(_ *twin.Twin, was editable) (now editable, err error) {
		return now, mergePatch(was, patch, &now)
	})
}

// redefine gives a twin the definition that with makes of the one it has.
func (f *function) redefine(ctx context.Context, h hand, id twin.ID, with func(t *twin.Twin, was editable) (editable, error)) (twin.Twin, error) {
	silence := false // whether instances count as offline at other times now
	t, err := f.change(ctx, h, id, event.TwinChanged, func(t *twin.Twin) error {
		d := &t.Definition
		if h.match != nil {
			if err := h.match(d.Version); err != nil {
				return err
			}
		}
		was := editable{d.Name, d.Owner, d.Aggregates, d.Tags, d.Location, d.Model}
		now, err := with(t, was)
		if err != nil {
			return err
		}
		if t.Kind == twin.Type {
			if now.Model, err = successor(now.Model, was.Model); err != nil {
				return err
			}
		}
		if now.says(&was) {
			return store.Unchanged
		}
		d.Name, d.Owner, d.Aggregates, d.Tags, d.Location, d.Model = now.Name, now.Owner, now.Aggregates, now.Tags, now.Location, now.Model
		if err := d.Validate(t.Kind); err != nil {
			return err
		}
		if err := f.checkSchemas(d.Model); err != nil {
			return err
		}
		if err := f.checkWays(ctx, t.ID, d.Model, was.Model); err != nil {
			return err
		}
		if d.Owner != was.Owner {
			if err := f.giveAway(ctx, h.caller, t, was.Owner); err != nil {
				return err
			}
		}
		if t.Kind == twin.Instance {
			t.Live.Due = f.p.Time() // other rules may watch it now: twin-ingest is to look
		}
		silence = t.Kind == twin.Type && (was.Model == nil || was.Model.OfflineAfter != now.Model.OfflineAfter || was.Model.OfflineSeverity != now.Model.OfflineSeverity)
		return f.checkAggregates(ctx, h.caller, t, was.Aggregates)
	})
	if err == nil && silence && !h.dry {
		f.remind(ctx, t.ID)
	}
	return t, err
}

// says tells whether two definitions say the same: what is empty is as if it were left out.
func (e *editable) says(other *editable) bool {
	a, err := json.Marshal(e)
	b, no := json.Marshal(other)
	return err == nil && no == nil && bytes.Equal(a, b)
}

// giveAway: a grant to write is none to make the twin one's own. Only who owns it hands it on.
func (f *function) giveAway(ctx context.Context, c access.Caller, t *twin.Twin, from string) error {
	was := access.Object{Name: access.TwinName(t.ID), Owner: from}
	if !access.Decide(c, access.Write, was, nil).Allowed {
		return fmt.Errorf("%w: definition.owner is changed by members of the group that owns it", access.ErrDenied)
	}
	return f.checkOwner(ctx, c, t.Definition.Owner)
}

// mergePatch applies a merge patch to v and reads the outcome strictly into out.
func mergePatch(v any, patch map[string]any, out any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	if b, err = json.Marshal(mergeInto(doc, patch)); err != nil {
		return err
	}
	if err := faas.JSON(b, out); err != nil {
		return fmt.Errorf("definition: %w", err)
	}
	return nil
}

func mergeInto(doc, patch map[string]any) map[string]any {
	if doc == nil {
		doc = map[string]any{}
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(doc, k)
		case map[string]any:
			inner, _ := doc[k].(map[string]any)
			doc[k] = mergeInto(inner, v)
		default:
			doc[k] = v
		}
	}
	return doc
}
