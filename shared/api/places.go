package api

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Proof is what a device may show at its gateway. Where nothing is in it, nobody is let in, and the place is kept.
type Proof struct {
	// Version counts the changes of the device's credential; what comes with an older one than is known changes nothing.
	Version int64 `json:"version,omitempty" bson:"proofVersion,omitempty"`

	Kind     device.Kind `json:"kind,omitempty" bson:"kind,omitempty"`         // "" = certificate
	Username string      `json:"username,omitempty" bson:"username,omitempty"` // of kind password; "" = the reference

	// Fingerprints are of certificates, Verifiers of secrets, as in Admission: the newest last, at most MaxProofs of each.
	Fingerprints []string `json:"fingerprints,omitempty" bson:"fingerprints,omitempty"`
	Verifiers    []string `json:"verifiers,omitempty" bson:"verifiers,omitempty"`

	Expires time.Time `json:"expires,omitzero" bson:"proofExpires,omitempty"` // the zero time = never

	// Topics are those of a device whose firmware uses its own; nil = the platform's.
	Topics *Topics `json:"topics,omitempty" bson:"topics,omitempty"`
}

// MaxProofs is how many certificates, or secrets, of one device may be good at a time.
const MaxProofs = 4

// Assign asks for a place at an operational gateway.
type Assign struct {
	Ref      device.Ref `json:"ref"`
	Twin     twin.ID    `json:"twin"`
	Proof    `bson:",inline"`
	Protocol string         `json:"protocol,omitempty"` // "" = mqtt
	Location *twin.Location `json:"location,omitempty"` // where the device is, as far as known

	// SealedFor has, by gateway, the device's secret sealed to that gateway's public key. Gateways that ask for one (they have
	// a PublicKey) are not chosen without, for devices that show a secret.
	SealedFor map[string]string `json:"sealedFor,omitempty"`
}

// Assignment is the place a device has.
type Assignment struct {
	Ref     device.Ref `json:"ref" bson:"_id"`
	Twin    twin.ID    `json:"twin" bson:"twin"`
	Gateway string     `json:"gateway" bson:"gateway"`
	URL     string     `json:"url" bson:"url"`
	Reason  string     `json:"reason" bson:"reason"` // why this gateway
	Proof   `bson:",inline"`

	// Alternatives are what the device may dial, its own gateway first, should that one not answer. Not in lists.
	Alternatives []string `json:"alternatives,omitempty" bson:"-"`

	// Leaving is the gateway that lets the device in as well until it has arrived at Gateway; "" = it does not move.
	Leaving string `json:"leaving,omitempty" bson:"left,omitempty"`

	// Suspended is set while the device's twin is suspended or retired: its place is kept, and it is not let in.
	Suspended bool `json:"suspended,omitempty" bson:"suspended,omitempty"`

	// Lost is why the gateway cannot let the device in although it should, "" if it can: "must be re-issued".
	Lost string `json:"lost,omitempty" bson:"lost,omitempty"`

	// Revision is that of the gateway's bucket; Applied is set once the gateway has written back that it has it.
	Revision uint64    `json:"revision" bson:"bucketRevision"`
	Applied  bool      `json:"applied" bson:"applied"`
	Updated  time.Time `json:"updated" bson:"updated"`
}

// ProofChange is what a device may show from now on.
type ProofChange struct {
	Proof
	SealedFor map[string]string `json:"sealedFor,omitempty"` // see Assign
}

// GatewayMove is what a device is told on castor/{ref}/gateway: it has its place elsewhere now.
type GatewayMove struct {
	URL          string   `json:"url"`
	Alternatives []string `json:"alternatives"` // URL first
	Reason       string   `json:"reason,omitempty"`
}

// Because is why people change something of a gateway, or of where a device has its place.
type Because struct {
	Reason string `json:"reason"`
}

// MoveDevice asks that a device get another place.
type MoveDevice struct {
	Gateway string `json:"gateway,omitempty"` // "" = the best of the others
	Reason  string `json:"reason"`
}

// GetGateway returns one gateway.
func (c *Client) GetGateway(ctx context.Context, id string) (out Gateway, err error) {
	return out, c.Call(ctx, "GET", "gateways", "/gateways/"+id, nil, &out)
}

// DrainGateway has all devices of a gateway get places elsewhere, and none come.
func (c *Client) DrainGateway(ctx context.Context, id, reason string) (out Gateway, err error) {
	return out, c.Call(ctx, "POST", "gateways", "/gateways/"+id+"/drain", Because{reason}, &out)
}

// ResumeGateway ends what DrainGateway began; devices that have left stay where they are.
func (c *Client) ResumeGateway(ctx context.Context, id string) (out Gateway, err error) {
	return out, c.Call(ctx, "POST", "gateways", "/gateways/"+id+"/resume", nil, &out)
}

// DeleteGateway forgets a gateway that is not heard of any more. It is refused with ErrConflict while it has devices.
func (c *Client) DeleteGateway(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "gateways", "/gateways/"+id, nil, nil)
}

// AssignmentQuery selects assignments; zero fields select nothing out.
type AssignmentQuery struct {
	Gateway string // where the device has its place
	Limit   int    // 0 = 100, at most 1,000
	Cursor  string
}

// ListAssignments pages through the places of devices.
func (c *Client) ListAssignments(ctx context.Context, q AssignmentQuery) (out Page[Assignment], err error) {
	return out, c.Call(ctx, "GET", "gateways", "/assignments"+query("gateway", q.Gateway, "limit", positive(q.Limit), "cursor", q.Cursor), nil, &out)
}

// MoveAssignment gives a device a place elsewhere. Both gateways let it in until it has arrived.
func (c *Client) MoveAssignment(ctx context.Context, ref device.Ref, in MoveDevice) (out Assignment, err error) {
	return out, c.Call(ctx, "POST", "gateways", "/assignments/"+string(ref)+"/move", in, &out)
}

// ChangeProof tells what a device may show from now on. Applied of what it returns turns true when the gateway knows.
func (c *Client) ChangeProof(ctx context.Context, ref device.Ref, in ProofChange) (out Assignment, err error) {
	return out, c.Call(ctx, "PUT", "gateways", "/assignments/"+string(ref)+"/proof", in, &out)
}
