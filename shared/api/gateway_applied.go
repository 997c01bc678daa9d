package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/event"
)

// MaxApplied is how many changes one Applied may tell of.
const MaxApplied = 500

// MaxLost is how many bytes GatewayApplied.Lost may have in Applied; TellApplied cuts a longer one.
const MaxLost = 512

// Applied is what a gateway tells that may publish no events itself.
type Applied struct {
	Applied []GatewayApplied `json:"applied"`
}

// Event is what is published of it; the same change has the same id.
func (a GatewayApplied) Event(now time.Time) event.Event {
	id := fmt.Sprintf("applied:%s:%s:%d", a.Gateway, a.Client, a.Revision)
	if a.Lost != "" {
		id += ":lost"
	}
	return event.New(id, event.GatewayApplied, a.Client, now, a)
}

// TellApplied has function gateways publish what a gateway has applied, of any number of changes.
func (c *Client) TellApplied(ctx context.Context, gateway string, applied []GatewayApplied) error {
	for len(applied) > 0 {
		n := min(len(applied), MaxApplied)
		in := slices.Clone(applied[:n])
		for i, a := range in {
			in[i].Lost = strings.ToValidUTF8(a.Lost[:min(len(a.Lost), MaxLost)], "")
		}
		if err := c.Call(ctx, "POST", "gateways", "/gateways/"+gateway+"/applied", Applied{in}, nil); err != nil {
			return err
		}
		applied = applied[n:]
	}
	return nil
}
