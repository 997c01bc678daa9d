package api

import (
	"context"
	"fmt"
	"net/url"

	"github.com/castor-iot/castor/shared/twin"
)

// TwinChanged is the data of events twin.changed and twin.deleted.
type TwinChanged struct {
	Twin  twin.ID    `json:"twin"`
	Kind  twin.Kind  `json:"kind"`
	Phase twin.Phase `json:"phase,omitempty"`
	Part  string     `json:"part"` // definition or live

	// Scope is who may see the twin now, Before who could until this change. A definition's change has both, but a new twin
	// has no Before, and a deleted one no Scope. A live part's change has neither: who follows those reads LiveBatch.
	Scope  *TwinScope `json:"scope,omitempty"`
	Before *TwinScope `json:"before,omitempty"`

	// Why is how a deleted twin went, for people: "deleted by user:ada on 2026-03-21", "decommissioned by user:ada on 2026-03-21: scrapped".
	Why string `json:"why,omitempty"`
}

// NewTwin makes a twin of any kind. For instances that is for people who bring devices in by hand; provisioning makes its own.
type NewTwin struct {
	ID         twin.ID         `json:"id"`
	Kind       twin.Kind       `json:"kind"`
	Definition twin.Definition `json:"definition"`
}

// TwinQuery selects twins; zero fields select nothing out.
type TwinQuery struct {
	Kind      twin.Kind
	Type      twin.TypeID
	Aggregate twin.ID
	Owner     string
	Phase     twin.Phase
	Tag       string
	Prefix    string // of the id
	Online    string // "true" or "false"
	Alarms    string // "open": only instances with an alarm that is raised
	Search    string // words that begin words of the id, name, tags, site or region; each must be found
	Sort      string // id, name, lastSeen or created, with "-" before it for the other way round; "" = id
	View      string // "row" leaves out what a table does not show: readings but one, configuration, model
	Readings  string // names with commas between: the readings that a row shows, if the twin has them
	Limit     int    // 0 = 100, at most 1,000
	Cursor    string
}

func (q TwinQuery) values() string {
	limit := ""
	if q.Limit > 0 {
		limit = fmt.Sprint(q.Limit)
	}
	return query("kind", string(q.Kind), "type", string(q.Type), "aggregate", string(q.Aggregate), "owner", q.Owner,
		"phase", string(q.Phase), "tag", q.Tag, "prefix", q.Prefix, "online", q.Online,
		"alarms", q.Alarms, "q", q.Search, "sort", q.Sort, "view", q.View, "readings", q.Readings, "limit", limit, "cursor", q.Cursor)
}

// TwinCounts is how many twins the caller sees of those that were asked for. All but Types and Aggregates count instances.
type TwinCounts struct {
	Instances  int                 `json:"instances"`
	Types      int                 `json:"types"`
	Aggregates int                 `json:"aggregates"`
	Phases     map[twin.Phase]int  `json:"phases"`
	ByType     map[twin.TypeID]int `json:"byType"`

	// An instance is online, offline, or was never seen.
	Online    int `json:"online"`
	Offline   int `json:"offline"`
	NeverSeen int `json:"neverSeen"`

	// Alarms counts instances with an alarm that is raised, not the alarms, and no more than some thousands of alarms.
	Alarms int `json:"alarms"`

	// More is set where there are more than were counted.
	More bool `json:"more,omitempty"`
}

// PhaseChange moves an instance to another phase of its life; only provisioning may ask.
type PhaseChange struct {
	Phase         twin.Phase          `json:"phase"`
	Configuration *twin.Configuration `json:"configuration,omitempty"` // as delivered; nil leaves it
}

// CreateTwin makes a twin.
func (c *Client) CreateTwin(ctx context.Context, in NewTwin) (out twin.Twin, err error) {
	return out, c.Call(ctx, "POST", "twins", "/twins", in, &out)
}

// GetTwin returns a twin.
func (c *Client) GetTwin(ctx context.Context, id twin.ID) (out twin.Twin, err error) {
	return out, c.Call(ctx, "GET", "twins", "/twins/"+url.PathEscape(string(id)), nil, &out)
}

// ListTwins pages through the twins the caller may see.
func (c *Client) ListTwins(ctx context.Context, q TwinQuery) (out Page[twin.Twin], err error) {
	return out, c.Call(ctx, "GET", "twins", "/twins"+q.values(), nil, &out)
}

// CountTwins counts what the caller may see; of the query, only what selects counts.
func (c *Client) CountTwins(ctx context.Context, q TwinQuery) (out TwinCounts, err error) {
	q.Sort, q.View, q.Readings, q.Limit, q.Cursor = "", "", "", 0, ""
	return out, c.Call(ctx, "GET", "twins", "/counts"+q.values(), nil, &out)
}

// UpdateTwin changes a twin's definition by JSON Merge Patch (RFC 7396). version is the definition's as it was read;
// ErrStale tells that somebody was faster. 0 = whatever it is.
func (c *Client) UpdateTwin(ctx context.Context, id twin.ID, version int64, patch any) (out twin.Twin, err error) {
	h := IfMatch(version)
	if version == 0 {
		h = map[string][]string{}
	}
	h.Set("Content-Type", "application/merge-patch+json")
	return out, c.call(ctx, "PATCH", "twins", "/twins/"+url.PathEscape(string(id))+"/definition", h, patch, &out)
}

// DeleteTwin removes a twin, its history and what belongs to it. A type with instances, or an aggregate with parts, stays: ErrConflict.
func (c *Client) DeleteTwin(ctx context.Context, id twin.ID) error {
	return c.Call(ctx, "DELETE", "twins", "/twins/"+url.PathEscape(string(id)), nil, nil)
}

// SetPhase moves an instance to another phase.
func (c *Client) SetPhase(ctx context.Context, id twin.ID, in PhaseChange) (out twin.Twin, err error) {
	return out, c.Call(ctx, "POST", "twins", "/twins/"+url.PathEscape(string(id))+"/phase", in, &out)
}
