package api

import (
	"context"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// NewRun begins the provisioning of a device that cannot ask: people carry what it needs to it.
type NewRun struct {
	Type      twin.TypeID    `json:"type"`
	Owner     string         `json:"owner"`
	Serial    string         `json:"serial,omitempty"` // if it is known yet; else a step asks for it
	MAC       string         `json:"mac,omitempty"`
	Model     string         `json:"model,omitempty"` // the maker's name of the device's model
	Location  *twin.Location `json:"location,omitempty"`
	PublicKey string         `json:"publicKey,omitempty"` // X25519, base64: the installer's page opens what is sealed to it; required where the model has a credential made
	Protocol  string         `json:"protocol,omitempty"`
	Kind      string         `json:"kind,omitempty"` // of credential; with Via it is relayed

	// Via is the twin of the bridge, or of the network server's integration, that speaks for a device that shows nothing itself. Name is
	// what that one calls it, or what its own topics do where its firmware has such; "" = the serial.
	Via  twin.ID `json:"via,omitempty"`
	Name string  `json:"name,omitempty"`

	// Bridge tells that the device speaks for others, by topics of its type's driver that hold their names. Username is what it will
	// log in with, of kind password; "" = its reference.
	Bridge   bool   `json:"bridge,omitempty"`
	Username string `json:"username,omitempty"`

	Reason string `json:"reason,omitempty"`

	// Provisioning names the provisioning model, for configurators who may change the type, or where it belongs to nobody; "" = the type's.
	Provisioning string `json:"provisioning,omitempty"`
}

// Decide is what people decide about what a run asks.
type Decide struct {
	Trigger provision.Trigger `json:"trigger"`         // approved, declined or confirmed
	State   string            `json:"state,omitempty"` // that was decided about: the run must be there still
	Reason  string            `json:"reason,omitempty"`

	Serial    string `json:"serial,omitempty"`    // where the step asks for it
	MAC       string `json:"mac,omitempty"`       // likewise
	PublicKey string `json:"publicKey,omitempty"` // of the installer's page, in case it is another one than the run began with
}

// BoardState is how many open runs are in one state of one model.
type BoardState struct {
	Model            string      `json:"model"`
	Version          int64       `json:"version"`
	Type             twin.TypeID `json:"type"`
	State            string      `json:"state"`
	Title            string      `json:"title"`
	Count            int         `json:"count"`
	WaitingForPeople int         `json:"waitingForPeople"`
}

// Board is all open runs that the caller may see, by state.
type Board struct {
	Items []BoardState `json:"items"`
	More  bool         `json:"more,omitempty"` // there are more open runs than were counted
}

// Replacement says that another device takes over a twin: history and configuration stay, the old device is refused.
type Replacement struct {
	Twin   twin.ID `json:"twin"`
	Serial string  `json:"serial"` // of the new device
	MAC    string  `json:"mac,omitempty"`
	Model  string  `json:"model,omitempty"`
	Maker  string  `json:"maker,omitempty"`
	Reason string  `json:"reason"`
}

// StartRun begins a run for a device that cannot ask.
func (c *Client) StartRun(ctx context.Context, in NewRun) (out provision.Run, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/runs", in, &out)
}

// DecideRun tells a run what people have decided.
func (c *Client) DecideRun(ctx context.Context, id string, in Decide) (out provision.Run, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/runs/"+id+"/decisions", in, &out)
}

// RunBoard counts the open runs that the caller may see, by state.
func (c *Client) RunBoard(ctx context.Context) (out Board, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/runs/board", nil, &out)
}

// RunBundle returns what the device of a run needs to go operational, its secret sealed to the installer's page.
func (c *Client) RunBundle(ctx context.Context, id string) (out Bundle, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/runs/"+id+"/bundle", nil, &out)
}

// ReplaceDevice lets a new device take over a twin, and ends what the old one had.
func (c *Client) ReplaceDevice(ctx context.Context, in Replacement) (out provision.Run, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/replacements", in, &out)
}
