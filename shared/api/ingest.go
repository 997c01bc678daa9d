package api

import (
	"context"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Tick asks function twin-ingest to look at twins whose time has come. Planned is the time the scheduled run was planned for.
type Tick struct {
	Planned time.Time `json:"planned"`
	Twins   []twin.ID `json:"twins"`
}

// ParkedMessage is a message that could not be decoded or had no twin, kept as it came.
type ParkedMessage struct {
	ID       string         `json:"id" bson:"_id"`
	Twin     twin.ID        `json:"twin" bson:"twin"`
	Type     twin.TypeID    `json:"type,omitempty" bson:"type,omitempty"` // of the twin; "" of what belongs to none
	Kind     telemetry.Kind `json:"kind" bson:"kind"`
	Topic    string         `json:"topic,omitempty" bson:"topic,omitempty"`
	Raw      []byte         `json:"raw" bson:"raw"`
	Reason   string         `json:"reason" bson:"reason"`
	Order    twin.Order     `json:"order" bson:"order"`
	Gateway  string         `json:"gateway,omitempty" bson:"gateway,omitempty"`
	Received time.Time      `json:"received" bson:"received"`
	Trace    string         `json:"trace,omitempty" bson:"trace,omitempty"` // of the call that brought it

	// Time, Port, Was and Driver are as in telemetry.Message; Session and Generation what it came by.
	Time   time.Time      `json:"time,omitzero" bson:"time,omitempty"`
	Port   int            `json:"port,omitempty" bson:"port,omitempty"`
	Was    telemetry.Kind `json:"was,omitempty" bson:"was,omitempty"`
	Driver string         `json:"driver,omitempty" bson:"driver,omitempty"`

	// Ref is the reference of the device, of a message that belongs to no twin; Via that of who spoke for it, if it did not itself.
	Ref device.Ref `json:"ref,omitempty" bson:"ref,omitempty"`
	Via device.Ref `json:"via,omitempty" bson:"via,omitempty"`

	Session    string `json:"-" bson:"session,omitempty"`
	Generation int64  `json:"-" bson:"generation,omitempty"`

	// Size is how many bytes Raw has, so that who counts them need not read them; 0 also of what was parked before that was kept.
	Size int `json:"-" bson:"size,omitempty"`
}

// StrayParked are parked messages that belong to no twin: of one reference or one that speaks for others, those that came before a time,
// or both. All must be set if none is.
type StrayParked struct {
	Ref    device.Ref
	Via    device.Ref
	Before time.Time
	All    bool
}

// DeletedParked tells how many messages a call has deleted. More tells that there may be others: the call is to be made again.
type DeletedParked struct {
	Deleted int  `json:"deleted"`
	More    bool `json:"more,omitempty"`
}

// AdoptedParked tells what came of messages that a device had sent before it had its twin.
type AdoptedParked struct {
	Ref     device.Ref `json:"ref"`            // of the device
	Adopted int        `json:"adopted"`        // are parked of the twin now
	Left    int        `json:"left"`           // still belong to no twin: they cannot be read, or came by a gateway that is not the device's
	Next    string     `json:"next,omitempty"` // where to go on; "" = that was all
}

// Redriven are parked messages of one twin that could be read after all, or tried and not.
type Redriven struct {
	Twin  twin.ID        `json:"twin"`
	Items []RedrivenItem `json:"items"` // at most 200, with at most 1,000 messages in all
}

// A RedrivenItem is what one parked message has become: messages, at most 500, or a new reason to stay.
type RedrivenItem struct {
	ID       string              `json:"id"`
	Messages []telemetry.Message `json:"messages,omitempty"` // Kind, Time and Samples are set
	Reason   string              `json:"reason,omitempty"`
}

// Redriven hands over what parked messages have become; those that were read are no longer parked. For function drivers.
func (c *Client) Redriven(ctx context.Context, in Redriven) error {
	return c.Call(ctx, "POST", "twin-ingest", "/redriven", CBOR{in}, nil)
}

// Ingest hands a batch over; the answer has one outcome per message.
func (c *Client) Ingest(ctx context.Context, in telemetry.Batch) (out telemetry.Result, err error) {
	return out, c.Call(ctx, "POST", "twin-ingest", "/batches", CBOR{in}, &out)
}

// Tick has twins looked at.
func (c *Client) Tick(ctx context.Context, in Tick) error {
	return c.Call(ctx, "POST", "twin-ingest", "/ticks", in, nil)
}

// ListParked pages through a twin's parked messages, newest first.
func (c *Client) ListParked(ctx context.Context, id twin.ID, cursor string) (out Page[ParkedMessage], err error) {
	return out, c.Call(ctx, "GET", "twin-ingest", "/parked"+query("twin", string(id), "cursor", cursor), nil, &out)
}

// ListStray pages through the parked messages that belong to no twin, newest first; of one reference, unless ref is "". For maintainers.
func (c *Client) ListStray(ctx context.Context, ref device.Ref, cursor string) (out Page[ParkedMessage], err error) {
	return out, c.Call(ctx, "GET", "twin-ingest", "/parked"+query("ref", string(ref), "cursor", cursor), nil, &out)
}

// ListStrayVia pages through the parked messages that belong to no twin and came from one that speaks for others, newest first. For
// maintainers.
func (c *Client) ListStrayVia(ctx context.Context, via device.Ref, cursor string) (out Page[ParkedMessage], err error) {
	return out, c.Call(ctx, "GET", "twin-ingest", "/parked"+query("via", string(via), "cursor", cursor), nil, &out)
}

// DeleteStray deletes parked messages that belong to no twin, some 1,000 at a time: while the answer says More, there may be others.
// For maintainers.
func (c *Client) DeleteStray(ctx context.Context, in StrayParked) (out DeletedParked, err error) {
	q := []string{"ref", string(in.Ref), "via", string(in.Via)}
	if !in.Before.IsZero() {
		q = append(q, "before", in.Before.UTC().Format(time.RFC3339Nano))
	}
	if in.All {
		q = append(q, "all", "true")
	}
	return out, c.Call(ctx, "DELETE", "twin-ingest", "/parked"+query(q...), nil, &out)
}

// AdoptParked makes the twin's what its device sent before it had the twin; it is parked of the twin then, so that a redrive can read it.
// It does so a page at a time, from cursor on.
func (c *Client) AdoptParked(ctx context.Context, id twin.ID, cursor string) (out AdoptedParked, err error) {
	return out, c.Call(ctx, "POST", "twin-ingest", "/parked/"+url.PathEscape(string(id))+"/adopt"+query("cursor", cursor), nil, &out)
}

// ListParkedBy pages through the messages that a driver ("acme-th1"), or a version of it ("acme-th1@1.2.0"), could not read, of one twin
// or, if id is "", of all that the caller may read. A page may have fewer than were asked for although there are more.
func (c *Client) ListParkedBy(ctx context.Context, driver string, id twin.ID, cursor string) (out Page[ParkedMessage], err error) {
	return out, c.Call(ctx, "GET", "twin-ingest", "/parked"+query("driver", driver, "twin", string(id), "cursor", cursor), nil, &out)
}

// ListParkedOf pages through the parked messages of a type's instances, newest first, as far as the caller may read them; those alone that
// a driver, or a version of it, could not read, unless driver is "". A page may have fewer than were asked for although there are more.
func (c *Client) ListParkedOf(ctx context.Context, of twin.TypeID, driver, cursor string) (out Page[ParkedMessage], err error) {
	return out, c.Call(ctx, "GET", "twin-ingest", "/parked"+query("type", string(of), "driver", driver, "cursor", cursor), nil, &out)
}
