package api

import "context"

// A Notification is what people are to hear that is no alarm: that a device waits for their decision.
type Notification struct {
	// Key tells notifications apart: the same key is told once, however often it is asked for.
	Key   string `json:"key"`
	Owner string `json:"owner"`          // the group by whose routes it goes, beside those for everybody
	Title string `json:"title"`          // one line
	Text  string `json:"text,omitempty"` // what else there is to say
	Link  string `json:"link,omitempty"` // where in the console they can do something about it: a path, "/runs/run-1f0c"
}

// Noticed tells how many messages to people a notification made, at this call or an earlier one.
type Noticed struct {
	Deliveries int `json:"deliveries"`
}

// Notify has people told by the routes of a group that want to hear of everything.
func (c *Client) Notify(ctx context.Context, in Notification) (out Noticed, err error) {
	return out, c.Call(ctx, "POST", "alerts", "/notices", in, &out)
}
