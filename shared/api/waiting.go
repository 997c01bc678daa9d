package api

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// A Knock is what a device says of itself that has shown nothing to its provisioning gateway: no claim, no credential.
type Knock struct {
	Gateway string `json:"gateway"`
	Client  string `json:"client"`            // where the answer goes
	Address string `json:"address,omitempty"` // that its connection comes from

	Serial       string            `json:"serial"`
	MAC          string            `json:"mac,omitempty"`
	Model        string            `json:"model,omitempty"`
	Maker        string            `json:"maker,omitempty"`
	Facts        map[string]string `json:"facts,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"` // what it can do or measure, in its own words: "cpu.percent"

	// One of them is the key by which it is known again: a certificate request in PEM, or an X25519 key in base64.
	CSR       string `json:"csr,omitempty"`
	PublicKey string `json:"publicKey,omitempty"`

	Protocol string `json:"protocol,omitempty"` // that it will speak: mqtt, grpc, http; "" = mqtt
	Kind     string `json:"kind,omitempty"`     // of the credential that it wants; "" = certificate
}

// The states of a waiting device.
const (
	WaitingNow      = "waiting"
	WaitingAdmitted = "admitted" // it comes in as soon as it knocks again
	WaitingBanned   = "banned"   // it is refused, and nothing is kept of its knocks
)

// A Waiting is an unknown device that has knocked at a provisioning gateway, or has asked with a good claim but a serial that
// nobody registered.
type Waiting struct {
	ID    string `json:"id" bson:"_id"` // SHA-256 of the device's key, the first 24 hexadecimal digits
	State string `json:"state" bson:"state"`

	Gateway      string            `json:"gateway" bson:"gateway"`
	Client       string            `json:"client" bson:"client"`
	Address      string            `json:"address,omitempty" bson:"address,omitempty"`
	Serial       string            `json:"serial" bson:"serial"`
	MAC          string            `json:"mac,omitempty" bson:"mac,omitempty"`
	Model        string            `json:"model,omitempty" bson:"model,omitempty"`
	Maker        string            `json:"maker,omitempty" bson:"maker,omitempty"`
	Facts        map[string]string `json:"facts,omitempty" bson:"facts,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty" bson:"capabilities,omitempty"`
	Protocol     string            `json:"protocol,omitempty" bson:"protocol,omitempty"`

	// Guess is of which type it may be, the likeliest first.
	Guess []Guess `json:"guess,omitempty" bson:"guess,omitempty"`

	Count int64     `json:"count" bson:"count"` // knocks that were noted; what comes too fast is not
	First time.Time `json:"first" bson:"first"`
	Last  time.Time `json:"last" bson:"last"`

	// By is who admitted or banned it, Reason why; Type, Owner and Location are what it was admitted as.
	By       string         `json:"by,omitempty" bson:"by,omitempty"`
	Reason   string         `json:"reason,omitempty" bson:"reason,omitempty"`
	At       time.Time      `json:"at,omitzero" bson:"at,omitempty"`
	Type     twin.TypeID    `json:"type,omitempty" bson:"type,omitempty"`
	Owner    string         `json:"owner,omitempty" bson:"owner,omitempty"`
	Location *twin.Location `json:"location,omitempty" bson:"location,omitempty"`

	Claim string `json:"claim,omitempty" bson:"claim,omitempty"` // it asked with, or that its admission made
	Run   string `json:"run,omitempty" bson:"run,omitempty"`     // that waits for it, or that it became
}

// A Guess is a type that a waiting device may be of.
type Guess struct {
	Type  twin.TypeID `json:"type" bson:"type"`
	Why   string      `json:"why" bson:"why"`     // in words
	Score float64     `json:"score" bson:"score"` // 0 to 1
}

// WaitingChanged is the data of event provision.waiting: a device has begun to wait, or people have decided about it.
type WaitingChanged struct {
	ID     string        `json:"id"`
	State  string        `json:"state"` // "" = it is gone from the list
	Serial string        `json:"serial,omitempty"`
	Model  string        `json:"model,omitempty"`
	Guess  twin.TypeID   `json:"guess,omitempty"` // the likeliest
	Last   time.Time     `json:"last"`
	Counts WaitingCounts `json:"counts"`
}

// WaitingCounts is how many devices are in each state, some seconds old.
type WaitingCounts struct {
	Waiting  int `json:"waiting"`
	Admitted int `json:"admitted"`
	Banned   int `json:"banned"`
}

// WaitingPage is one page of the waiting list.
type WaitingPage struct {
	Items  []Waiting     `json:"items"`
	Next   string        `json:"next,omitempty"`
	Counts WaitingCounts `json:"counts"`
}

// WaitingQuery selects waiting devices; zero fields select nothing out.
type WaitingQuery struct {
	State  string // waiting, admitted or banned
	Limit  int    // 0 = 100, at most 1,000
	Cursor string
}

// WaitingFilter says which of the devices that wait are meant.
type WaitingFilter struct {
	Model   string      `json:"model,omitempty"`
	Maker   string      `json:"maker,omitempty"`
	Gateway string      `json:"gateway,omitempty"`
	Guess   twin.TypeID `json:"guess,omitempty"`  // the likeliest type is this one
	Before  time.Time   `json:"before,omitzero"`  // first seen before: what nobody has looked at yet is left out
	Serial  string      `json:"serial,omitempty"` // a pattern like "P-*"
}

// Admit lets waiting devices in: as devices of a type, for a group.
type Admit struct {
	IDs []string       `json:"ids,omitempty"` // at most 500
	All *WaitingFilter `json:"all,omitempty"` // in place of ids: 500 at a time, see Admitted.More

	// Serials is what the caller was shown, by id: a device that has another serial by now is not admitted. It may be left out.
	Serials map[string]string `json:"serials,omitempty"`

	Type     twin.TypeID    `json:"type,omitempty"` // "" = each device's likeliest
	Owner    string         `json:"owner"`
	Location *twin.Location `json:"location,omitempty"`
	Register bool           `json:"register"` // make the devices' identities known; else they must be by the time they knock again
	Reason   string         `json:"reason,omitempty"`
}

// Ban refuses waiting devices, by their keys, until they are unbanned.
type Ban struct {
	IDs    []string       `json:"ids,omitempty"`
	All    *WaitingFilter `json:"all,omitempty"`
	Reason string         `json:"reason,omitempty"`
}

// Decided tells what became of many waiting devices.
type Decided struct {
	Done   int            `json:"done"`
	Faults []WaitingFault `json:"faults,omitempty"`
	More   bool           `json:"more,omitempty"` // there are more that the filter meant: ask again
}

// WaitingFault says why a device was not admitted or banned.
type WaitingFault struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Knock brings the knock of an unknown device to the waiting list.
func (c *Client) Knock(ctx context.Context, in Knock) (out ProvisionAnswer, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/knocks", in, &out)
}

// ListWaiting pages through the waiting list, those seen last first.
func (c *Client) ListWaiting(ctx context.Context, q WaitingQuery) (out WaitingPage, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/waiting"+query("state", q.State, "limit", positive(q.Limit), "cursor", q.Cursor), nil, &out)
}

// GetWaiting returns a waiting device.
func (c *Client) GetWaiting(ctx context.Context, id string) (out Waiting, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/waiting/"+id, nil, &out)
}

// AdmitWaiting lets waiting devices in.
func (c *Client) AdmitWaiting(ctx context.Context, in Admit) (out Decided, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/waiting/admit", in, &out)
}

// BanWaiting refuses waiting devices.
func (c *Client) BanWaiting(ctx context.Context, in Ban) (out Decided, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/waiting/ban", in, &out)
}

// UnbanWaiting lets banned devices, and those that were admitted and have not come yet, wait again.
func (c *Client) UnbanWaiting(ctx context.Context, in Ban) (out Decided, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/waiting/unban", in, &out)
}

// ForgetWaiting takes a device from the list; should it knock again, it waits again.
func (c *Client) ForgetWaiting(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "twin-provision", "/waiting/"+id, nil, nil)
}
