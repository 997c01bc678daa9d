package api

import (
	"context"
	"net/url"

	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// RuleChanged is the data of event rule.changed.
type RuleChanged struct {
	Rule   string  `json:"rule"`
	Target twin.ID `json:"target"`
}

// NewRule makes a rule. Who may write its target may make it.
type NewRule struct {
	ID        string            `json:"id,omitempty"` // "" = made up
	Target    twin.ID           `json:"target"`
	Name      string            `json:"name,omitempty"`
	Condition monitor.Condition `json:"condition"`
	Severity  monitor.Severity  `json:"severity,omitempty"` // "" = warning
	Disabled  bool              `json:"disabled,omitempty"`
}

// CreateRule makes a rule.
func (c *Client) CreateRule(ctx context.Context, in NewRule) (out monitor.Rule, err error) {
	return out, c.Call(ctx, "POST", "twin-monitor", "/rules", in, &out)
}

// GetRule returns a rule.
func (c *Client) GetRule(ctx context.Context, id string) (out monitor.Rule, err error) {
	return out, c.Call(ctx, "GET", "twin-monitor", "/rules/"+id, nil, &out)
}

// UpdateRule changes a rule by JSON Merge Patch.
func (c *Client) UpdateRule(ctx context.Context, id string, version int64, patch any) (out monitor.Rule, err error) {
	h := IfMatch(version)
	if version == 0 {
		h = map[string][]string{}
	}
	h.Set("Content-Type", "application/merge-patch+json")
	return out, c.call(ctx, "PATCH", "twin-monitor", "/rules/"+id, h, patch, &out)
}

// DeleteRule removes a rule; alarms it has raised end.
func (c *Client) DeleteRule(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "twin-monitor", "/rules/"+id, nil, nil)
}

// ListRules pages through the rules of targets the caller may see; target "" = all.
func (c *Client) ListRules(ctx context.Context, target twin.ID, cursor string) (out Page[monitor.Rule], err error) {
	return out, c.Call(ctx, "GET", "twin-monitor", "/rules"+query("target", string(target), "cursor", cursor), nil, &out)
}

// Where a rule that watches a twin comes from.
const (
	FromTwin      = "twin"
	FromType      = "type"
	FromAggregate = "aggregate"
)

// WatchingRule is a rule that watches a twin, and where it comes from.
type WatchingRule struct {
	Rule monitor.Rule `json:"rule"`
	From string       `json:"from"`
}

// RulesOf lists the rules that watch a twin: its own, its type's and its aggregates'. There are no pages.
func (c *Client) RulesOf(ctx context.Context, id twin.ID) (out Page[WatchingRule], err error) {
	return out, c.Call(ctx, "GET", "twin-monitor", "/twins/"+url.PathEscape(string(id))+"/rules", nil, &out)
}
