package api

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// CredentialChanged is the data of event credential.changed.
type CredentialChanged struct {
	Ref  device.Ref `json:"ref"`
	Twin twin.ID    `json:"twin"`
}

// NewCredential asks for a device's credential. The same twin, kind and key get the same one again, until it is delivered
// and erased.
type NewCredential struct {
	Twin twin.ID     `json:"twin"`
	Run  string      `json:"run"`            // for whom: it can be withdrawn by it; a run that has withdrawn gets none any more
	Kind device.Kind `json:"kind,omitempty"` // "" = certificate

	CSR       string `json:"csr,omitempty"`       // PEM; for a certificate
	PublicKey string `json:"publicKey,omitempty"` // base64 of 32 bytes of X25519; what the platform makes is sealed to it
	Username  string `json:"username,omitempty"`  // of kind password; "" = the reference
	Protocol  string `json:"protocol,omitempty"`  // that it will speak; "" = mqtt. Gateways of others get no secret of it

	// Via and Name are of kind relayed: the device that speaks for it, and what that one calls it. The reference is device.RelayedRef.
	Via  device.Ref `json:"via,omitempty"`
	Name string     `json:"name,omitempty"`

	// Topics are of a device whose firmware uses topics of its own; nil = the platform's.
	Topics *Topics `json:"topics,omitempty"`
}

// Credential is what a device proves itself by, and the reference under which gateways know it.
type Credential struct {
	Ref      device.Ref  `json:"ref"`
	Twin     twin.ID     `json:"twin"`
	Kind     device.Kind `json:"kind"`
	Username string      `json:"username,omitempty"`

	Certificate string `json:"certificate,omitempty"` // PEM
	Fingerprint string `json:"fingerprint,omitempty"` // SHA-256 of the certificate, hexadecimal

	Sealed   string `json:"sealed,omitempty"`   // Secret, sealed to the device's public key
	Verifier string `json:"verifier,omitempty"` // device.Verifier of the secret

	Via    device.Ref `json:"via,omitempty"` // of kind relayed: who speaks for it
	Name   string     `json:"name,omitempty"`
	Topics *Topics    `json:"topics,omitempty"`

	// SealedFor has the secret by gateway, sealed to the public keys of those that can compare plain secrets only.
	SealedFor map[string]string `json:"sealedFor,omitempty"`

	Generation int64     `json:"generation"`       // of the mapping
	Version    int64     `json:"version"`          // counts the changes of what may be shown, over all generations
	Expires    time.Time `json:"expires,omitzero"` // the zero time = never
}

// Proof is what gateways must know of the credential.
func (c *Credential) Proof() Proof {
	p := Proof{Version: c.Version, Kind: c.Kind, Username: c.Username, Topics: c.Topics}
	if c.Kind.Secret() {
		p.Verifiers, p.Expires = []string{c.Verifier}, c.Expires
	} else {
		p.Fingerprints = []string{c.Fingerprint}
	}
	return p
}

// Secret is what Sealed opens to, by HPKE with SealInfo of the reference: JSON.
type Secret struct {
	Kind     device.Kind `json:"kind"`
	Ref      device.Ref  `json:"ref"`
	Username string      `json:"username,omitempty"` // of kind password

	// Secret is what the device shows: "<ref>.<secret>" for a token and an API key, the password as it is.
	Secret string `json:"secret"`
}

// SealInfo binds a sealed secret to the reference it is for.
func SealInfo(ref device.Ref) string { return "castor credential " + string(ref) }

// CredentialFact is what people may know of a credential that a twin's device has, or had.
type CredentialFact struct {
	Ref         device.Ref  `json:"ref" bson:"ref"`
	Twin        twin.ID     `json:"twin" bson:"twin"`
	Kind        device.Kind `json:"kind" bson:"kind"`
	Username    string      `json:"username,omitempty" bson:"username,omitempty"`
	Fingerprint string      `json:"fingerprint,omitempty" bson:"fingerprint,omitempty"`
	Generation  int64       `json:"generation" bson:"generation"`

	// State is pending (the device has not confirmed it yet), active, or ended.
	State string `json:"state" bson:"state"`

	// Via speaks for a device of kind relayed, and calls it Name; ViaTwin is that one's twin.
	Via     device.Ref `json:"via,omitempty" bson:"via,omitempty"`
	ViaTwin twin.ID    `json:"viaTwin,omitempty" bson:"viaTwin,omitempty"`
	Name    string     `json:"name,omitempty" bson:"name,omitempty"`

	// Topics are of firmware that uses topics of its own; nil = the platform's. Protocol is what the device speaks; "" = mqtt.
	Topics   *Topics `json:"topics,omitempty" bson:"topics,omitempty"`
	Protocol string  `json:"protocol,omitempty" bson:"protocol,omitempty"`

	Issued    time.Time `json:"issued" bson:"issued"`
	Confirmed time.Time `json:"confirmed,omitzero" bson:"confirmed,omitempty"`
	Expires   time.Time `json:"expires,omitzero" bson:"expires,omitempty"` // the zero time = never

	// Ended is when it was revoked, renewed or withdrawn, or the device moved to who speaks for it from then on; Reason says why, By who did it.
	Ended  time.Time `json:"ended,omitzero" bson:"ended,omitempty"`
	Reason string    `json:"reason,omitempty" bson:"reason,omitempty"`
	By     string    `json:"by,omitempty" bson:"by,omitempty"`
}

// SpeaksAlone refuses a device without topics of its own that is to speak for others, unless it speaks HTTP: by the platform's topics and
// calls each device says what it says of itself. Others are spoken for on topics that name them, and by webhooks.
func SpeaksAlone(t twin.ID, protocol string) error {
	if protocol == "http" {
		return nil
	}
	return Invalid("via: %s speaks %s as the platform does, and so for itself alone; name a bridge with topics of its own (castor run start --bridge), or an integration whose webhooks come over HTTP (castor run start --protocol http --kind token)",
		t, cmp.Or(protocol, "mqtt"))
}

// The states of a credential.
const (
	CredentialPending = "pending"
	CredentialActive  = "active"
	CredentialEnded   = "ended"
)

// MoveRelayed has another device speak for a relayed one, or the same by another name. What is left out stays.
type MoveRelayed struct {
	Via  twin.ID `json:"via,omitempty"`  // the twin of who speaks for it from now on
	Name string  `json:"name,omitempty"` // what that one calls it
}

// Renewal asks for a credential in place of one that will expire. Both are good until the device has confirmed the new one.
// The payload of castor/{ref}/credential/renew is this.
type Renewal struct {
	CSR       string `json:"csr,omitempty"`
	PublicKey string `json:"publicKey,omitempty"`
}

// RenewAnswer is what a device gets for its Renewal, on castor/{ref}/credential/renewed: the new credential, or why there is none.
type RenewAnswer struct {
	Ref         device.Ref  `json:"ref,omitempty"`
	Kind        device.Kind `json:"kind,omitempty"`
	Username    string      `json:"username,omitempty"`
	Certificate string      `json:"certificate,omitempty"`
	Sealed      string      `json:"sealed,omitempty"`
	Expires     time.Time   `json:"expires,omitzero"`
	Reason      string      `json:"reason,omitempty"` // set alone

	// Status and RetryAfter, in seconds, are what a Problem would say beside the reason, for protocols that have words for them.
	Status     int `json:"-"`
	RetryAfter int `json:"-"`
}

// Shown is what a device has shown at its gateway when it confirms: one of the two.
type Shown struct {
	Fingerprint string `json:"fingerprint,omitempty"`
	Verifier    string `json:"verifier,omitempty"`
}

// Mapping is what the credential mapper knows of a device reference (paper 4.4.1). It holds no credential.
type Mapping struct {
	Ref  device.Ref  `json:"ref"`
	Twin twin.ID     `json:"twin"`
	Type twin.TypeID `json:"type"`

	// Generation grows whenever a reference is mapped to the twin anew.
	Generation int64 `json:"generation"`

	// Pending is set until the device has confirmed its credential: the first session with it is the confirmation of one that
	// cannot say so.
	Pending bool `json:"pending,omitempty"`
}

// Resolve asks for the mappings of many references at once; those that have none are left out of the answer.
type Resolve struct {
	Refs []device.Ref `json:"refs"`
}

// IssueCredential makes a device's credential and maps its reference to the twin.
func (c *Client) IssueCredential(ctx context.Context, in NewCredential) (out Credential, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/credentials", in, &out)
}

// EraseCredential erases what was kept of a credential for its delivery, because the device has it; mapping and verifier stay.
func (c *Client) EraseCredential(ctx context.Context, ref device.Ref) error {
	return c.Call(ctx, "POST", "credentials", "/credentials/"+string(ref)+"/erase", nil, nil)
}

// WithdrawCredential removes the credential and the mapping that a twin got by a run, if it has them; the device is nobody
// from then on.
func (c *Client) WithdrawCredential(ctx context.Context, id twin.ID, run string) error {
	return c.Call(ctx, "DELETE", "credentials", "/credentials"+query("twin", string(id), "run", run), nil, nil)
}

// ListCredentials lists what a twin's device proves itself by, the newest first, and the last that have ended.
func (c *Client) ListCredentials(ctx context.Context, id twin.ID) (out Page[CredentialFact], err error) {
	return out, c.Call(ctx, "GET", "credentials", "/credentials"+query("twin", string(id)), nil, &out)
}

// ListRelayed pages through the credentials of the devices that a twin's device speaks for.
func (c *Client) ListRelayed(ctx context.Context, via twin.ID, cursor string) (out Page[CredentialFact], err error) {
	return out, c.Call(ctx, "GET", "credentials", "/relayed"+query("via", string(via), "cursor", cursor), nil, &out)
}

// MoveRelayed has another device speak for a twin's, or the same by another name; twin, history and run stay.
func (c *Client) MoveRelayed(ctx context.Context, id twin.ID, in MoveRelayed) (out CredentialFact, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/relayed/"+url.PathEscape(string(id))+"/move", in, &out)
}

// Username returns the credential that devices log in with by a user name.
func (c *Client) Username(ctx context.Context, name string) (out CredentialFact, err error) {
	return out, c.Call(ctx, "GET", "credentials", "/usernames/"+url.PathEscape(name), nil, &out)
}

// RenewCredential makes a new credential beside the one that a device has. The same key gets the same one again.
func (c *Client) RenewCredential(ctx context.Context, ref device.Ref, in Renewal) (out RenewAnswer, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/credentials/"+string(ref)+"/renew", in, &out)
}

// ConfirmCredential tells what a device has shown: that one stays, and those before it end.
func (c *Client) ConfirmCredential(ctx context.Context, ref device.Ref, in Shown) error {
	return c.Call(ctx, "POST", "credentials", "/credentials/"+string(ref)+"/confirm", in, nil)
}

// RevokeCredential ends a device's credential; the device is cut off and refused until it is provisioned anew.
func (c *Client) RevokeCredential(ctx context.Context, ref device.Ref, reason string) error {
	return c.Call(ctx, "POST", "credentials", "/credentials/"+string(ref)+"/revoke", Because{reason}, nil)
}

// Resolve maps device references to twins.
func (c *Client) Resolve(ctx context.Context, refs []device.Ref) (out []Mapping, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/resolve", Resolve{refs}, &out)
}

// CA is the platform's CA certificate, PEM.
func (c *Client) CA(ctx context.Context) (string, error) {
	var out Raw
	err := c.Call(ctx, "GET", "credentials", "/ca", nil, &out)
	return string(out.Body), err
}

// Revoked returns the list of certificates that have ended before they expired, PEM.
func (c *Client) Revoked(ctx context.Context) ([]byte, error) {
	var out Raw
	err := c.Call(ctx, "GET", "credentials", "/revoked", nil, &out)
	return out.Body, err
}
