package api

import (
	"context"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// ImportResult tells what a bulk import did. Nothing of a faulty line is kept; the other lines are.
type ImportResult struct {
	Created   int           `json:"created"`
	Unchanged int           `json:"unchanged"` // the same identity was there already
	Faults    []ImportFault `json:"faults,omitempty"`
}

// ImportFault says which line was not taken, and why.
type ImportFault struct {
	Line   int    `json:"line"` // the first is 1; a CSV's header counts
	Reason string `json:"reason"`
}

// CreateIdentity makes one identity. An owner's counts for claims of its Owner only, which an owner of several groups has to
// name; its id is made of the serial, and it gives way to a configurator's as long as it has no twin.
func (c *Client) CreateIdentity(ctx context.Context, in device.Identity) (out device.Identity, err error) {
	return out, c.Call(ctx, "POST", "identities", "/identities", in, &out)
}

// GetIdentity returns an identity.
func (c *Client) GetIdentity(ctx context.Context, id twin.ID) (out device.Identity, err error) {
	return out, c.Call(ctx, "GET", "identities", "/identities/"+string(id), nil, &out)
}

// FindIdentity returns the identity with this serial, or ErrNotFound.
func (c *Client) FindIdentity(ctx context.Context, serial string) (out device.Identity, err error) {
	var p Page[device.Identity]
	if err := c.Call(ctx, "GET", "identities", "/identities"+query("serial", serial), nil, &p); err != nil {
		return out, err
	}
	if len(p.Items) == 0 {
		return out, ErrNotFound
	}
	return p.Items[0], nil
}

// IdentitiesOfModel lists identities of a maker's model, for those who see all identities.
func (c *Client) IdentitiesOfModel(ctx context.Context, model string) (out Page[device.Identity], err error) {
	return out, c.Call(ctx, "GET", "identities", "/identities"+query("model", model, "limit", "200"), nil, &out)
}

// IdentityReplacement says which device takes a twin over.
type IdentityReplacement struct {
	Serial string `json:"serial"`
	MAC    string `json:"mac,omitempty"`
	Model  string `json:"model,omitempty"`
	Maker  string `json:"maker,omitempty"`
	Reason string `json:"reason"`
}

// ReplaceIdentity makes an identity that of another device; its twin keeps its id. The device before is refused from then on,
// until it is put back the same way.
func (c *Client) ReplaceIdentity(ctx context.Context, id twin.ID, in IdentityReplacement) (out device.Identity, err error) {
	return out, c.Call(ctx, "POST", "identities", "/identities/"+string(id)+"/replace", in, &out)
}

// CutOff says which device has nothing of its predecessor beside it any more.
type CutOff struct {
	Serial string `json:"serial"`
}

// Replacing lists, for function twin-provision, devices that took over from others whose runs are still to be reset.
func (c *Client) Replacing(ctx context.Context) (out Page[device.Identity], err error) {
	return out, c.Call(ctx, "GET", "identities", "/replacing", nil, &out)
}

// NoteCutOff notes that the run of the device which the one with this serial took over from was reset.
func (c *Client) NoteCutOff(ctx context.Context, id twin.ID, serial string) error {
	return c.Call(ctx, "POST", "identities", "/identities/"+string(id)+"/replaced", CutOff{serial}, nil)
}

// RetireIdentity marks the identity of a device that was decommissioned, for function twins; the first mark stays.
func (c *Client) RetireIdentity(ctx context.Context, id twin.ID, reason string) (out device.Identity, err error) {
	return out, c.Call(ctx, "POST", "identities", "/identities/"+string(id)+"/retire", Reset{Reason: reason}, &out)
}

// RestoreIdentity lets the device of an identity that was decommissioned come in again.
func (c *Client) RestoreIdentity(ctx context.Context, id twin.ID, reason string) (out device.Identity, err error) {
	return out, c.Call(ctx, "POST", "identities", "/identities/"+string(id)+"/restore", Because{reason}, &out)
}

// ListIdentities pages through the identities; prefix limits the ids.
func (c *Client) ListIdentities(ctx context.Context, prefix, cursor string) (out Page[device.Identity], err error) {
	return out, c.Call(ctx, "GET", "identities", "/identities"+query("prefix", prefix, "cursor", cursor), nil, &out)
}

// ImportIdentities takes many identities as "text/csv" (with a header line) or "application/x-ndjson".
func (c *Client) ImportIdentities(ctx context.Context, contentType string, body []byte) (out ImportResult, err error) {
	return out, c.Call(ctx, "POST", "identities", "/import", Raw{contentType, body}, &out)
}

// DeleteIdentity removes an identity that no twin uses.
func (c *Client) DeleteIdentity(ctx context.Context, id twin.ID) error {
	return c.Call(ctx, "DELETE", "identities", "/identities/"+string(id), nil, nil)
}
