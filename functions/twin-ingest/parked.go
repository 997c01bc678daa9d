package twiningest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// parkedOf is what is kept of a message that is parked. The same bytes sent again are the same parked message.
func parkedOf(m *telemetry.Message) api.ParkedMessage {
	p := api.ParkedMessage{Twin: m.Twin, Kind: m.Kind, Topic: m.Topic, Raw: m.Raw, Reason: m.Reason, Order: m.Order, Gateway: m.Gateway, Received: m.Received}
	if m.Kind != telemetry.Undecoded { // its twin is not there
		p.Raw, p.Reason = rawOf(m.Samples), fmt.Sprintf("there is no twin %q any more", m.Twin)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %d ", p.Kind, p.Topic, len(p.Raw))
	h.Write(p.Raw)
	if !m.Order.Assigned && m.Order != (twin.Order{}) {
		fmt.Fprint(h, " ", m.Order.Epoch, m.Order.Seq)
	} else if !m.Time.IsZero() {
		fmt.Fprint(h, " ", m.Time.UnixMilli())
	}
	p.ID = string(m.Twin) + "|" + hex.EncodeToString(h.Sum(nil)[:16])
	return p
}

// listParked pages through what is parked of a twin, newest first; twin "" is what belongs to no twin, for maintainers.
func (f *function) listParked(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.ParkedMessage], error) {
	id := twin.ID(c.Query.Get("twin"))
	_, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, id)
	if c.Caller.Is(access.Maintainer) && errors.Is(err, api.ErrNotFound) {
		err = nil // what is parked because there is no such twin is for them to see
	}
	if err != nil {
		return api.Page[api.ParkedMessage]{}, err
	}
	limit, err := c.Limit()
	if err != nil {
		return api.Page[api.ParkedMessage]{}, err
	}
	page, err := f.parked.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", id), Limit: limit, Cursor: c.Query.Get("cursor")})
	if page.Items == nil {
		page.Items = []api.ParkedMessage{}
	}
	return api.Page[api.ParkedMessage]{Items: page.Items, Next: page.Next}, err
}
