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
	Protocol string `json:"protocol" bson:"protocol"` // mqtt, grpc, http
	URL      string `json:"url" bson:"url"`           // what devices dial: "tls://host:8883"
	Region   string `json:"region,omitempty" bson:"region,omitempty"`
	Capacity int64  `json:"capacity" bson:"capacity"` // devices; 0 = 10,000
	Devices  int64  `json:"devices" bson:"devices"`   // that have their places there

	// Leaving are devices whose places are elsewhere already, and which may still come in here until they have arrived there. They
	// are not among Devices.
	Leaving int64 `json:"leaving,omitempty" bson:"-"`

	// Location is where it stands, for the distance to devices; nil if not known. Its region counts where Region is empty.
	Location *twin.Location `json:"location,omitempty" bson:"location,omitempty"`

	// Kinds are the kinds of credentials its devices may show; none = all.
	Kinds []device.Kind `json:"kinds,omitempty" bson:"kinds,omitempty"`

	// PublicKey is what devices' secrets are sealed to for a gateway that cannot do with verifiers: base64 of the 32 bytes of
	// an X25519 key (package seal). "" = it takes verifiers.
	PublicKey string `json:"publicKey,omitempty" bson:"publicKey,omitempty"`

	// Contract is how it is told who may come in: "door" (a gateway of the platform's own), "mosquitto" or "http"; "" = door.
	Contract string `json:"contract,omitempty" bson:"contract,omitempty"`

	// Sessions is how many devices are connected, in all replicas together. Replica names the one that reports its own number.
	Sessions int64  `json:"sessions" bson:"sessions,omitempty"`
	Replica  string `json:"replica,omitempty" bson:"-"`

	// Draining is set while its devices are given places elsewhere and none come; Reason is why.
	Draining bool   `json:"draining,omitempty" bson:"draining,omitempty"`
	Reason   string `json:"reason,omitempty" bson:"reason,omitempty"`

	// Stuck is why devices stay though it is being drained, or dead: no other gateway can take them. "" = none has to.
	Stuck string `json:"stuck,omitempty" bson:"stuck,omitempty"`

	// Keeper is the service account that may speak for a gateway of somebody else's; "" = the platform's connectors alone.
	Keeper string `json:"keeper,omitempty" bson:"keeper,omitempty"`

	Seen time.Time `json:"seen,omitzero" bson:"seen,omitempty"` // last heartbeat
	Dead bool      `json:"dead,omitempty" bson:"-"`             // no heartbeat for 45 s: its devices are given places elsewhere
}

// Admission is what a gateway must know of one client, in its key-value bucket: never a secret that it could read with what
// it has from the bus alone. The key is "client." and the claim's id or the device reference.
type Admission struct {
	Client string `json:"client"` // id of a claim; device reference, which is the name in a device's certificate
	Phase  string `json:"phase"`  // provisioning or operational; suspended = not let in, but its secret is kept where nobody else has it

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

	// Topics are those of a device whose firmware uses its own; its MQTT client id may be any, its user name finds it. nil = the
	// platform's.
	Topics *Topics `json:"topics,omitempty"`

	// Sealed is the secret, sealed to the gateway's public key, for a gateway that can compare plain secrets only.
	Sealed string `json:"sealed,omitempty"`
}

// Suspended tells whether the client is shut out for a while.
func (a Admission) Suspended() bool { return a.Phase == string(twin.Suspended) }

// AdmissionKey is the key of a client in a gateway's bucket.
func AdmissionKey(client string) string { return "client." + client }

// FilledKey is the key that a gateway's bucket has once everything that belongs into it has been put there. A bucket without it
// is new, or was lost and is being filled.
const FilledKey = "filled"

// BucketOf names the key-value bucket of a gateway.
func BucketOf(gateway string) string { return "gateway_" + gateway }

// PeersOf is the name by which a gateway's replicas find each other on the bus.
func PeersOf(gateway string) string { return "gateway-" + gateway }

// GatewayApplied is the data of event gateway.applied: the gateway has taken over this change of a client.
type GatewayApplied struct {
	Gateway  string `json:"gateway"`
	Client   string `json:"client"`
	Revision uint64 `json:"revision"` // of the bucket's entry
	Removed  bool   `json:"removed,omitempty"`

	// Lost is why the gateway cannot let the client in, though it has taken over the change: it no longer has a secret that it
	// would have to know. "" if it can.
	Lost string `json:"lost,omitempty"`
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

// FindEntrances asks at which provisioning gateways devices are to come in.
type FindEntrances struct {
	Location *twin.Location `json:"location,omitempty"` // where the devices are, as far as known
	Gateway  string         `json:"gateway,omitempty"`  // the id of one that people insist on
	Prefer   []string       `json:"prefer,omitempty"`   // addresses that come first among equally near ones
}

// An Entrance is the provisioning gateway of one protocol at which devices are to come in.
type Entrance struct {
	Protocol     string   `json:"protocol"`
	Gateway      string   `json:"gateway"`
	URL          string   `json:"url"`
	Reason       string   `json:"reason"`                 // why this one
	Named        bool     `json:"named,omitempty"`        // people insisted on it
	Alternatives []string `json:"alternatives,omitempty"` // addresses of others of the protocol, the nearest first
}

// FindEntrances returns the best provisioning gateway of each protocol that is alive and has room.
func (c *Client) FindEntrances(ctx context.Context, in FindEntrances) (out []Entrance, err error) {
	return out, c.Call(ctx, "POST", "gateways", "/gateways/find", in, &out)
}

// AdmitClaim lets a claim in at every provisioning gateway.
func (c *Client) AdmitClaim(ctx context.Context, in Admission) error {
	return c.Call(ctx, "PUT", "gateways", "/claims/"+in.Client, in, nil)
}

// DismissClaim takes a claim from every provisioning gateway; its sessions are cut off.
func (c *Client) DismissClaim(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "gateways", "/claims/"+id, nil, nil)
}
