package api

import (
	"context"
	"time"

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
	Kind     telemetry.Kind `json:"kind" bson:"kind"`
	Topic    string         `json:"topic,omitempty" bson:"topic,omitempty"`
	Raw      []byte         `json:"raw" bson:"raw"`
	Reason   string         `json:"reason" bson:"reason"`
	Order    twin.Order     `json:"order" bson:"order"`
	Gateway  string         `json:"gateway,omitempty" bson:"gateway,omitempty"`
	Received time.Time      `json:"received" bson:"received"`
	Trace    string         `json:"trace,omitempty" bson:"trace,omitempty"` // of the call that brought it
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
