package api

import (
	"context"
	"net/url"

	"github.com/castor-iot/castor/shared/twin"
)

// TypeThingModel is the media type of a Thing Model of the W3C.
const TypeThingModel = "application/tm+json"

// ThingModelOutcome is what became of a Thing Model that was put.
type ThingModelOutcome struct {
	Type    twin.Twin `json:"type"`
	Created bool      `json:"created"`
	Changed bool      `json:"changed"` // false: the type was so before

	// Ignored are the parts of the Thing Model that the platform has no use for.
	Ignored []IgnoredPart `json:"ignored"`
}

// IgnoredPart is a part of a document that has no effect.
type IgnoredPart struct {
	At  string `json:"at"` // JSON Pointer
	Why string `json:"why"`
}

// ThingModel returns a type as a Thing Model of the W3C.
func (c *Client) ThingModel(ctx context.Context, id twin.TypeID) ([]byte, error) {
	var out Raw
	err := c.Call(ctx, "GET", "twins", "/types/"+url.PathEscape(string(id))+"/thing-model", nil, &out)
	return out.Body, err
}

// PutThingModel makes a type what a Thing Model says; where there is no such type, configurators make it, for the group owner. version
// is the definition's as it was read; ErrStale tells that somebody was faster. 0 = whatever it is.
func (c *Client) PutThingModel(ctx context.Context, id twin.TypeID, version int64, owner string, text []byte) (out ThingModelOutcome, err error) {
	h := IfMatch(version)
	if version == 0 {
		h = map[string][]string{}
	}
	return out, c.call(ctx, "PUT", "twins", "/types/"+url.PathEscape(string(id))+"/thing-model"+query("owner", owner), h, Raw{TypeThingModel, text}, &out)
}
