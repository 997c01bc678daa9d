package api

import (
	"context"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// NewDecommission asks that a twin's device lose its access everywhere, and that the twin be deleted then.
type NewDecommission struct {
	Data   string `json:"data,omitempty"` // archive or erase; "" = as the type says
	Reason string `json:"reason"`

	// WithDevices has all devices go along that this one speaks for: nobody could reach them without it. Who speaks for devices is not
	// decommissioned otherwise.
	WithDevices bool `json:"withDevices,omitempty"`
}

// A Decommission is the proof of what ended when. It is kept when everything else of the twin is gone.
type Decommission struct {
	ID    string      `json:"id" bson:"_id"` // the twin's id, '@' and when it was asked for
	Twin  twin.ID     `json:"twin" bson:"twin"`
	Type  twin.TypeID `json:"type,omitempty" bson:"type,omitempty"`
	Name  string      `json:"name,omitempty" bson:"name,omitempty"`
	Owner string      `json:"owner,omitempty" bson:"owner,omitempty"`

	By     string    `json:"by" bson:"by"`
	Reason string    `json:"reason" bson:"reason"`
	Asked  time.Time `json:"asked" bson:"asked"`
	State  string    `json:"state" bson:"state"` // access, data or done
	Waits  string    `json:"waits,omitempty" bson:"waits,omitempty"`

	// WithDevices is set when the devices that it speaks for go along; Devices is how many these were when it was asked for. Each has a
	// proof of its own, whose With is this twin's id.
	WithDevices bool    `json:"withDevices,omitempty" bson:"withDevices,omitempty"`
	Devices     int     `json:"devices,omitempty" bson:"devices,omitempty"`
	With        twin.ID `json:"with,omitempty" bson:"with,omitempty"`

	// Credentials are those that the device had, the newest first, and Places where it was let in: all have ended.
	Credentials []CredentialFact `json:"credentials,omitempty" bson:"credentials,omitempty"`
	Places      []EndedPlace     `json:"places,omitempty" bson:"places,omitempty"`

	// Data is what became of the data; Messages is how many the device had sent. Archive and SHA256 are of the file that was
	// read back and found whole, before anything was removed. Removed is when nothing was left but this.
	Data     string    `json:"data,omitempty" bson:"data,omitempty"`
	Messages int64     `json:"messages" bson:"messages"`
	Archive  string    `json:"archive,omitempty" bson:"archive,omitempty"`
	SHA256   string    `json:"sha256,omitempty" bson:"sha256,omitempty"`
	Records  int64     `json:"records,omitempty" bson:"records,omitempty"`
	Parked   int64     `json:"parked,omitempty" bson:"parked,omitempty"`
	Removed  time.Time `json:"removed,omitzero" bson:"removedAt,omitempty"`
}

// EndedPlace is a gateway that does not let a device in any more.
type EndedPlace struct {
	Ref     device.Ref `json:"ref" bson:"ref"`
	Gateway string     `json:"gateway" bson:"gateway"`
	Removed time.Time  `json:"removed" bson:"removed"`

	// Revision is that of the gateway's bucket which the gateway has written back, at Applied; 0 if it did not within a minute.
	Revision uint64    `json:"revision,omitempty" bson:"revision,omitempty"`
	Applied  time.Time `json:"applied,omitzero" bson:"applied,omitempty"`
}

// The states of a decommissioning.
const (
	DecommissionAccess = "access" // is being taken away
	DecommissionData   = "data"   // are being archived or erased
	DecommissionDone   = "done"
)

// Decommission takes a device's access away everywhere, then deletes its twin. Asked again, it goes on.
func (c *Client) Decommission(ctx context.Context, id twin.ID, in NewDecommission) (out Decommission, err error) {
	return out, c.Call(ctx, "POST", "twins", "/twins/"+url.PathEscape(string(id))+"/decommission", in, &out)
}

// GetDecommission returns the newest proof there is of a twin.
func (c *Client) GetDecommission(ctx context.Context, id twin.ID) (out Decommission, err error) {
	return out, c.Call(ctx, "GET", "twins", "/decommissions/"+url.PathEscape(string(id)), nil, &out)
}

// SuspendTwin keeps a device out until ResumeTwin; its place and its credential stay.
func (c *Client) SuspendTwin(ctx context.Context, id twin.ID, reason string) (out twin.Twin, err error) {
	return out, c.Call(ctx, "POST", "twins", "/twins/"+url.PathEscape(string(id))+"/suspend", Because{reason}, &out)
}

// ResumeTwin lets a suspended device in again.
func (c *Client) ResumeTwin(ctx context.Context, id twin.ID, reason string) (out twin.Twin, err error) {
	return out, c.Call(ctx, "POST", "twins", "/twins/"+url.PathEscape(string(id))+"/resume", Because{reason}, &out)
}
