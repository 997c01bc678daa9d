package api

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Gateway is one IoT gateway as its manager knows it (paper 4.4.4).
type Gateway struct {
	ID       string `json:"id" bson:"_id"`
	Phase    string `json:"phase" bson:"phase"`       // provisioning or operational
	Protocol string `json:"protocol" bson:"protocol"` // mqtt
	URL      string `json:"url" bson:"url"`           // what devices dial: "tls://host:8883"
	Region   string `json:"region,omitempty" bson:"region,omitempty"`
	Capacity int64  `json:"capacity" bson:"capacity"` // devices; 0 = 10,000
	Devices  int64  `json:"devices" bson:"devices"`   // assigned now

	Seen time.Time `json:"seen,omitzero" bson:"seen,omitempty"` // last heartbeat; it is healthy for 60 s
}

// Admission is what a gateway must know of one client, in its key-value bucket: never a secret that it could read with what
// it has from the bus alone. The key is "client." and the claim's id or the device reference.
type Admission struct {
	Client string `json:"client"` // id of a claim; device reference, which is the name in a device's certificate
	Phase  string `json:"phase"`  // provisioning or operational

	// Kind is what the client shows; "" = a claim's token.
	Kind device.Kind `json:"kind,omitempty"`

	// Username is what a client of kind password shows besides; "" = Client.
	Username string `json:"username,omitempty"`

	// Fingerprints are the SHA-256 of the certificates that let the client in; Verifiers those of its secrets: the SHA-256 of a
	// claim's token, device.Verifier of a device's secret. All hexadecimal, the newest last; while one is being renewed there
	// are two.
	Fingerprints []string `json:"fingerprints,omitempty"`
	Verifiers    []string `json:"verifiers,omitempty"`

	// Type is the type whose provisioning topics a claim may use.
	Type twin.TypeID `json:"type,omitempty"`

	// Expires is when it ends by itself; the zero time if never.
	Expires time.Time `json:"expires,omitzero"`

	// Sealed is the secret, sealed to the gateway's public key, for a gateway that can compare plain secrets only.
	Sealed string `json:"sealed,omitempty"`
}

// AdmissionKey is the key of a client in a gateway's bucket.
func AdmissionKey(client string) string { return "client." + client }

// FilledKey is the key that a gateway's bucket has once everything that belongs into it has been put there. A bucket without it
// is new, or was lost and is being filled.
const FilledKey = "filled"

// BucketOf names the key-value bucket of a gateway.
func BucketOf(gateway string) string { return "gateway_" + gateway }

// GatewayApplied is the data of event gateway.applied: the gateway has taken over this change of a client.
type GatewayApplied struct {
	Gateway  string `json:"gateway"`
	Client   string `json:"client"`
	Revision uint64 `json:"revision"` // of the bucket's entry
	Removed  bool   `json:"removed,omitempty"`
}

// Assign asks for a place at an operational gateway.
type Assign struct {
	Ref         device.Ref     `json:"ref"`
	Twin        twin.ID        `json:"twin"`
	Fingerprint string         `json:"fingerprint"`
	Protocol    string         `json:"protocol,omitempty"` // "" = mqtt
	Location    *twin.Location `json:"location,omitempty"`
}

// Assignment is the place a device has.
type Assignment struct {
	Ref         device.Ref `json:"ref" bson:"_id"`
	Twin        twin.ID    `json:"twin" bson:"twin"`
	Gateway     string     `json:"gateway" bson:"gateway"`
	URL         string     `json:"url" bson:"url"`
	Reason      string     `json:"reason" bson:"reason"` // why this gateway
	Fingerprint string     `json:"fingerprint" bson:"fingerprint"`

	// Revision is that of the gateway's bucket; Applied is set once the gateway has written back that it has it.
	Revision uint64    `json:"revision" bson:"bucketRevision"`
	Applied  bool      `json:"applied" bson:"applied"`
	Updated  time.Time `json:"updated" bson:"updated"`
}

// PutGateway makes a gateway known, or tells that it is alive.
func (c *Client) PutGateway(ctx context.Context, in Gateway) (out Gateway, err error) {
	return out, c.Call(ctx, "PUT", "gateways", "/gateways/"+in.ID, in, &out)
}

// ListGateways lists the gateways; phase "" = all.
func (c *Client) ListGateways(ctx context.Context, phase string) (out Page[Gateway], err error) {
	return out, c.Call(ctx, "GET", "gateways", "/gateways"+query("phase", phase), nil, &out)
}

// FindAssignments returns where devices have their places; those that have none are left out.
func (c *Client) FindAssignments(ctx context.Context, refs []device.Ref) (out []Assignment, err error) {
	return out, c.Call(ctx, "POST", "gateways", "/assignments/find", Resolve{refs}, &out)
}

// AssignGateway gives a device a place; asking again for the same reference and fingerprint gives the same place.
func (c *Client) AssignGateway(ctx context.Context, in Assign) (out Assignment, err error) {
	return out, c.Call(ctx, "PUT", "gateways", "/assignments/"+string(in.Ref), in, &out)
}

// GetAssignment returns where a device has its place.
func (c *Client) GetAssignment(ctx context.Context, ref device.Ref) (out Assignment, err error) {
	return out, c.Call(ctx, "GET", "gateways", "/assignments/"+string(ref), nil, &out)
}

// RemoveAssignment takes a device's place away; it is disconnected.
func (c *Client) RemoveAssignment(ctx context.Context, ref device.Ref) error {
	return c.Call(ctx, "DELETE", "gateways", "/assignments/"+string(ref), nil, nil)
}

// AdmitClaim lets a claim in at every provisioning gateway.
func (c *Client) AdmitClaim(ctx context.Context, in Admission) error {
	return c.Call(ctx, "PUT", "gateways", "/claims/"+in.Client, in, nil)
}

// DismissClaim takes a claim from every provisioning gateway; its sessions are cut off.
func (c *Client) DismissClaim(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "gateways", "/claims/"+id, nil, nil)
}
