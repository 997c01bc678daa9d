package api

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
)

// GrantChanged is the data of event grant.changed.
type GrantChanged struct {
	Subject string `json:"subject"`
	Object  string `json:"object"`
}

// Check asks whether a subject may use a right on an object. Only maintainers may ask for others.
type Check struct {
	Subject string       `json:"subject,omitempty"` // "user:ada"; "" = the caller
	Object  string       `json:"object"`            // "twin:pump-7", "service:alerts"
	Right   access.Right `json:"right"`
}

// CreateGrant lets a subject read or write an object. Who may write the object may grant it.
func (c *Client) CreateGrant(ctx context.Context, in access.Grant) (out access.Grant, err error) {
	return out, c.Call(ctx, "POST", "authorization", "/grants", in, &out)
}

// ListGrants pages through grants by subject or object.
func (c *Client) ListGrants(ctx context.Context, subject, object, cursor string) (out Page[access.Grant], err error) {
	return out, c.Call(ctx, "GET", "authorization", "/grants"+query("subject", subject, "object", object, "cursor", cursor), nil, &out)
}

// GetGrant returns a grant that is made to the caller or that the caller may take back.
func (c *Client) GetGrant(ctx context.Context, id string) (out access.Grant, err error) {
	return out, c.Call(ctx, "GET", "authorization", "/grants/"+id, nil, &out)
}

// DeleteGrant takes a grant back.
func (c *Client) DeleteGrant(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "authorization", "/grants/"+id, nil, nil)
}

// Check tells whether, and why.
func (c *Client) Check(ctx context.Context, in Check) (out access.Decision, err error) {
	return out, c.Call(ctx, "POST", "authorization", "/check", in, &out)
}

// ListAudit pages through who changed what, newest first.
func (c *Client) ListAudit(ctx context.Context, caller, cursor string) (out Page[access.Record], err error) {
	return out, c.Call(ctx, "GET", "authorization", "/audit"+query("caller", caller, "cursor", cursor), nil, &out)
}
