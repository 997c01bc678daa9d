package api

import (
	"context"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// NewClaim asks for a claim.
type NewClaim struct {
	Type     twin.TypeID    `json:"type"`
	Owner    string         `json:"owner"`
	Location *twin.Location `json:"location,omitempty"`
	Serials  string         `json:"serials,omitempty"`
	Expires  twin.Duration  `json:"expires,omitempty"` // from now; 0 = 24h
	MaxUses  int64          `json:"maxUses,omitempty"` // 0 = 1, or as many as there are Identities

	// Identities are the serials of the devices it is for, at most 10,000; none = all that match Serials.
	Identities []string `json:"identities,omitempty"`

	Batch     string `json:"batch,omitempty"`     // a label that the claims of one lot of devices share
	Temporary bool   `json:"temporary,omitempty"` // an installer's: it ends within 24 h
	Note      string `json:"note,omitempty"`      // for people

	// Gateway is the id of the provisioning gateway that the claim names; "" = the nearest that is alive and has room.
	Gateway string `json:"gateway,omitempty"`

	// ID is for parts of the platform: the same one gets the same claim again, then without its token.
	ID string `json:"id,omitempty"`
}

// ClaimFile is what a device needs to come in; it is handed out once, when the claim is made.
type ClaimFile struct {
	Claim   device.Claim `json:"claim"`
	Token   string       `json:"token"`   // the secret
	Gateway string       `json:"gateway"` // "tls://host:port" of the provisioning gateway
	CA      string       `json:"ca"`      // PEM: who signs the gateways

	// Gateways are those of other protocols too: "mqtt", "grpc", "http". A device dials the one that it speaks.
	Gateways map[string]string `json:"gateways,omitempty"`

	// Reason is why Gateway is named. Alternatives are what else a device may dial where that one does not answer, by protocol, the nearest first.
	Reason       string              `json:"reason,omitempty"`
	Alternatives map[string][]string `json:"alternatives,omitempty"`
}

// ClaimUse asks for one use of a claim by a run. Asking twice for the same run counts once; a run that has given its use back
// gets none any more.
type ClaimUse struct {
	Run    string      `json:"run"`
	Type   twin.TypeID `json:"type"`
	Serial string      `json:"serial"`
}

// CreateClaim makes a claim. The token is in this answer and nowhere else.
func (c *Client) CreateClaim(ctx context.Context, in NewClaim) (out ClaimFile, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/claims", in, &out)
}

// ClaimQuery selects claims; zero fields select nothing out.
type ClaimQuery struct {
	Owner  string
	Type   twin.TypeID
	Batch  string
	State  string // open, used, expired or revoked
	Limit  int    // 0 = 100, at most 1,000
	Cursor string
}

// ListClaims pages through the claims the caller may see. A page may have fewer than there is room for, and even none, though
// there are more.
func (c *Client) ListClaims(ctx context.Context, q ClaimQuery) (out Page[device.Claim], err error) {
	return out, c.Call(ctx, "GET", "credentials", "/claims"+query("owner", q.Owner, "type", string(q.Type), "batch", q.Batch, "state", q.State,
		"limit", positive(q.Limit), "cursor", q.Cursor), nil, &out)
}

// ListClaimSerials pages through the serials that a claim was given by name.
func (c *Client) ListClaimSerials(ctx context.Context, id, cursor string) (out Page[string], err error) {
	return out, c.Call(ctx, "GET", "credentials", "/claims/"+id+"/serials"+query("cursor", cursor), nil, &out)
}

// ClaimNames tells whether a claim was given a serial by name.
func (c *Client) ClaimNames(ctx context.Context, id, serial string) (bool, error) {
	var out Page[string]
	err := c.Call(ctx, "GET", "credentials", "/claims/"+id+"/serials"+query("serial", serial), nil, &out)
	return len(out.Items) > 0, err
}

// GetClaim returns a claim without its token.
func (c *Client) GetClaim(ctx context.Context, id string) (out device.Claim, err error) {
	return out, c.Call(ctx, "GET", "credentials", "/claims/"+id, nil, &out)
}

// RevokeClaim ends a claim; devices that are connected with it are cut off.
func (c *Client) RevokeClaim(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "credentials", "/claims/"+id, nil, nil)
}

// UseClaim reserves a use of a claim for a run, or returns device.ErrClaim with the reason.
func (c *Client) UseClaim(ctx context.Context, id string, in ClaimUse) (out device.Claim, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/claims/"+id+"/uses", in, &out)
}

// ReturnClaim gives a use back.
func (c *Client) ReturnClaim(ctx context.Context, id, run string) error {
	return c.Call(ctx, "DELETE", "credentials", "/claims/"+id+"/uses/"+run, nil, nil)
}

// CloseClaim tells that a run needs its use of the claim no more. Once that is so of every use there was, the claim is taken
// from the provisioning gateways.
func (c *Client) CloseClaim(ctx context.Context, id, run string) error {
	return c.Call(ctx, "POST", "credentials", "/claims/"+id+"/uses/"+run+"/close", nil, nil)
}
